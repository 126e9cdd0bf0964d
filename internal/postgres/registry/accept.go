package registry

import (
	"context"
	"crypto/sha256"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/passwordhash"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/welcome"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// AcceptInvitation sets the password of the administrator whom an invitation of a tenant is for.
func (s *Registry) AcceptInvitation(ctx context.Context, id uuid.UUID, hash [sha256.Size]byte, password tenant.Password) (t tenant.Tenant, err error) {
	const op = "accept invitation"
	stored, err := passwordhash.Hash(ctx, password)
	if err != nil {
		return t, err
	}
	err = s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		locked, err := tenantrow.Lock(ctx, tx, id)
		if err != nil {
			return err
		}
		t = locked.Tenant
		if err := welcome.UseInvitation(ctx, tx, id, hash); err != nil {
			return err
		}
		if t.Status != tenant.StatusActive { // The mail comes before the last commit of a run.
			return errs.Errorf(errs.KindConflict, op, "the organisation is still being set up; try again in a minute")
		}
		if err := updateAdmin(ctx, tx, t, locked.AdminUser, &stored); err != nil {
			return err
		}
		return auditlog.Append(ctx, tx, id, audit.ActionAcceptInvitation, nil)
	})
	return t, err
}
