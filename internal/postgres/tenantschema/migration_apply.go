package tenantschema

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// AuditMigrate is the event of a tenant schema that was migrated to a newer version.
const AuditMigrate audit.Action = "tenant.migrate"

// migrateTenant brings one tenant to its target: each run of migrations in one transaction with
// the ledger, those without a transaction between them, and privileges, revision and audit event
// with the last. It returns false for a tenant that is there already, or has no schema any more.
// KindTransient when another transaction holds the tenant or its tables.
func (s *Schemas) migrateTenant(ctx context.Context, p pendingTenant, endSessions bool) (migrated bool, err error) {
	const op = "migrate tenant"
	ctx = pgdb.WithoutStatementLimit(ctx)
	m := &oneMigration{schemas: s, target: p.target, id: p.id}
	step := func() error { return s.inMigration(ctx, p.timeout, m.step) }
	for !m.finished && err == nil {
		if m.next == nil {
			err = step()
		} else {
			err = s.buildIndexesThenStep(ctx, m, step)
		}
	}
	if isStatementTimeout(err) && ctx.Err() == nil {
		err = errs.Wrap(err, errs.KindPermanent, op, "%s; it had %v. See what it waits for, or give it more time with --statement-timeout", errs.SafeMessage(err), p.timeout)
	}
	if isLockTimeout(err) {
		err = s.blockedError(ctx, err, p.id, endSessions)
	}
	return m.migrated && err == nil, auditlog.New(s.db).RecordRefused(ctx, p.id, AuditMigrate, pgdb.Classify(err, op))
}

// inMigration runs f in a transaction that waits for locks for a short time only, and whose
// statements end after a time, 0 for any.
func (s *Schemas) inMigration(ctx context.Context, timeout time.Duration, f func(context.Context, pgx.Tx, string) error) error {
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	facts, err := s.facts(ctx, conn.Conn())
	if err != nil {
		return err
	}
	// A migration fills the connection's caches as much as a new tenant does.
	defer pgdb.CountCreatedTenant(conn.Conn())
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true)`, tenantMigrationLockTimeout, timeoutSetting(timeout)); err != nil {
			return err
		}
		return f(ctx, tx, facts.schemaOwner)
	})
}

// timeoutSetting is a timeout as PostgreSQL's settings have it, "0" for none.
func timeoutSetting(d time.Duration) string {
	if d <= 0 {
		return "0"
	}
	return strconv.FormatInt(max(d.Milliseconds(), 1), 10)
}

// oneMigration is the migration of one tenant.
type oneMigration struct {
	schemas *Schemas
	target  *MigrationTarget
	id      uuid.UUID

	tenant   tenant.Tenant
	next     *blueprint.Migration // The one that runs without a transaction; its blueprint is the target's own.
	migrated bool
	finished bool
}

// step applies migrations up to the first that runs without a transaction. The one before the
// step that did is recorded first.
func (m *oneMigration) step(ctx context.Context, tx pgx.Tx, schemaOwner string) error {
	t, found, err := lockForMigration(ctx, tx, m.id)
	if err != nil || !found {
		m.finished = true
		return err
	}
	m.tenant = t
	if err := checkSchemaExists(ctx, tx, t); err != nil {
		return err
	}
	target := m.target.template
	applied, err := appliedVersions(ctx, tx, target, m.id)
	if err == nil {
		err = m.checkHold(ctx, tx, applied[target.Own().Name])
	}
	if err != nil {
		return err
	}
	if m.tenant.Variables, err = target.Own().ResolveVariables(t.Variables); err != nil {
		return errs.Wrap(err, errs.KindPermanent, "migrate tenant", "%s; change the tenant's variables first", errs.SafeMessage(err))
	}
	done := m.next
	m.next = nil
	from, to := applied[target.Own().Name], 0
	for _, b := range target.Blueprints {
		for _, migration := range b.Migrations[min(applied[b.Name], len(b.Migrations)):] {
			if migration.NoTransaction && (done == nil || done.Version != migration.Version) {
				m.next = &migration
				return nil
			}
			if !migration.NoTransaction {
				if err := runMigration(ctx, tx, target, m.tenant, schemaOwner, migration, b.Name == blueprint.StandardName); err != nil {
					return err
				}
			}
			m.migrated = true
			if _, err := tx.Exec(ctx, `INSERT INTO tenant_migrations (tenant_id, blueprint, version, checksum) VALUES ($1, $2, $3, $4)`,
				t.ID, b.Name, migration.Version, migration.Checksum); err != nil {
				return err
			}
			to = migration.Version
		}
	}
	m.finished = true
	return m.finish(ctx, tx, from, max(from, to))
}

// finish brings privileges and revision to the target, and records the migration.
func (m *oneMigration) finish(ctx context.Context, tx pgx.Tx, from, to int) error {
	t, revision := m.tenant, m.target.Revision
	if revision != 0 && (m.migrated || t.BlueprintRevision != revision) && to == m.target.Version {
		before, err := m.schemas.Template(ctx, tx, t)
		if err != nil {
			return err
		}
		m.migrated = true
		names := blueprintsql.Names(t, "")
		statements := m.target.template.RegrantStatements(before)
		if t.Suspended() {
			statements = append(statements, m.target.template.SuspendStatement())
		}
		for _, statement := range statements {
			if _, err := tx.Exec(ctx, names.Replace(statement)); err != nil {
				return lacksFunctionError(err, "migrate tenant", t)
			}
		}
	}
	if !m.migrated {
		return nil
	}
	if _, err := tx.Exec(ctx, `UPDATE tenants SET blueprint_revision = coalesce(nullif($2::int, 0), blueprint_revision), schema_version = $3, updated_at = now(), version = version + 1
		WHERE id = $1`, t.ID, revision, to); err != nil {
		return err
	}
	detail := map[string]any{"from": from, "to": to}
	if revision != 0 {
		detail["blueprint"], detail["revision"] = m.target.Blueprint, revision
	}
	return auditlog.Append(ctx, tx, t.ID, AuditMigrate, detail)
}

// checkSchemaExists returns an error for a tenant whose schema was dropped.
func checkSchemaExists(ctx context.Context, tx pgx.Tx, t tenant.Tenant) error {
	var exists bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, t.SchemaName).Scan(&exists)
	if err == nil && !exists {
		err = errs.Errorf(errs.KindPermanent, "migrate tenant",
			"the schema %s does not exist; restore it from a backup, or, if its data may be lost, run: tenant-api tenants archive %s", t.SchemaName, t.ID)
	}
	return err
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

// appliedVersions are the versions that the tenant's schema has, by blueprint.
func appliedVersions(ctx context.Context, tx pgx.Tx, target *blueprintsql.Template, id uuid.UUID) (map[string]int, error) {
	rows, _ := tx.Query(ctx, `SELECT blueprint, version, checksum FROM tenant_migrations WHERE tenant_id = $1 ORDER BY blueprint, version`, id)
	applied := map[string]int{}
	var (
		name     string
		version  int
		checksum string
	)
	_, err := pgx.ForEachRow(rows, []any{&name, &version, &checksum}, func() error {
		applied[name] = version
		return CheckApplied(target, name, version, checksum)
	})
	if err == nil && len(applied) == 0 {
		err = errs.Errorf(errs.KindPermanent, "migrate tenant",
			"the ledger has no version of the tenant's schema; the registry was changed by hand")
	}
	return applied, err
}

// runMigration runs one migration in a transaction, under the guard.
func runMigration(ctx context.Context, tx pgx.Tx, t *blueprintsql.Template, tenant tenant.Tenant, schemaOwner string, m blueprint.Migration, trusted bool) error {
	all := t.Begin(tenant, schemaOwner, "")
	part := blueprintsql.Part{Migration: m, Statements: m.Up, Trusted: trusted}
	all = append(all, t.Guarded(tenant, schemaOwner, part, func(s blueprint.Statement) string { return s.SQL })...)
	failed, err := blueprintsql.Run(ctx, tx, append(all, t.End(tenant, "")...))
	return blueprintsql.OriginError(failed, err, "migrate tenant")
}
