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
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
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
			return usersError(err, op)
		}
		return auditlog.Append(ctx, tx, id, audit.ActionAcceptInvitation, nil)
	})
	return t, err
}

// usersError is the error of a table of users that does not take a password. Its text is the same
// for all of them, as a trigger's may name others and the caller has no key; the log has the cause.
// The invitation stays as it is, so the same request succeeds once the platform has corrected that.
func usersError(err error, op string) error {
	classified := pgdb.Classify(err, op)
	if kind := errs.KindOf(classified); kind != errs.KindPermanent && kind != errs.KindConflict {
		return classified
	}
	return errs.Wrap(err, errs.KindTransient, op, "the password was not set, and the invitation is still valid: the organisation's table of users did not take it; ask your contact, then try again")
}
