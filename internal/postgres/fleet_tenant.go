package postgres

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// AuditMigrate is a tenant schema that was brought to a newer version.
const AuditMigrate provisioning.AuditAction = "tenant.migrate"

// migrateTenant brings one tenant to the newest version, in one transaction with
// the ledger and the audit log. It reports false for a tenant that is there
// already, or has no schema any more. KindTransient when somebody else holds the
// tenant or its tables.
func (db *DB) migrateTenant(ctx context.Context, versions []tenantVersion, id uuid.UUID) (migrated bool, err error) {
	const op = "migrate tenant"
	pool, err := db.ready(ctx)
	if err != nil {
		return false, err
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return false, failure(err, op)
	}
	defer conn.Release()
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		migrated = false
		if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '`+fleetLockTimeout+`'`); err != nil {
			return err
		}
		t, found, err := claimForMigration(ctx, tx, id)
		if err != nil || !found {
			return err
		}
		from, err := ledgerVersion(ctx, tx, versions, id)
		if err != nil {
			return err
		}
		migrated, err = upgrade(ctx, tx, versions, t, from)
		return err
	})
	// What its tables leave in the connection's caches is as much as a new tenant does.
	countTenant(conn.Conn())
	return migrated && err == nil, failure(err, op)
}

// claimForMigration locks the tenant, without waiting: whoever has it may have it
// for long.
func claimForMigration(ctx context.Context, tx pgx.Tx, id uuid.UUID) (t provisioning.Tenant, found bool, err error) {
	rows, _ := tx.Query(ctx, `SELECT `+tenantColumns+` FROM tenants WHERE id = $1 AND `+haveSchema+` FOR UPDATE SKIP LOCKED`, id)
	t, err = pgx.CollectExactlyOneRow(rows, scanTenant)
	if !errors.Is(err, pgx.ErrNoRows) {
		return t, err == nil, err
	}
	var busy bool
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM tenants WHERE id = $1 AND `+haveSchema+`)`, id).Scan(&busy)
	if err == nil && busy {
		err = provisioning.Errorf(provisioning.KindTransient, "migrate tenant", "somebody else is changing the tenant right now")
	}
	return t, false, err
}

// ledgerVersion is the version that the tenant's schema has.
func ledgerVersion(ctx context.Context, tx pgx.Tx, versions []tenantVersion, id uuid.UUID) (int, error) {
	var (
		version  int
		checksum string
	)
	err := tx.QueryRow(ctx, `SELECT version, checksum FROM tenant_migrations WHERE tenant_id = $1 ORDER BY version DESC LIMIT 1`, id).Scan(&version, &checksum)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, provisioning.Errorf(provisioning.KindPermanent, "migrate tenant",
			"nothing is known of the version of the tenant's schema; the registry was changed by hand")
	}
	if err != nil {
		return 0, err
	}
	return version, checkVersion(versions, version, checksum)
}

// upgrade applies what comes after a version.
func upgrade(ctx context.Context, tx pgx.Tx, versions []tenantVersion, t provisioning.Tenant, from int) (bool, error) {
	for _, v := range versions[from:] {
		// A script has many statements, which only the simple protocol takes at once.
		if _, err := tx.Exec(ctx, v.sql(t), pgx.QueryExecModeSimpleProtocol); err != nil {
			return false, named(failure(err, "migrate tenant"), v.file)
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
	return true, audit(ctx, tx, t.ID, AuditMigrate, map[string]any{"from": from, "to": to})
}

// named says which file an error is about.
func named(err error, file string) error {
	return provisioning.Wrap(err, provisioning.KindOf(err), "migrate tenant", "%s: %s", file, provisioning.SafeMessage(err))
}
