package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
)

func (s *Server) archiveTenant(ctx context.Context, in *ByID) (*bodyOutput[archivedView], error) {
	if _, err := s.opts.Service.Archive(ctx, in.tenantID); err != nil {
		return nil, err
	}
	return newBodyOutput(archivedView{Status: "archived", Message: "Tenant " + in.tenantID.String() + " has been archived"}), nil
}

func (s *Server) unarchiveTenant(ctx context.Context, in *ByID) (*tenantOutput, error) {
	return withETag(s.opts.Service.Unarchive(ctx, in.tenantID))
}

func (s *Server) retryTenant(ctx context.Context, in *ByID) (*huma.StreamResponse, error) {
	submission, err := s.opts.Service.SubmitRetry(ctx, in.tenantID)
	if err != nil {
		return nil, err
	}
	return s.queuedResponse(submission, "Another attempt for "+submission.Tenant.Name+" has been queued"), nil
}

func (s *Server) inviteAdmin(ctx context.Context, in *ByID) (*bodyOutput[invitedView], error) {
	out, err := s.opts.Service.Invite(ctx, in.tenantID)
	if err != nil {
		return nil, err
	}
	v := invitedView{
		Status: "sent", WelcomeEmailStatus: string(out.Tenant.WelcomeEmail),
		Message: "The welcome mail has been sent to " + out.Tenant.AdminEmail, Warnings: dto.List(out.Warnings),
	}
	if len(out.Warnings) > 0 {
		v.Status, v.Message = "failed", "The welcome mail could not be sent to "+out.Tenant.AdminEmail
	}
	return newBodyOutput(v), nil
}

type purgeTenantInput struct {
	ByID
	Body purgeBody
}

func (s *Server) purgeTenant(ctx context.Context, in *purgeTenantInput) (*bodyOutput[dto.Certificate], error) {
	if err := in.Body.Problem(); err != nil {
		return nil, err
	}
	certificate, err := s.opts.Service.Purge(ctx, in.tenantID, in.Body.Confirm, max(s.opts.Retention, in.Body.retention()))
	if err != nil {
		return nil, err
	}
	return newBodyOutput(dto.NewCertificate(certificate)), nil
}
