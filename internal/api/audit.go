package api

import (
	"maps"
	"net/http"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// audit records a refusal: of a caller, whatever was asked for, and of a change.
// Changes themselves are recorded by the registry.
func (s *Server) audit(c *call, p *Problem) {
	caller := p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden || p.Status == http.StatusTooManyRequests
	if c.endpoint == nil || p.quiet || p.Status >= http.StatusInternalServerError || !caller && !c.endpoint.changes {
		return
	}
	detail := map[string]any{"method": c.endpoint.method, "route": c.endpoint.path, "status": p.Status, "title": p.Title}
	maps.Copy(detail, p.note)
	tenant := c.tenant
	if !c.known {
		tenant = uuid.Nil // Nobody in particular writes into a tenant's log.
	}
	s.recorder.record(provisioning.AuditEvent{
		TenantID: tenant, Action: provisioning.AuditAction("request." + c.endpoint.id), Outcome: provisioning.AuditRefused,
		Caller: c.caller, Detail: detail,
	})
}
