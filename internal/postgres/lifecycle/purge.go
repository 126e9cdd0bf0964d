package lifecycle

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/dbroles"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/logins"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Purge deletes the data of an archived tenant, with what the registry has of its persons, and
// keeps a certificate.
func (s *Lifecycle) Purge(ctx context.Context, id uuid.UUID, retention time.Duration) (provisioning.PurgeCertificate, error) {
	certificate, err := s.purgeTenant(ctx, id, retention)
	return certificate, auditlog.New(s.db).RecordRefused(ctx, id, audit.ActionPurge, err)
}

func (s *Lifecycle) purgeTenant(ctx context.Context, id uuid.UUID, retention time.Duration) (provisioning.PurgeCertificate, error) {
	const op = "purge tenant"
	var (
		certificate provisioning.PurgeCertificate
		t           tenant.Tenant
		closed      []logins.Closed
		made        bool
	)
	err := s.db.InTx(ctx, op, func(tx pgx.Tx) (err error) {
		if t, certificate, err = lockForPurge(ctx, tx, id, retention, false); err != nil || !t.PurgedAt.IsZero() {
			return err
		}
		if made, err = checkPurge(ctx, tx, t); err == nil {
			closed, err = logins.CloseAll(ctx, tx, t, nil)
		}
		return err
	})
	if err != nil || !t.PurgedAt.IsZero() {
		return certificate, err
	}
	if err := s.logins.Finish(ctx, closed); err != nil {
		return certificate, err
	}
	// The role cannot be dropped as long as something in another database depends on it.
	if made {
		if err := dbroles.DropElsewhere(ctx, s.db, t.DatabaseRole); err != nil {
			return certificate, err
		}
	}
	err = s.db.InTx(ctx, op, func(tx pgx.Tx) (err error) {
		if t, certificate, err = lockForPurge(ctx, tx, id, retention, false); err != nil || !t.PurgedAt.IsZero() {
			return err
		}
		return purge(ctx, tx, t, &certificate)
	})
	return certificate, s.blockedError(ctx, err, id)
}

// blockedError names the sessions that hold the tables of a tenant, if an error is that a lock was
// waited for too long.
func (s *Lifecycle) blockedError(ctx context.Context, cause error, id uuid.UUID) error {
	const op = "purge tenant"
	var pgErr *pgconn.PgError
	if !errors.As(cause, &pgErr) || pgErr.Code != "55P03" {
		return cause
	}
	var found dbroles.Holders
	err := s.db.InTx(ctx, op, func(tx pgx.Tx) (err error) {
		found, err = dbroles.FindHolders(ctx, tx, id, false)
		return err
	})
	if err != nil || len(found) == 0 {
		return cause
	}
	return errs.Wrap(cause, errs.KindTransient, op, "the tenant's tables are held by %s; let them end, or end them with pg_terminate_backend, and purge again", found)
}

// CheckPurge returns the error that Purge would return, as far as it is known before it begins.
// archiveFirst: a live tenant is checked as if it was archived now.
func (s *Lifecycle) CheckPurge(ctx context.Context, id uuid.UUID, retention time.Duration, archiveFirst bool) error {
	err := s.db.InTx(ctx, "purge tenant", func(tx pgx.Tx) error {
		t, _, err := lockForPurge(ctx, tx, id, retention, archiveFirst)
		if err != nil || !t.PurgedAt.IsZero() {
			return err
		}
		_, err = checkPurge(ctx, tx, t)
		return err
	})
	return auditlog.New(s.db).RecordRefused(ctx, id, audit.ActionPurge, err)
}

// checkPurge checks a tenant before anything of it is dropped or undone. It reports whether the
// registry made its schema.
func checkPurge(ctx context.Context, tx pgx.Tx, t tenant.Tenant) (made bool, err error) {
	if made, err = tenantrow.SchemaMade(ctx, tx, t.ID); err != nil || !t.WasLive() {
		return made, err
	}
	if !made {
		return false, checkNoSchema(ctx, tx, t)
	}
	return true, checkDependents(ctx, tx, t, &provisioning.PurgeCertificate{})
}

// lockForPurge locks a tenant that can be purged, and begins its certificate. That of a
// purged tenant is complete. archiveFirst: a live one is taken for one that is archived now.
func lockForPurge(ctx context.Context, tx pgx.Tx, id uuid.UUID, retention time.Duration, archiveFirst bool) (t tenant.Tenant, c provisioning.PurgeCertificate, err error) {
	const op = "purge tenant"
	locked, err := tenantrow.Lock(ctx, tx, id)
	if err != nil {
		return t, c, err
	}
	t = locked.Tenant
	var now time.Time
	if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
		return t, c, err
	}
	if archiveFirst && t.Status.Live() {
		t.Status, t.ArchivedAt = tenant.StatusArchived, now
	}
	due := t.ArchivedAt.Add(retention)
	switch {
	case t.Status != tenant.StatusArchived:
		return t, c, errs.Errorf(errs.KindConflict, op, "purging is not possible while the tenant is %s; archive it first", t.Status)
	case !t.PurgedAt.IsZero():
		c, err = readCertificate(ctx, tx, id)
		return t, c, err
	case t.Hold.Active():
		return t, c, provisioning.ErrHeld(op, t)
	case t.DeletionProtection:
		return t, c, provisioning.ErrProtected(op, t)
	case now.Before(due):
		return t, c, errs.Errorf(errs.KindConflict, op,
			"the tenant was archived on %s and its data are kept until %s", t.ArchivedAt.UTC().Format(time.DateTime), due.UTC().Format(time.DateTime))
	}
	return t, provisioning.PurgeCertificate{
		TenantID: t.ID, Name: t.Name, SchemaName: t.SchemaName, ContractID: t.ContractID,
		ArchivedAt: t.ArchivedAt, PurgedAt: now, Rows: map[string]int64{}, By: audit.CallerOf(ctx),
	}, nil
}

func readCertificate(ctx context.Context, tx pgx.Tx, id uuid.UUID) (c provisioning.PurgeCertificate, err error) {
	var text []byte
	if err = tx.QueryRow(ctx, `SELECT certificate FROM purge_certificates WHERE tenant_id = $1`, id).Scan(&text); err == nil {
		err = json.Unmarshal(text, &c)
	}
	return c, err
}

// purge drops the schema and role of a locked tenant. A tenant that was never live has
// neither: its rollback dropped them. What the registry did not make is never dropped.
func purge(ctx context.Context, tx pgx.Tx, t tenant.Tenant, c *provisioning.PurgeCertificate) error {
	ctx = pgdb.WithoutStatementLimit(ctx)
	made, err := tenantrow.SchemaMade(ctx, tx, t.ID)
	switch {
	case err != nil:
		return err
	case made && t.WasLive():
		// It can own tables that somebody made as the role.
		if err := dbroles.Join(ctx, tx, t.DatabaseRole); err != nil {
			return err
		}
		if err := checkDependents(ctx, tx, t, c); err != nil {
			return err
		}
		if err := countRows(ctx, tx, t.SchemaName, c); err != nil {
			return err
		}
		if err := dropTenantSchema(ctx, tx, t); err != nil {
			return err
		}
	case t.WasLive():
		if err := checkNoSchema(ctx, tx, t); err != nil {
			return err
		}
	}
	if err := deletePersonalData(ctx, tx, t, c); err != nil {
		return err
	}
	for _, statement := range []string{
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

// checkNoSchema returns an error if the schema of a tenant exists, of which tenant_migrations
// has no version: it may be someone else's, and the certificate of a purge would be wrong.
func checkNoSchema(ctx context.Context, tx pgx.Tx, t tenant.Tenant) error {
	var exists bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, t.SchemaName).Scan(&exists)
	if err != nil || !exists {
		return err
	}
	return errs.Errorf(errs.KindPermanent, "purge tenant",
		"tenant_migrations has no version of the schema %s, so it is not dropped; find out who made it: drop it if it is this tenant's, or rename it, and purge again", t.SchemaName)
}

// countRows counts the rows that are about to be deleted. Tables of roles whose privileges this
// user lacks are not counted: they go with the schema.
func countRows(ctx context.Context, tx pgx.Tx, schema string, c *provisioning.PurgeCertificate) error {
	rows, _ := tx.Query(ctx, `SELECT relname FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1)
		AND relkind IN ('r', 'p') AND NOT relispartition AND pg_has_role(relowner, 'USAGE') ORDER BY relname`, schema)
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
	exists, err := dbroles.Exists(ctx, tx, t.DatabaseRole)
	if err != nil || !exists {
		return err
	}
	return dbroles.Drop(ctx, tx, t.DatabaseRole)
}
