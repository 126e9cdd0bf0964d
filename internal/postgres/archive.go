package postgres

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// Restore takes an archived tenant back into service.
func (db *DB) Restore(ctx context.Context, id uuid.UUID) (provisioning.Tenant, error) {
	const op = "restore tenant"
	var t provisioning.Tenant
	err := db.inTx(ctx, op, func(tx pgx.Tx) error {
		found, err := lockTenant(ctx, tx, id)
		if err != nil {
			return err
		}
		t = found.Tenant
		switch {
		case t.Status == provisioning.StatusActive:
			return nil
		case t.Status != provisioning.StatusArchived:
			return t.Status.Conflict(op, "restoring")
		case !t.PurgedAt.IsZero():
			return purged(t, op)
		case !t.WasLive():
			return provisioning.Errorf(provisioning.KindConflict, op,
				"the tenant was archived before it ever was live, so there is nothing to restore; create it anew under its name")
		}
		var there bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, t.SchemaName).Scan(&there); err != nil {
			return err
		}
		if !there {
			return provisioning.Errorf(provisioning.KindPermanent, op,
				"the tenant's schema %s is not there; bring it back from a backup first", t.SchemaName)
		}
		rows, _ := tx.Query(ctx, `UPDATE tenants SET status = 'ACTIVE', archived_at = NULL, updated_at = now(), version = version + 1
			WHERE id = $1 RETURNING `+tenantColumns, id)
		if t, err = pgx.CollectExactlyOneRow(rows, scanTenant); err == nil {
			err = audit(ctx, tx, id, provisioning.AuditRestore, nil)
		}
		return err
	})
	return t, err
}

// Purge deletes what an archived tenant has stored, and keeps a certificate.
func (db *DB) Purge(ctx context.Context, id uuid.UUID, retention time.Duration) (provisioning.PurgeCertificate, error) {
	const op = "purge tenant"
	var c provisioning.PurgeCertificate
	err := db.inTx(ctx, op, func(tx pgx.Tx) error {
		found, err := lockTenant(ctx, tx, id)
		if err != nil {
			return err
		}
		t := found.Tenant
		due := t.ArchivedAt.Add(retention)
		var now time.Time
		if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
			return err
		}
		switch {
		case t.Status != provisioning.StatusArchived:
			return provisioning.Errorf(provisioning.KindConflict, op, "purging is not possible while the tenant is %s; archive it first", t.Status)
		case !t.PurgedAt.IsZero():
			c, err = certificate(ctx, tx, id)
			return err
		case now.Before(due):
			return provisioning.Errorf(provisioning.KindConflict, op,
				"the tenant was archived on %s and its data are kept until %s", t.ArchivedAt.UTC().Format(time.DateTime), due.UTC().Format(time.DateTime))
		}
		c = provisioning.PurgeCertificate{
			TenantID: t.ID, Name: t.Name, SchemaName: t.SchemaName, ContractID: t.ContractID,
			ArchivedAt: t.ArchivedAt, PurgedAt: now, Rows: map[string]int64{}, By: provisioning.CallerOf(ctx),
		}
		return purge(ctx, tx, t, &c)
	})
	return c, err
}

func certificate(ctx context.Context, tx pgx.Tx, id uuid.UUID) (c provisioning.PurgeCertificate, err error) {
	var text []byte
	if err = tx.QueryRow(ctx, `SELECT certificate FROM purge_certificates WHERE tenant_id = $1`, id).Scan(&text); err == nil {
		err = json.Unmarshal(text, &c)
	}
	return c, err
}

// purge drops a locked tenant's schema and role. One that never was live has
// neither: its rollback took them.
func purge(ctx context.Context, tx pgx.Tx, t provisioning.Tenant, c *provisioning.PurgeCertificate) error {
	if t.WasLive() {
		if err := takeStock(ctx, tx, t.SchemaName, c); err != nil {
			return err
		}
		if err := dropTenant(ctx, tx, t); err != nil {
			return err
		}
	}
	for _, statement := range []string{
		`DELETE FROM tenant_invitations WHERE tenant_id = $1`,
		`DELETE FROM tenant_migrations WHERE tenant_id = $1`,
		`UPDATE tenants SET purged_at = now(), updated_at = now(), version = version + 1 WHERE id = $1`,
	} {
		if _, err := tx.Exec(ctx, statement, t.ID); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(ctx, `INSERT INTO purge_certificates (tenant_id, certificate) VALUES ($1, $2::jsonb)`, t.ID, encoded(c)); err != nil {
		return err
	}
	return audit(ctx, tx, t.ID, provisioning.AuditPurge, map[string]any{"schemaName": t.SchemaName, "rows": c.Rows, "auditHead": c.AuditHead})
}

// takeStock counts what is about to be deleted.
func takeStock(ctx context.Context, tx pgx.Tx, schema string, c *provisioning.PurgeCertificate) error {
	rows, _ := tx.Query(ctx, `SELECT tablename FROM pg_tables WHERE schemaname = $1 ORDER BY tablename`, schema)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, table := range tables {
		var n int64
		name := pgx.Identifier{schema, table}.Sanitize()
		// Counted and dropped under one lock: the certificate tells what was deleted.
		if _, err := tx.Exec(ctx, `LOCK TABLE `+name+` IN ACCESS EXCLUSIVE MODE`); err != nil {
			return err
		}
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM `+name).Scan(&n); err != nil {
			return err
		}
		c.Rows[table] = n
		if table != "audit_logs" {
			continue
		}
		var head []byte
		err := tx.QueryRow(ctx, `SELECT hash FROM `+name+` ORDER BY seq DESC LIMIT 1`).Scan(&head)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		c.AuditHead = hex.EncodeToString(head)
	}
	return nil
}

// dropTenant removes a tenant's schema and role, with all that the role may do
// or owns elsewhere in this database.
func dropTenant(ctx context.Context, tx pgx.Tx, t provisioning.Tenant) error {
	if _, err := tx.Exec(ctx, `DROP SCHEMA IF EXISTS `+pgx.Identifier{t.SchemaName}.Sanitize()+` CASCADE`); err != nil {
		return err
	}
	var there bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, t.DatabaseRole).Scan(&there); err != nil || !there {
		return err
	}
	return dropRole(ctx, tx, t.DatabaseRole)
}

// dropRole drops a role with all that it may do or owns in this database. DROP
// OWNED needs the role's own rights, which its creator has to take first unless it
// is a superuser.
func dropRole(ctx context.Context, tx pgx.Tx, name string) error {
	role := pgx.Identifier{name}.Sanitize()
	for _, statement := range []string{`GRANT ` + role + ` TO CURRENT_USER`, `DROP OWNED BY ` + role, `DROP ROLE ` + role} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
