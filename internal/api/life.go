package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

func (s *Server) archiveTenant(ctx context.Context, in *ByID) (*plain[archivedView], error) {
	id, err := in.tenant()
	if err != nil {
		return nil, err
	}
	if _, err := s.opts.Service.Archive(ctx, id); err != nil {
		return nil, err
	}
	return ok(archivedView{Status: "archived", Message: "Tenant " + id.String() + " has been archived"}), nil
}

func (s *Server) restoreTenant(ctx context.Context, in *ByID) (*tagged, error) {
	id, err := in.tenant()
	if err != nil {
		return nil, err
	}
	t, err := s.opts.Service.Restore(ctx, id)
	if err != nil {
		return nil, err
	}
	return taggedOf(t), nil
}

func (s *Server) retryTenant(ctx context.Context, in *ByID) (*huma.StreamResponse, error) {
	id, err := in.tenant()
	if err != nil {
		return nil, err
	}
	if callOf(ctx).streams {
		return s.runOf(ctx, id, s.opts.Service.Resume)
	}
	submission, err := s.opts.Service.Retry(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.queued(submission, "Another attempt for "+submission.Tenant.Name+" has been queued"), nil
}

func (s *Server) resendWelcome(ctx context.Context, in *ByID) (*huma.StreamResponse, error) {
	id, err := in.tenant()
	if err != nil {
		return nil, err
	}
	if callOf(ctx).streams {
		return s.runOf(ctx, id, s.opts.Service.ResendWelcome)
	}
	out, err := s.opts.Service.ResendWelcome(ctx, id)
	if err != nil {
		return nil, err
	}
	v := resentView{
		Status: "sent", WelcomeEmailStatus: string(out.Tenant.WelcomeEmail),
		Message: "The welcome mail has been sent to " + out.Tenant.AdminEmail, Warnings: warnings(out),
	}
	if len(out.Warnings) > 0 {
		v.Status, v.Message = "failed", "The welcome mail could not be sent to "+out.Tenant.AdminEmail
	}
	return s.document(http.StatusOK, v, func(func(name, value string)) {}), nil
}

func warnings(out provisioning.Outcome) []string {
	if out.Warnings == nil {
		return []string{}
	}
	return out.Warnings
}

type purgeInput struct {
	ByID
	Body purgeBody
}

func (s *Server) purgeTenant(ctx context.Context, in *purgeInput) (*plain[certificateView], error) {
	id, err := in.tenant()
	if err != nil {
		return nil, err
	}
	if err := in.Body.problem(); err != nil {
		return nil, err
	}
	certificate, err := s.opts.Service.Purge(ctx, id, in.Body.Confirm, s.opts.Retention)
	if err != nil {
		return nil, err
	}
	return ok(certificateOf(certificate)), nil
}
