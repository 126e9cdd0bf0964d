package runs

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// claimSetItems takes the lease; parameters 2 and 3 are owner and time to live. The
// time is clock_timestamp(), because the transaction may have begun long ago.
const claimSetItems = `run_owner = $2, run_epoch = run_epoch + 1, run_expires_at = clock_timestamp() + $3::interval, run_lease = $3::interval,
	updated_at = now(), version = version + 1`

// Claim claims a tenant for a run.
func (s *Runs) Claim(ctx context.Context, id uuid.UUID, mode provisioning.ClaimMode, lease provisioning.LeaseRequest) (provisioning.Run, error) {
	var run provisioning.Run
	err := s.db.InTx(ctx, "claim tenant", func(tx pgx.Tx) error {
		locked, err := tenantrow.Lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if locked.IsLeased {
			return locked.LeasedError("claim tenant")
		}
		run, err = ClaimLocked(ctx, tx, locked, mode, lease)
		return err
	})
	return run, err
}

// ClaimLocked claims a locked tenant that has no lease. It continues a rollback in
// progress. A tenant that ended without being live starts a new attempt.
func ClaimLocked(ctx context.Context, tx pgx.Tx, locked tenantrow.Row, mode provisioning.ClaimMode, lease provisioning.LeaseRequest) (provisioning.Run, error) {
	t := locked.Tenant
	setItems := `status = 'PROVISIONING', provisioning_error = NULL, ` + claimSetItems
	action := audit.Action("")
	switch {
	case mode == provisioning.ClaimRetry && t.Queued:
		return provisioning.Run{}, QueuedError(t, "claim tenant")
	case locked.Rollback != provisioning.RollbackNone:
		setItems = claimSetItems
	case t.Status == tenant.StatusPending, t.Status == tenant.StatusProvisioning:
	case !t.PurgedAt.IsZero():
		return provisioning.Run{}, t.PurgedError("claim tenant")
	case mode == provisioning.ClaimRetry && CanStartNewAttempt(t):
		setItems, action = NewAttemptSetItems+setItems, audit.ActionRetry
	default:
		return provisioning.Run{}, t.TransitionError("claim tenant", "provisioning")
	}
	rows, _ := tx.Query(ctx, `WITH claimed AS (
			UPDATE tenants SET `+setItems+` WHERE id = $1 RETURNING *
		), logged AS (`+tenantrow.LogCreatedSQL("claimed WHERE rollback_target IS NULL")+`
			ON CONFLICT DO NOTHING RETURNING *
		), record AS (
			SELECT duration_ms FROM logged
			UNION ALL SELECT l.duration_ms FROM provisioning_logs l JOIN claimed ON l.tenant_id = claimed.id AND l.attempt = claimed.attempt
			WHERE l.step = 'CREATE_TENANT_RECORD'
		) SELECT `+tenantrow.Columns+tenantrow.RunColumns+`, (SELECT coalesce(max(`+tenantrow.LogDuration+`), '0') FROM record) FROM claimed`, t.ID, lease.Owner, lease.TTL)
	claimed, err := pgx.CollectExactlyOneRow(rows, tenantrow.ScanClaim)
	if err == nil && action != "" {
		err = auditlog.Append(ctx, tx, t.ID, action, map[string]any{"attempt": claimed.Tenant.Attempt})
	}
	claimed.Owner, claimed.TookOver = lease.Owner, locked.HasOwner
	return claimed.Run, err
}

// CanStartNewAttempt reports whether a tenant ended without being live and is not purged.
func CanStartNewAttempt(t tenant.Tenant) bool {
	return !t.WasLive() && t.PurgedAt.IsZero() &&
		(t.Status == tenant.StatusFailed || t.Status == tenant.StatusArchived)
}

// NewAttemptSetItems are the SET items that start a new attempt of a tenant that ended
// without being live. The failure mail of the last one is not sent any more.
const NewAttemptSetItems = `attempt = attempt + 1, checkpoint = 'CREATE_TENANT_RECORD', welcome_email_unanswered = false, failure_email_due_at = NULL, `

// QueuedError returns the error for a tenant that is queued for a worker.
func QueuedError(t tenant.Tenant, op string) error {
	return errs.Errorf(errs.KindConflict, op,
		"tenant %q (%s) is %s and it is queued for a worker; wait for the job to end, or archive the tenant", t.Name, t.ID, t.Status)
}

// Abort claims a tenant that is not live for its rollback, even if a run holds it.
func (s *Runs) Abort(ctx context.Context, id uuid.UUID, lease provisioning.LeaseRequest) (provisioning.Run, error) {
	var aborted tenantrow.Row
	err := s.db.InTx(ctx, "abort tenant", func(tx pgx.Tx) error {
		locked, err := tenantrow.Lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if locked.Tenant.WasLive() || locked.Tenant.Status == tenant.StatusArchived {
			return locked.Tenant.TransitionError("abort tenant", "aborting")
		}
		rows, _ := tx.Query(ctx, `UPDATE tenants SET rollback_target = 'ARCHIVED', job_id = NULL, failure_email_due_at = NULL, `+claimSetItems+`
			WHERE id = $1 RETURNING `+tenantrow.Columns+tenantrow.RunColumns, id, lease.Owner, lease.TTL)
		if aborted, err = pgx.CollectExactlyOneRow(rows, tenantrow.ScanRun); err == nil {
			err = auditlog.Append(ctx, tx, id, audit.ActionAbort, map[string]any{"was": locked.Tenant.Status})
		}
		return err
	})
	aborted.Owner = lease.Owner
	return aborted.Run, err
}
