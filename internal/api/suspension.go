package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/openapi"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/validate"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// registerSuspensionRoutes registers the operations that suspend and resume tenants, and those for
// legal holds.
func (s *Server) registerSuspensionRoutes() {
	registerEndpoint(s, &endpoint{
		id: "suspend-tenant", method: http.MethodPost, path: tenantPath + "/suspend", tag: "tenants",
		summary: "Suspend a tenant", description: "Takes an ACTIVE tenant out of service for a time: no role but the owner's can use its schema, its logins with their sessions and its invitations end; name, data and contract stay. Repeating the request succeeds." + queuedMoveDoc,
		scope: access.ScopeWrite, mutating: true, timeout: rollbackTimeout, errorStatuses: []int{http.StatusConflict}, responses: moveResponses[dto.SuspendedTenant]("The tenant.", "ETag"),
	}, s.suspendTenant)
	registerEndpoint(s, &endpoint{
		id: "resume-tenant", method: http.MethodPost, path: tenantPath + "/resume", tag: "tenants",
		summary: "Resume a tenant", description: "Brings a SUSPENDED tenant back into service. Its logins and invitations stay ended: open and send new ones. Repeating the request succeeds." + queuedMoveDoc,
		scope: access.ScopeWrite, mutating: true, errorStatuses: []int{http.StatusConflict}, responses: moveResponses[dto.Tenant]("The tenant.", "ETag"),
	}, s.resumeTenant)
	registerEndpoint(s, &endpoint{
		id: "set-legal-hold", method: http.MethodPut, path: tenantPath + "/hold", tag: "tenants",
		summary: "Set a legal hold", description: "Nothing deletes the data of a tenant under a legal hold: a purge, and a migration that deletes data, are refused and recorded. For a tenant that was live. A second request replaces the reason.",
		scope: access.ScopeWrite, mutating: true, contentTypes: jsonOnly, body: openapi.SchemaRef[reasonBody], example: map[string]any{"reason": "Case 2026-17"},
		errorStatuses: []int{http.StatusConflict},
	}, s.setHold)
	registerEndpoint(s, &endpoint{
		id: "clear-legal-hold", method: http.MethodPost, path: tenantPath + "/hold/clear", tag: "tenants",
		summary: "Clear a legal hold", description: "Ends the legal hold of a tenant, and records the reason. Repeating the request succeeds.",
		scope: access.ScopeHold, mutating: true, contentTypes: jsonOnly, body: openapi.SchemaRef[reasonBody], example: map[string]any{"reason": "Case 2026-17 is closed"},
		errorStatuses: []int{http.StatusConflict},
	}, s.clearHold)
}

func (s *Server) suspendTenant(ctx context.Context, in *ByID) (*huma.StreamResponse, error) {
	if s.opts.WithoutWorker {
		return s.queueMove(ctx, in.tenantID, provisioning.MoveRequest{Move: provisioning.MoveSuspend})
	}
	out, err := s.opts.Service.Suspend(ctx, in.tenantID)
	if err != nil {
		return nil, err
	}
	return s.tenantResponse(dto.SuspendedTenant{Tenant: dto.NewTenant(out.Tenant), Warnings: dto.List(out.Warnings)}, out.Tenant.Version), nil
}

func (s *Server) resumeTenant(ctx context.Context, in *ByID) (*huma.StreamResponse, error) {
	return s.moveBack(ctx, in.tenantID, provisioning.MoveResume, s.opts.Service.Resume)
}

// moveBack runs or queues a move that brings a tenant back into service.
func (s *Server) moveBack(ctx context.Context, id uuid.UUID, move provisioning.Move, run func(context.Context, uuid.UUID) (tenant.Tenant, error)) (*huma.StreamResponse, error) {
	if s.opts.WithoutWorker {
		return s.queueMove(ctx, id, provisioning.MoveRequest{Move: move})
	}
	t, err := run(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.tenantResponse(dto.NewTenant(t), t.Version), nil
}

// tenantResponse is a 200 with a tenant of that version.
func (s *Server) tenantResponse(body any, version int64) *huma.StreamResponse {
	return s.jsonResponse(http.StatusOK, body, func(h func(name, value string)) { h("ETag", etag(version)) })
}

type reasonBody struct {
	Reason          string `json:"reason" doc:"Kept in the audit log." example:"Case 2026-17"`
	validate.Errors `json:"-"`
}

// FieldReaders implements the interface of package validate.
func (b *reasonBody) FieldReaders() map[string]validate.FieldReader {
	return map[string]validate.FieldReader{"reason": validate.String(&b.Reason)}
}

// TransformSchema adds the rules to huma's schema.
func (*reasonBody) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	return openapi.AddReasonRule(s)
}

type holdInput struct {
	ByID
	Body reasonBody
}

func (s *Server) setHold(ctx context.Context, in *holdInput) (*tenantOutput, error) {
	if err := in.Body.Problem(); err != nil {
		return nil, err
	}
	return withoutOutputs(s.opts.Service.SetHold(ctx, in.tenantID, in.Body.Reason))
}

func (s *Server) clearHold(ctx context.Context, in *holdInput) (*tenantOutput, error) {
	if err := in.Body.Problem(); err != nil {
		return nil, err
	}
	return withoutOutputs(s.opts.Service.ClearHold(ctx, in.tenantID, in.Body.Reason))
}

// withoutOutputs is the answer with a tenant for a caller that may have no scope for its outputs.
func withoutOutputs(t tenant.Tenant, err error) (*tenantOutput, error) {
	out, err := withETag(t, err)
	if err == nil {
		out.Body = out.Body.WithoutOutputs()
	}
	return out, err
}
