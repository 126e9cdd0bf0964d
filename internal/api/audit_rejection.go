package api

import (
	"maps"
	"net/http"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
)

// auditRejection records a rejected caller, for every operation, and a rejected change.
// The registry records the changes themselves.
func (s *Server) auditRejection(c *requestContext, p *problem.Problem) {
	callerRejected := p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden || p.Status == http.StatusTooManyRequests
	extra, wanted := p.Audit()
	if c.endpoint == nil || !wanted || p.Status >= http.StatusInternalServerError || !callerRejected && !c.endpoint.mutating {
		return
	}
	detail := map[string]any{"method": c.endpoint.method, "route": c.endpoint.path, "status": p.Status, "title": p.Title}
	maps.Copy(detail, extra)
	tenantID := c.tenantID
	if !c.authenticated {
		tenantID = uuid.Nil // An unauthenticated caller must not write to a tenant's audit log.
	}
	s.recorder.Record(audit.Event{
		TenantID: tenantID, Action: audit.Action("request." + c.endpoint.id), Outcome: audit.OutcomeRejected,
		Caller: c.caller, Detail: detail,
	})
}
