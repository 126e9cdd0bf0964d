package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

func (s *Server) archiveTenant(ctx context.Context, in *ByID) (*huma.StreamResponse, error) {
	if s.opts.WithoutWorker {
		return s.queueMove(ctx, in.tenantID, provisioning.MoveRequest{Move: provisioning.MoveArchive})
	}
	if _, err := s.opts.Service.Archive(ctx, in.tenantID); err != nil {
		return nil, err
	}
	return s.okJSON(archivedView{Status: "archived", Message: "Tenant " + in.tenantID.String() + " has been archived"}), nil
}

func (s *Server) unarchiveTenant(ctx context.Context, in *ByID) (*huma.StreamResponse, error) {
	return s.moveBack(ctx, in.tenantID, provisioning.MoveUnarchive, s.opts.Service.Unarchive)
}

func (s *Server) retryTenant(ctx context.Context, in *ByID) (*huma.StreamResponse, error) {
	submission, err := s.opts.Service.SubmitRetry(ctx, in.tenantID)
	if err != nil {
		return nil, err
	}
	return s.queuedResponse(submission, "Another attempt for "+submission.Tenant.Name+" has been queued"), nil
}

type skipUndoInput struct {
	ByID
	Body skipUndoBody
}

type skippedView struct {
	Status  string `json:"status" enum:"skipped"`
	Message string `json:"message"`
}

func (s *Server) skipUndo(ctx context.Context, in *skipUndoInput) (*bodyOutput[skippedView], error) {
	if err := in.Body.Problem(); err != nil {
		return nil, err
	}
	if err := s.opts.Service.SkipUndo(ctx, in.tenantID, in.Body.Steps, in.Body.Reason); err != nil {
		return nil, err
	}
	return newBodyOutput(skippedView{"skipped", "The undo of " + strings.Join(in.Body.Steps, ", ") + " is not tried any more"}), nil
}

func (s *Server) inviteAdmin(ctx context.Context, in *ByID) (*bodyOutput[invitedView], error) {
	out, err := s.opts.Service.Invite(ctx, in.tenantID)
	if err != nil {
		return nil, err
	}
	v := invitedView{
		Status: mailOutcome(out), WelcomeEmailStatus: string(out.Tenant.WelcomeEmail),
		Message: "The welcome mail has been sent to " + out.Tenant.AdminEmail, Warnings: dto.List(out.Warnings),
	}
	switch v.Status {
	case "pending":
		v.Message = "The welcome mail is on its way to " + out.Tenant.AdminEmail
	case "failed":
		v.Message = "The welcome mail could not be sent to " + out.Tenant.AdminEmail
	}
	return newBodyOutput(v), nil
}

// mailOutcome says what became of the mail of an invitation.
func mailOutcome(out provisioning.Outcome) string {
	switch {
	case out.MailUnderWay:
		return "pending"
	case len(out.Warnings) > 0:
		return "failed"
	}
	return "sent"
}

type purgeTenantInput struct {
	ByID
	Body purgeBody
}

func (s *Server) purgeTenant(ctx context.Context, in *purgeTenantInput) (*huma.StreamResponse, error) {
	if err := in.Body.Problem(); err != nil {
		return nil, err
	}
	retention, err := s.purgeRetention(in.Body)
	if err != nil {
		return nil, err
	}
	if s.opts.WithoutWorker {
		t, err := s.opts.Service.Get(ctx, in.tenantID)
		if err != nil {
			return nil, err
		}
		if t.PurgedAt.IsZero() { // Else the certificate is there to be read.
			return s.queueMove(ctx, in.tenantID, provisioning.MoveRequest{Move: provisioning.MovePurge, Confirm: in.Body.Confirm, Retention: retention})
		}
	}
	certificate, err := s.opts.Service.Purge(ctx, in.tenantID, in.Body.Confirm, retention)
	if err != nil {
		return nil, err
	}
	return s.okJSON(dto.NewCertificate(certificate)), nil
}

func (s *Server) checkPurge(ctx context.Context, in *purgeTenantInput) (*bodyOutput[checkedView], error) {
	if err := in.Body.Problem(); err != nil {
		return nil, err
	}
	retention, err := s.purgeRetention(in.Body)
	if err != nil {
		return nil, err
	}
	if err := s.opts.Service.CheckPurge(ctx, in.tenantID, in.Body.Confirm, retention); err != nil {
		return nil, err
	}
	return newBodyOutput(checkedView{"valid"}), nil
}

// purgeRetention is how long the tenant of a purge must have been archived.
func (s *Server) purgeRetention(b purgeBody) (time.Duration, error) {
	switch {
	case b.SkipRetention == nil || !*b.SkipRetention:
		return max(s.opts.Retention, b.retention()), nil
	case !s.opts.AllowEarlyPurge:
		return 0, problem.New(http.StatusForbidden, "this server does not skip the retention period; leave out skipRetention, or have its operator set ALLOW_EARLY_PURGE")
	}
	return provisioning.SkipRetention, nil
}
