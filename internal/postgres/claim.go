package postgres

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// claimSet takes the lease; parameters 2 and 3 are owner and time to live. The
// time is the clock's and not the transaction's, which may have begun long ago.
const claimSet = `run_owner = $2, run_epoch = run_epoch + 1, run_expires_at = clock_timestamp() + $3::interval,
	updated_at = now(), version = version + 1`

// Claim takes a tenant for a run.
func (db *DB) Claim(ctx context.Context, id uuid.UUID, mode provisioning.ClaimMode, lease provisioning.LeaseRequest) (provisioning.Run, error) {
	var run provisioning.Run
	err := db.inTx(ctx, "claim tenant", func(tx pgx.Tx) error {
		found, err := lockTenant(ctx, tx, id)
		if err != nil {
			return err
		}
		if found.leased {
			return found.busy("claim tenant")
		}
		run, err = claim(ctx, tx, found, mode, lease)
		return err
	})
	return run, err
}

// busy refuses a tenant that another run holds.
func (r row) busy(op string) error {
	err := provisioning.Errorf(provisioning.KindConflict, op,
		"tenant %q (%s) is being provisioned by another run right now; wait for it to end", r.Tenant.Name, r.Tenant.ID)
	err.Lease = &provisioning.LeaseInfo{Epoch: r.Epoch, Until: *r.expiresAt}
	return err
}

// claim takes a locked tenant that nobody holds. A rollback that is under way is
// left under way; a tenant that ended without ever being live begins a new attempt.
func claim(ctx context.Context, tx pgx.Tx, found row, mode provisioning.ClaimMode, lease provisioning.LeaseRequest) (provisioning.Run, error) {
	t := found.Tenant
	set := `status = 'PROVISIONING', provisioning_error = NULL, ` + claimSet
	action := provisioning.AuditAction("")
	switch {
	case mode == provisioning.ClaimRetry && t.Queued:
		return provisioning.Run{}, queued(t, "claim tenant")
	case found.Undo != provisioning.UndoNone:
		set = claimSet
	case t.Status == provisioning.StatusPending, t.Status == provisioning.StatusProvisioning:
	case !t.PurgedAt.IsZero():
		return provisioning.Run{}, purged(t, "claim tenant")
	case mode == provisioning.ClaimRetry && canBeginAgain(t):
		set, action = newAttempt+set, provisioning.AuditAttempt
	default:
		return provisioning.Run{}, t.Status.Conflict("claim tenant", "provisioning")
	}
	rows, _ := tx.Query(ctx, `WITH claimed AS (
			UPDATE tenants SET `+set+` WHERE id = $1 RETURNING *
		), logged AS (`+logRecord("claimed WHERE undo IS NULL")+`
			ON CONFLICT DO NOTHING RETURNING *
		), record AS (
			SELECT duration_ms FROM logged
			UNION ALL SELECT l.duration_ms FROM provisioning_logs l JOIN claimed ON l.tenant_id = claimed.id AND l.attempt = claimed.attempt
			WHERE l.step = 'CREATE_TENANT_RECORD'
		) SELECT `+tenantColumns+runColumns+`, (SELECT coalesce(max(`+logDuration+`), '0') FROM record) FROM claimed`, t.ID, lease.Owner, lease.TTL)
	out, err := pgx.CollectExactlyOneRow(rows, scanClaim)
	if err == nil && action != "" {
		err = audit(ctx, tx, t.ID, action, map[string]any{"attempt": out.Tenant.Attempt})
	}
	out.Owner = lease.Owner
	return out.Run, err
}

// canBeginAgain reports whether a tenant ended without being live, and is not purged.
func canBeginAgain(t provisioning.Tenant) bool {
	return !t.WasLive() && t.PurgedAt.IsZero() &&
		(t.Status == provisioning.StatusFailed || t.Status == provisioning.StatusArchived)
}

// newAttempt are the SET items with which a tenant that ended without being live
// begins again.
const newAttempt = `attempt = attempt + 1, checkpoint = 'CREATE_TENANT_RECORD', archived_at = NULL, `

// purged refuses to bring back a tenant that was purged.
func purged(t provisioning.Tenant, op string) error {
	return provisioning.Errorf(provisioning.KindConflict, op,
		"the tenant was purged on %s: its data are deleted for good", t.PurgedAt.UTC().Format(time.DateOnly))
}

// queued refuses a tenant that is a worker's.
func queued(t provisioning.Tenant, op string) error {
	return provisioning.Errorf(provisioning.KindConflict, op,
		"tenant %q (%s) is %s and a worker of tenant-api has it in its queue; wait for it to end, or archive the tenant", t.Name, t.ID, t.Status)
}
