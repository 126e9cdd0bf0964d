package tenantschema

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// AuditMigrate is the event of a tenant schema that was migrated to a newer version.
const AuditMigrate audit.Action = "tenant.migrate"

// migrateTenant migrates one tenant to the newest version, in one transaction with the
// ledger and the audit log. It returns false for a tenant that is at that version
// already, or has no schema any more. KindTransient when another
// transaction holds the tenant or its tables.
func (s *Schemas) migrateTenant(ctx context.Context, versions []schemaVersion, id uuid.UUID) (migrated bool, err error) {
	const op = "migrate tenant"
	ctx = pgdb.WithoutStatementLimit(ctx)
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return false, err
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return false, pgdb.Classify(err, op)
	}
	defer conn.Release()
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		migrated = false
		if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '`+tenantMigrationLockTimeout+`'`); err != nil {
			return err
		}
		t, found, err := lockForMigration(ctx, tx, id)
		if err != nil || !found {
			return err
		}
		from, err := appliedVersion(ctx, tx, versions, id)
		if err != nil {
			return err
		}
		migrated, err = applyMigrations(ctx, tx, versions, t, from)
		return err
	})
	// A migration fills the connection's caches as much as a new tenant does.
	pgdb.CountCreatedTenant(conn.Conn())
	return migrated && err == nil, pgdb.Classify(err, op)
}

// lockForMigration locks the tenant without waiting: another transaction may hold it
// for long.
func lockForMigration(ctx context.Context, tx pgx.Tx, id uuid.UUID) (t tenant.Tenant, found bool, err error) {
	rows, _ := tx.Query(ctx, `SELECT `+tenantrow.Columns+` FROM tenants WHERE id = $1 AND `+hasSchemaPredicate+` FOR UPDATE SKIP LOCKED`, id)
	t, err = pgx.CollectExactlyOneRow(rows, tenantrow.Scan)
	if !errors.Is(err, pgx.ErrNoRows) {
		return t, err == nil, err
	}
	var locked bool
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM tenants WHERE id = $1 AND `+hasSchemaPredicate+`)`, id).Scan(&locked)
	if err == nil && locked {
		err = errs.Errorf(errs.KindTransient, "migrate tenant", "another transaction holds the tenant; retry")
	}
	return t, false, err
}

// appliedVersion is the version that the tenant's schema has.
func appliedVersion(ctx context.Context, tx pgx.Tx, versions []schemaVersion, id uuid.UUID) (int, error) {
	var (
		version  int
		checksum string
	)
	err := tx.QueryRow(ctx, `SELECT version, checksum FROM tenant_migrations WHERE tenant_id = $1 ORDER BY version DESC LIMIT 1`, id).Scan(&version, &checksum)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, errs.Errorf(errs.KindPermanent, "migrate tenant",
			"the ledger has no version of the tenant's schema; the registry was changed by hand")
	}
	if err != nil {
		return 0, err
	}
	return version, checkAppliedVersion(versions, version, checksum)
}

// applyMigrations applies the migrations after a version.
func applyMigrations(ctx context.Context, tx pgx.Tx, versions []schemaVersion, t tenant.Tenant, from int) (bool, error) {
	for _, v := range versions[from:] {
		// A script has many statements, which only the simple protocol takes at once.
		if _, err := tx.Exec(ctx, v.scriptFor(t), pgx.QueryExecModeSimpleProtocol); err != nil {
			return false, withFileName(pgdb.Classify(err, "migrate tenant"), v.file)
		}
		if _, err := tx.Exec(ctx, `INSERT INTO tenant_migrations (tenant_id, version, checksum) VALUES ($1, $2, $3)`,
			t.ID, v.number, v.checksum); err != nil {
			return false, err
		}
	}
	to := newestVersion(versions)
	if to == from {
		return false, nil
	}
	return true, auditlog.Append(ctx, tx, t.ID, AuditMigrate, map[string]any{"from": from, "to": to})
}

// withFileName adds the file to an error.
func withFileName(err error, file string) error {
	return errs.Wrap(err, errs.KindOf(err), "migrate tenant", "%s: %s", file, errs.SafeMessage(err))
}
