// Package lifecycle archives, unarchives and purges tenants.
package lifecycle

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/logins"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Lifecycle archives, unarchives and purges tenants.
type Lifecycle struct {
	db     *pgdb.DB
	logins *logins.Logins
}

// New returns the lifecycle of the tenants of a database. Archiving closes their logins.
func New(db *pgdb.DB, logins *logins.Logins) *Lifecycle { return &Lifecycle{db, logins} }

// Unarchive makes an archived tenant ACTIVE again.
func (s *Lifecycle) Unarchive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	const op = "unarchive tenant"
	var t tenant.Tenant
	err := s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		locked, err := tenantrow.Lock(ctx, tx, id)
		if err != nil {
			return err
		}
		t = locked.Tenant
		switch {
		case t.Status == tenant.StatusActive:
			return nil
		case t.Status != tenant.StatusArchived:
			return t.Status.TransitionError(op, "unarchiving")
		case !t.PurgedAt.IsZero():
			return tenantrow.PurgedError(t, op)
		case !t.WasLive():
			return errs.Errorf(errs.KindConflict, op,
				"the tenant was archived before it was live, so it cannot be unarchived; create it again with the same name")
		}
		var exists bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, t.SchemaName).Scan(&exists); err != nil {
			return err
		}
		if !exists {
			return errs.Errorf(errs.KindPermanent, op,
				"the tenant's schema %s does not exist; restore it from a backup first", t.SchemaName)
		}
		rows, _ := tx.Query(ctx, `UPDATE tenants SET status = 'ACTIVE', archived_at = NULL, updated_at = now(), version = version + 1
			WHERE id = $1 RETURNING `+tenantrow.Columns, id)
		if t, err = pgx.CollectExactlyOneRow(rows, tenantrow.Scan); err == nil {
			err = auditlog.Append(ctx, tx, id, audit.ActionUnarchive, nil)
		}
		return err
	})
	return t, err
}

// Purge deletes the data of an archived tenant and keeps a certificate.
func (s *Lifecycle) Purge(ctx context.Context, id uuid.UUID, retention time.Duration) (provisioning.PurgeCertificate, error) {
	const op = "purge tenant"
	var certificate provisioning.PurgeCertificate
	err := s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		locked, err := tenantrow.Lock(ctx, tx, id)
		if err != nil {
			return err
		}
		t := locked.Tenant
		due := t.ArchivedAt.Add(retention)
		var now time.Time
		if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
			return err
		}
		switch {
		case t.Status != tenant.StatusArchived:
			return errs.Errorf(errs.KindConflict, op, "purging is not possible while the tenant is %s; archive it first", t.Status)
		case !t.PurgedAt.IsZero():
			certificate, err = readCertificate(ctx, tx, id)
			return err
		case now.Before(due):
			return errs.Errorf(errs.KindConflict, op,
				"the tenant was archived on %s and its data are kept until %s", t.ArchivedAt.UTC().Format(time.DateTime), due.UTC().Format(time.DateTime))
		}
		certificate = provisioning.PurgeCertificate{
			TenantID: t.ID, Name: t.Name, SchemaName: t.SchemaName, ContractID: t.ContractID,
			ArchivedAt: t.ArchivedAt, PurgedAt: now, Rows: map[string]int64{}, By: audit.CallerOf(ctx),
		}
		return purge(ctx, tx, t, &certificate)
	})
	return certificate, err
}

func readCertificate(ctx context.Context, tx pgx.Tx, id uuid.UUID) (c provisioning.PurgeCertificate, err error) {
	var text []byte
	if err = tx.QueryRow(ctx, `SELECT certificate FROM purge_certificates WHERE tenant_id = $1`, id).Scan(&text); err == nil {
		err = json.Unmarshal(text, &c)
	}
	return c, err
}

// purge drops the schema and role of a locked tenant. A tenant that was never live has
// neither: its rollback dropped them.
func purge(ctx context.Context, tx pgx.Tx, t tenant.Tenant, c *provisioning.PurgeCertificate) error {
	ctx = pgdb.WithoutStatementLimit(ctx)
	if t.WasLive() {
		if err := countRows(ctx, tx, t.SchemaName, c); err != nil {
			return err
		}
		if err := dropTenantSchema(ctx, tx, t); err != nil {
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
	if _, err := tx.Exec(ctx, `INSERT INTO purge_certificates (tenant_id, certificate) VALUES ($1, $2::jsonb)`, t.ID, auditlog.ToJSON(c)); err != nil {
		return err
	}
	return auditlog.Append(ctx, tx, t.ID, audit.ActionPurge, map[string]any{"schemaName": t.SchemaName, "rows": c.Rows, "auditHead": c.AuditHead})
}

// countRows counts the rows that are about to be deleted.
func countRows(ctx context.Context, tx pgx.Tx, schema string, c *provisioning.PurgeCertificate) error {
	rows, _ := tx.Query(ctx, `SELECT tablename FROM pg_tables WHERE schemaname = $1 ORDER BY tablename`, schema)
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, table := range tables {
		var n int64
		name := pgx.Identifier{schema, table}.Sanitize()
		// One lock covers count and drop, so the certificate matches the deleted rows.
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

// dropTenantSchema drops a tenant's schema and role, with all that the role owns or
// may access elsewhere in this database.
func dropTenantSchema(ctx context.Context, tx pgx.Tx, t tenant.Tenant) error {
	if _, err := tx.Exec(ctx, `DROP SCHEMA IF EXISTS `+pgx.Identifier{t.SchemaName}.Sanitize()+` CASCADE`); err != nil {
		return err
	}
	var exists bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, t.DatabaseRole).Scan(&exists); err != nil || !exists {
		return err
	}
	return logins.DropOwnedRole(ctx, tx, t.DatabaseRole)
}

// Archive archives an ACTIVE or SUSPENDED tenant; its schema remains.
func (s *Lifecycle) Archive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	var (
		t      tenant.Tenant
		closed []string
	)
	err := s.db.InTx(ctx, "archive tenant", func(tx pgx.Tx) error {
		locked, err := tenantrow.Lock(ctx, tx, id)
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
			version = version + 1, run_epoch = run_epoch + 1, welcome_email_due_at = NULL WHERE id = $1 RETURNING `+tenantrow.Columns, id)
		if t, err = pgx.CollectExactlyOneRow(rows, tenantrow.Scan); err == nil {
			err = auditlog.Append(ctx, tx, id, audit.ActionArchive, nil)
		}
		if err == nil {
			closed, err = logins.CloseLogins(ctx, tx, t, nil)
		}
		return err
	})
	if err != nil { // The logins are still valid.
		return t, err
	}
	for _, username := range closed {
		_ = s.logins.DropLogin(ctx, username) // It has no privileges; the next sweep drops it if this fails.
	}
	return t, nil
}
