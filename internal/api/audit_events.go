package api

import (
	"context"
	"net/http"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
)

// registerAuditRoutes registers the operations for the audit logs of tenants and registry.
func (s *Server) registerAuditRoutes() {
	registerEndpoint(s, &endpoint{
		id: "list-audit-events", method: http.MethodGet, path: tenantPath + "/audit", tag: "tenants",
		summary: "List the audit events of a tenant", description: "Every change of the tenant and every rejected request, oldest first unless order says otherwise. Each event's hash covers the hash of the event before it.",
		scope: access.ScopeRead,
	}, s.listAuditEvents)
	registerEndpoint(s, &endpoint{
		id: "list-registry-audit-events", method: http.MethodGet, path: "/admin/audit", tag: "registry",
		summary:     "List the audit events of the registry",
		description: "Events that are of no tenant, oldest first unless order says otherwise: API keys created and revoked, sign-ins to the console, rejected requests about no tenant or without authentication, restores that were accepted, published blueprints. Each event's hash covers the hash of the event before it.",
		scope:       access.ScopeAdmin,
	}, s.listRegistryAuditEvents)
}

// AuditParams are the parameters of every operation that lists audit events.
type AuditParams struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Maximum number of events."`
	Cursor string `query:"cursor" minLength:"1" maxLength:"128" doc:"The nextCursor of the previous page, in the same order."`
	Order  string `query:"order" enum:"oldest,newest" default:"oldest" doc:"Which events come first."`
}

type auditInput struct {
	ByID
	AuditParams
}

func (s *Server) listAuditEvents(ctx context.Context, in *auditInput) (*bodyOutput[dto.AuditPage], error) {
	page, err := s.auditPage(ctx, in.tenantID, in.AuditParams)
	if err != nil {
		return nil, err
	}
	if len(page.Events) == 0 { // Every tenant has at least one event: without events the id is unknown.
		if _, err := s.opts.Service.Get(ctx, in.tenantID); err != nil {
			return nil, err
		}
	}
	return newBodyOutput(page), nil
}

func (s *Server) listRegistryAuditEvents(ctx context.Context, in *AuditParams) (*bodyOutput[dto.AuditPage], error) {
	page, err := s.auditPage(ctx, uuid.Nil, *in)
	if err != nil {
		return nil, err
	}
	return newBodyOutput(page), nil
}

// auditPage reads a page of a tenant's audit chain; uuid.Nil is the registry chain.
func (s *Server) auditPage(ctx context.Context, tenantID uuid.UUID, in AuditParams) (dto.AuditPage, error) {
	key, read := dto.ListName("audit", tenantID.String()), s.opts.Service.Events
	if in.Order == "newest" {
		key, read = dto.ListName("audit", tenantID.String(), in.Order), s.opts.Service.Newest
	}
	last := int64(0)
	if in.Cursor != "" {
		var ok bool
		if last, ok = dto.OpenSeqCursor(key, in.Cursor); !ok {
			return dto.AuditPage{}, errInvalidCursor
		}
	}
	events, err := read(ctx, tenantID, last, in.Limit+1)
	if err != nil {
		return dto.AuditPage{}, err
	}
	page := dto.AuditPage{Events: []dto.AuditEvent{}}
	for i, e := range events {
		if i == in.Limit {
			page.NextCursor = dto.SeqCursor(key, events[i-1].Seq)
			break
		}
		page.Events = append(page.Events, dto.NewAuditEvent(e))
	}
	return page, nil
}
