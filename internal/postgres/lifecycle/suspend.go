package lifecycle

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/logins"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/welcome"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Suspend takes an ACTIVE tenant out of service for a time. The warnings name sessions that others
// have to end.
func (s *Lifecycle) Suspend(ctx context.Context, id uuid.UUID) (tenant.Tenant, []string, error) {
	var (
		t      tenant.Tenant
		closed []logins.Closed
	)
	err := s.db.InTx(ctx, "suspend tenant", func(tx pgx.Tx) error {
		locked, err := tenantrow.Lock(ctx, tx, id)
		if err != nil {
			return err
		}
		t = locked.Tenant
		if err := checkSuspend(t); err != nil {
			return err
		}
		if t.Status == tenant.StatusActive {
			if t, err = s.suspend(ctx, tx, t); err != nil {
				return err
			}
		}
		closed, err = logins.CloseAll(ctx, tx, t, nil) // Their sessions may still be open, after an error.
		return err
	})
	if err != nil { // The logins are still valid.
		return t, nil, err
	}
	if err := s.logins.Finish(ctx, closed); err != nil {
		return t, nil, err
	}
	warnings, err := s.schemas.RemainingSessions(ctx, t)
	return t, warnings, err
}

// suspend suspends a locked ACTIVE tenant.
func (s *Lifecycle) suspend(ctx context.Context, tx pgx.Tx, t tenant.Tenant) (tenant.Tenant, error) {
	err := s.schemas.RevokeUse(ctx, tx, t)
	if err == nil {
		err = welcome.Revoke(ctx, tx, t.ID)
	}
	if err != nil {
		return t, err
	}
	// The new epoch fences a late write of the run that activated the tenant.
	rows, _ := tx.Query(ctx, `UPDATE tenants SET status = 'SUSPENDED', suspended_at = now(), updated_at = now(),
		version = version + 1, run_epoch = run_epoch + 1, welcome_email_due_at = NULL WHERE id = $1 RETURNING `+tenantrow.Columns, t.ID)
	if t, err = pgx.CollectExactlyOneRow(rows, tenantrow.Scan); err == nil {
		err = auditlog.Append(ctx, tx, t.ID, audit.ActionSuspend, nil)
	}
	return t, err
}

// checkSuspend returns an error unless a tenant is SUSPENDED or can be.
func checkSuspend(t tenant.Tenant) error {
	if t.Status.Live() {
		return nil
	}
	return t.TransitionError("suspend tenant", "suspending")
}

// Resume makes a SUSPENDED tenant ACTIVE again.
func (s *Lifecycle) Resume(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	const op = "resume tenant"
	var t tenant.Tenant
	err := s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		locked, err := tenantrow.Lock(ctx, tx, id)
		if err != nil {
			return err
		}
		t = locked.Tenant
		if err := checkResume(t); err != nil || t.Status == tenant.StatusActive {
			return err
		}
		if err := checkSchemaExists(ctx, tx, op, t); err != nil {
			return err
		}
		if err := s.schemas.GrantUse(ctx, tx, t); err != nil {
			return err
		}
		t, err = backInService(ctx, tx, id, tenant.StatusActive)
		if err == nil {
			err = auditlog.Append(ctx, tx, id, audit.ActionResume, nil)
		}
		return err
	})
	return t, err
}

// checkResume returns an error unless a tenant is ACTIVE or can be resumed.
func checkResume(t tenant.Tenant) error {
	if t.Status.Live() {
		return nil
	}
	return t.TransitionError("resume tenant", "resuming")
}

// backInService makes a locked tenant ACTIVE or SUSPENDED. A welcome mail of an ACTIVE one that was
// not sent is due again. The new epoch fences the undo of own steps by a purge.
func backInService(ctx context.Context, tx pgx.Tx, id uuid.UUID, status tenant.Status) (tenant.Tenant, error) {
	rows, _ := tx.Query(ctx, `UPDATE tenants SET status = @status::text, suspended_at = CASE WHEN @status::text = 'SUSPENDED' THEN suspended_at END,
			updated_at = now(), version = version + 1, run_epoch = run_epoch + 1,
			welcome_email_due_at = CASE WHEN welcome_email = 'PENDING' AND @status::text = 'ACTIVE' THEN
				clock_timestamp() + CASE WHEN welcome_email_unanswered THEN @mail_hold::interval ELSE '0' END END
		WHERE id = @id RETURNING `+tenantrow.Columns, pgx.StrictNamedArgs{"id": id, "status": string(status), "mail_hold": provisioning.MailHold})
	return pgx.CollectExactlyOneRow(rows, tenantrow.Scan)
}
