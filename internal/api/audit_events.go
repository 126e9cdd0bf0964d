package api

import (
	"context"
	"encoding/hex"
	"net/http"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
)

// registerAuditRoutes registers the operation for the audit log of a tenant.
func (s *Server) registerAuditRoutes() {
	registerEndpoint(s, &endpoint{
		id: "list-audit-events", method: http.MethodGet, path: tenantPath + "/audit", tag: "tenants",
		summary: "List the audit events of a tenant", description: "Every change of the tenant and every rejected request, oldest first. Each event's hash covers the hash of the event before it.",
		scope: access.ScopeRead,
	}, s.listAuditEvents)
}

type auditInput struct {
	ByID
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Maximum number of events."`
	Cursor string `query:"cursor" minLength:"1" maxLength:"128" doc:"The nextCursor of the previous page."`
}

type auditView struct {
	Seq     int64          `json:"seq" minimum:"1" doc:"From 1, without gaps."`
	At      time.Time      `json:"at"`
	Action  string         `json:"action" example:"tenant.archive"`
	Outcome string         `json:"outcome" enum:"DONE,REJECTED"`
	Caller  dto.Caller     `json:"caller" doc:"Of kind redacted when a purge deleted caller and detail."`
	Detail  map[string]any `json:"detail" nullable:"false"`
	Hash    string         `json:"hash" pattern:"^[0-9a-f]{64}$" doc:"SHA-256 over the previous hash and this event, with salted hashes in place of caller and detail."`
}

type auditPage struct {
	Events     []auditView `json:"events" nullable:"false" doc:"Oldest first."`
	NextCursor string      `json:"nextCursor,omitempty" doc:"The cursor of the next page; absent on the last page."`
}

func (s *Server) listAuditEvents(ctx context.Context, in *auditInput) (*bodyOutput[auditPage], error) {
	key, after := dto.ListName("audit", in.tenantID.String()), int64(0)
	if in.Cursor != "" {
		var ok bool
		if after, ok = dto.OpenSeqCursor(key, in.Cursor); !ok {
			return nil, errInvalidCursor
		}
	}
	events, err := s.opts.Service.Events(ctx, in.tenantID, after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	if len(events) == 0 { // Every tenant has at least one event: without events the id is unknown.
		if _, err := s.opts.Service.Get(ctx, in.tenantID); err != nil {
			return nil, err
		}
	}
	page := auditPage{Events: []auditView{}}
	for i, e := range events {
		if i == in.Limit {
			page.NextCursor = dto.SeqCursor(key, events[i-1].Seq)
			break
		}
		v := auditView{
			Seq: e.Seq, At: e.At.UTC(), Action: string(e.Action), Outcome: string(e.Outcome),
			Caller: dto.NewCaller(e.Caller), Detail: e.Detail, Hash: hex.EncodeToString(e.Hash),
		}
		if v.Detail == nil {
			v.Detail = map[string]any{}
		}
		page.Events = append(page.Events, v)
	}
	return newBodyOutput(page), nil
}
