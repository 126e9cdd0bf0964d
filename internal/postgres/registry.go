package postgres

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/events"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Get reads one tenant.
func (db *DB) Get(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	return db.queryOne(ctx, "read tenant", "there is no tenant "+id.String(),
		`SELECT `+tenantColumns+` FROM tenants WHERE id = $1`, id)
}

// FindByName finds the live tenant with a name, or else the one archived last.
func (db *DB) FindByName(ctx context.Context, name string) (tenant.Tenant, error) {
	return db.queryOne(ctx, "find tenant", "there is no tenant named "+name,
		`SELECT `+tenantColumns+` FROM tenants WHERE name_key = $1
		 ORDER BY `+holdsName+` DESC, archived_at DESC NULLS LAST, created_at DESC LIMIT 1`,
		tenant.NameKey(name))
}

// FindByExternalID finds the tenant with an external id, in any status. Purged tenants
// do not hold their external id any more: the one purged last is returned only if no
// other tenant has the id.
func (db *DB) FindByExternalID(ctx context.Context, externalID string) (tenant.Tenant, error) {
	return db.queryOne(ctx, "find tenant", "there is no tenant with the external id "+externalID,
		`(SELECT `+tenantColumns+` FROM tenants WHERE external_id = $1 AND purged_at IS NULL)
		 UNION ALL
		 (SELECT `+tenantColumns+` FROM tenants WHERE external_id = $1 AND purged_at IS NOT NULL ORDER BY purged_at DESC LIMIT 1)
		 ORDER BY purged_at NULLS FIRST LIMIT 1`, externalID)
}

func (db *DB) queryOne(ctx context.Context, op, notFound, query string, args ...any) (tenant.Tenant, error) {
	pool, err := db.readyPool(ctx)
	if err != nil {
		return tenant.Tenant{}, err
	}
	rows, err := pool.Query(ctx, query, args...)
	if err != nil {
		return tenant.Tenant{}, classify(err, op)
	}
	t, err := pgx.CollectExactlyOneRow(rows, scanTenant)
	if errors.Is(err, pgx.ErrNoRows) {
		return t, errs.Errorf(errs.KindNotFound, op, "%s", notFound)
	}
	return t, classify(err, op)
}

// Archive archives an ACTIVE or SUSPENDED tenant; its schema remains.
func (db *DB) Archive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	var (
		t      tenant.Tenant
		logins []string
	)
	err := db.inTx(ctx, "archive tenant", func(tx pgx.Tx) error {
		locked, err := lockTenant(ctx, tx, id)
		if err != nil {
			return err
		}
		t = locked.Tenant
		switch t.Status {
		case tenant.StatusArchived:
			return nil
		case tenant.StatusActive, tenant.StatusSuspended:
		default:
			return t.Status.TransitionError("archive tenant", "archiving without a rollback")
		}
		// The new epoch fences a late write of the run that activated the tenant.
		rows, _ := tx.Query(ctx, `UPDATE tenants SET status = 'ARCHIVED', archived_at = now(), updated_at = now(),
			version = version + 1, run_epoch = run_epoch + 1, welcome_email_due_at = NULL WHERE id = $1 RETURNING `+tenantColumns, id)
		if t, err = pgx.CollectExactlyOneRow(rows, scanTenant); err == nil {
			err = appendEvent(ctx, tx, id, audit.ActionArchive, nil)
		}
		if err == nil {
			logins, err = closeLogins(ctx, tx, t, nil)
		}
		return err
	})
	if err != nil { // The logins are still valid.
		return t, err
	}
	for _, username := range logins {
		_ = db.dropLogin(ctx, username) // It has no privileges; the next sweep drops it if this fails.
	}
	return t, nil
}

// Abort claims a tenant that is not live for its rollback, even if a run holds it.
func (db *DB) Abort(ctx context.Context, id uuid.UUID, lease provisioning.LeaseRequest) (provisioning.Run, error) {
	var aborted tenantRow
	err := db.inTx(ctx, "abort tenant", func(tx pgx.Tx) error {
		locked, err := lockTenant(ctx, tx, id)
		if err != nil {
			return err
		}
		if s := locked.Tenant.Status; locked.Tenant.WasLive() || s == tenant.StatusArchived {
			return s.TransitionError("abort tenant", "aborting")
		}
		rows, _ := tx.Query(ctx, `UPDATE tenants SET rollback_target = 'ARCHIVED', job_id = NULL, `+claimSetItems+`
			WHERE id = $1 RETURNING `+tenantColumns+runColumns, id, lease.Owner, lease.TTL)
		if aborted, err = pgx.CollectExactlyOneRow(rows, scanRun); err == nil {
			err = appendEvent(ctx, tx, id, audit.ActionAbort, map[string]any{"was": locked.Tenant.Status})
		}
		return err
	})
	aborted.Owner = lease.Owner
	return aborted.Run, err
}

// Log reads the rows of the newest attempt, or of all, ordered by attempt and step.
// Unknown steps come last.
func (db *DB) Log(ctx context.Context, id uuid.UUID, all bool) ([]tenant.LogEntry, error) {
	const op = "read provisioning log"
	pool, err := db.readyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, `SELECT `+logColumns+`
		FROM provisioning_logs l
		WHERE tenant_id = $1 AND ($2 OR attempt = (SELECT max(attempt) FROM provisioning_logs WHERE tenant_id = $1))
		ORDER BY l.attempt, array_position($3::text[], l.step), l.step`, id, all, tenant.Steps())
	if err != nil {
		return nil, classify(err, op)
	}
	entries, err := pgx.CollectRows(rows, scanLog)
	return entries, classify(err, op)
}

// logColumns are read by scanLog, in this order.
const logColumns = `id, tenant_id, attempt, created_at, change_seq, step, status, result,
	coalesce(error, ''), ` + logDuration

func scanLog(r pgx.CollectableRow) (e tenant.LogEntry, err error) {
	err = r.Scan(&e.ID, &e.TenantID, &e.Attempt, &e.CreatedAt, &e.Change, &e.Step, &e.Status, &e.Result, &e.Error, &e.Duration)
	return e, err
}

// Changes reads a tenant and then the changes in its log since a position. The order
// matters: rows that led to the status read are among those read after it.
func (db *DB) Changes(ctx context.Context, id uuid.UUID, after int64) (events.Changes, error) {
	const op = "read changes"
	t, err := db.Get(ctx, id)
	if err != nil {
		return events.Changes{}, err
	}
	rows, err := db.pool.Query(ctx, `SELECT `+logColumns+` FROM provisioning_logs WHERE tenant_id = $1 AND change_seq > $2 ORDER BY change_seq`, id, after)
	if err != nil {
		return events.Changes{}, classify(err, op)
	}
	entries, err := pgx.CollectRows(rows, scanLog)
	return events.Changes{Tenant: t, Entries: entries}, classify(err, op)
}

// lockTenant reads a tenant and locks its row until tx ends.
func lockTenant(ctx context.Context, tx pgx.Tx, id uuid.UUID) (tenantRow, error) {
	rows, _ := tx.Query(ctx, `SELECT `+tenantColumns+runColumns+` FROM tenants WHERE id = $1 FOR UPDATE`, id)
	locked, err := pgx.CollectExactlyOneRow(rows, scanRun)
	if errors.Is(err, pgx.ErrNoRows) {
		return locked, errs.Errorf(errs.KindNotFound, "read tenant", "there is no tenant %s", id)
	}
	return locked, err
}
