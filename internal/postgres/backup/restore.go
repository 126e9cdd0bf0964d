package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
)

// Restored says what a restore has done.
type Restored struct {
	Manifest
	// Rows reports whether the rows of the registry were restored as well. Otherwise the tenant was known,
	// and only its schema was missing.
	Rows bool
}

// maxRow limits a row of the registry in a backup, in bytes.
const maxRow = 64 << 20

// Restore makes the tenant of a backup again. It can be repeated after an interruption. KindInvalid for a
// damaged backup, and for one of another release; KindConflict when there is something that it would
// write over, and when the blueprint's revision is not published here.
//
// moveTo is the new name of a schema that the tenant has now, such as a damaged one; empty: a schema
// with objects is an error. Nobody but the owner reaches it under its new name.
func (b *Backups) Restore(ctx context.Context, dir, moveTo string) (r Restored, err error) {
	const op = "restore tenant"
	if r.Manifest, err = Read(dir); err != nil {
		return r, err
	}
	pool, err := b.db.ReadyPool(ctx)
	if err != nil {
		return r, err
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return r, pgdb.Classify(err, op)
	}
	host, port := b.db.Address(conn.Conn())
	p, err := newPrograms(b.options.PgDump, b.options.URL, conn.Conn(), host, port)
	database := conn.Conn().Config().Database
	conn.Release()
	if err != nil {
		return r, err
	}
	var owner string
	if err := b.db.InTx(ctx, op, func(tx pgx.Tx) (err error) {
		if err := tx.QueryRow(ctx, `SELECT schema_owner FROM registry`).Scan(&owner); err != nil {
			return err
		}
		r.Rows, err = prepare(ctx, tx, r.Manifest, source{dir: dir, owner: owner, moveTo: moveTo})
		return err
	}); err != nil {
		return r, err
	}
	if err := p.restoreSchema(ctx, r.Tenant.SchemaName, owner, database, filepath.Join(dir, schemaFile)); err != nil {
		return r, err
	}
	return r, b.schemas.RepairRole(ctx, r.Tenant.ID)
}

// source is where a restore reads, and what it does with what is there.
type source struct {
	dir    string
	owner  string // The schema owner.
	moveTo string // The new name of the tenant's present schema; empty: none.
}

// prepare makes the empty schema, and the rows of a tenant that is unknown here.
func prepare(ctx context.Context, tx pgx.Tx, m Manifest, s source) (rows bool, err error) {
	const op = "restore tenant"
	t := m.Tenant
	var purged bool
	var schema string
	err = tx.QueryRow(ctx, `SELECT schema_name, purged_at IS NOT NULL FROM tenants WHERE id = $1 FOR UPDATE`, t.ID).Scan(&schema, &purged)
	switch rows = errors.Is(err, pgx.ErrNoRows); {
	case err != nil && !rows:
		return rows, err
	case purged:
		return rows, errs.Errorf(errs.KindConflict, op, "the tenant %s was purged in this registry: its data were deleted on purpose; restore it into another registry", t.ID)
	case !rows && schema != t.SchemaName:
		return rows, errs.Errorf(errs.KindConflict, op, "the tenant %s has the schema %s here, and the backup has %s; it is the backup of another tenant", t.ID, schema, t.SchemaName)
	}
	if err := makeSchema(ctx, tx, t, s, rows); err != nil {
		return rows, err
	}
	if rows {
		if err := insertRows(ctx, tx, m, s.dir); err != nil {
			return rows, err
		}
		if err := checkRoleFree(ctx, tx, t.ID); err != nil {
			return rows, err
		}
	}
	return rows, auditlog.Append(ctx, tx, t.ID, AuditRestore, map[string]any{"createdAt": m.CreatedAt, "registry": m.Registry, "auditSeq": t.AuditSeq, "rows": rows})
}

// makeSchema makes the schema, or finds it empty. What is in the way of a known tenant gets another name.
func makeSchema(ctx context.Context, tx pgx.Tx, t Tenant, s source, unknown bool) error {
	const op = "restore tenant"
	var used, exists bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1),
			EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1)`, t.SchemaName).Scan(&exists, &used); err != nil {
		return err
	}
	switch {
	case unknown && exists:
		return errs.Errorf(errs.KindConflict, op, "the schema %s exists, and is not that of a tenant of this registry; rename it first", t.SchemaName)
	case used && s.moveTo == "":
		return errs.Errorf(errs.KindConflict, op, "the schema %s exists, and a restore writes over nothing. If the tenant was restored before, tenant-api tenants verify %s shows its state. To restore it in place of this schema, name what that is to be called from now on: --move-existing-to NAME", t.SchemaName, t.ID)
	case used:
		if err := moveSchema(ctx, tx, t, s.moveTo); err != nil {
			return err
		}
	case exists:
		return nil
	}
	_, err := tx.Exec(ctx, `CREATE SCHEMA `+pgx.Identifier{t.SchemaName}.Sanitize()+` AUTHORIZATION `+pgx.Identifier{s.owner}.Sanitize())
	return err
}

// moveSchema renames the tenant's present schema, and takes its privileges in it from the tenant's role,
// and those on the schema from all.
func moveSchema(ctx context.Context, tx pgx.Tx, t Tenant, to string) error {
	if to == t.SchemaName || len(to) > maxIdentifier || strings.HasPrefix(to, "pg_") {
		return errs.Errorf(errs.KindInvalid, "restore tenant", "%q cannot be the new name of the schema %s; give another one of at most %d bytes", to, t.SchemaName, maxIdentifier)
	}
	if _, err := tx.Exec(ctx, `ALTER SCHEMA `+pgx.Identifier{t.SchemaName}.Sanitize()+` RENAME TO `+pgx.Identifier{to}.Sanitize()); err != nil {
		return err
	}
	rows, _ := tx.Query(ctx, `SELECT DISTINCT format('REVOKE ALL ON SCHEMA %I FROM %s', n.nspname, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END)
			FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = $1 AND a.grantee <> n.nspowner
		UNION ALL SELECT format('REVOKE ALL ON ALL %s IN SCHEMA %I FROM %I', kind, $1::text, r.rolname) FROM tenants t JOIN pg_roles r ON r.rolname = `+tenantrow.RoleName("t")+`, unnest('{TABLES,SEQUENCES,ROUTINES}'::text[]) AS kind WHERE t.id = $2`, to, t.ID)
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, statement := range statements {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// maxIdentifier is the longest name in PostgreSQL, in bytes.
const maxIdentifier = 63

// insertRows inserts the rows of the registry.
func insertRows(ctx context.Context, tx pgx.Tx, m Manifest, dir string) error {
	const op = "restore tenant"
	var version int64
	if err := tx.QueryRow(ctx, `SELECT max(version_id) FROM healthcare_migrations WHERE is_applied`).Scan(&version); err != nil {
		return err
	}
	if version != m.RegistryVersion {
		return errs.Errorf(errs.KindInvalid, op, "the backup is of a registry at version %d, and this one is at %d; restore it with the release that made it into a registry of that release, and upgrade that", m.RegistryVersion, version)
	}
	revision, err := publishedRevision(ctx, tx, m, dir)
	if err != nil {
		return err
	}
	in, err := os.Open(filepath.Join(dir, registryFile)) //nolint:gosec // The operator's own folder.
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }() // It was only read.
	lines := json.NewDecoder(in)
	for last := int64(0); ; last = lines.InputOffset() {
		var r row
		err := lines.Decode(&r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && lines.InputOffset()-last > maxRow {
			err = errors.New("the row is too long")
		}
		if err != nil {
			return errs.Wrap(err, errs.KindInvalid, op, "%s of the backup is damaged; take another copy of it", registryFile)
		}
		if err := insertRow(ctx, tx, r, m.Tenant.ID, revision); err != nil {
			return err
		}
	}
}

// checkRoleFree returns an error if the server has the tenant's role: roles are those of a server, not of
// a database, so the tenant of another registry has it, whose logins would reach both.
func checkRoleFree(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	var role string
	err := tx.QueryRow(ctx, `SELECT r.rolname FROM tenants t JOIN pg_roles r ON r.rolname = `+tenantrow.RoleName("t")+` WHERE t.id = $1`, id).Scan(&role)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return errs.Errorf(errs.KindConflict, "restore tenant", "the role %s exists on this server: the tenant is in another database of it, or was; restore it on another server, or drop the role if nothing needs it", role)
}

// publishedRevision returns the number that the revision of the backup has here, nil for standard.
func publishedRevision(ctx context.Context, tx pgx.Tx, m Manifest, dir string) (revision *int, err error) {
	if m.Tenant.SHA256 == "" {
		return nil, nil //nolint:nilnil // Standard has no revisions.
	}
	err = tx.QueryRow(ctx, `SELECT revision FROM blueprint_revisions WHERE blueprint = $1 AND sha256 = $2`, m.Tenant.Blueprint, m.Tenant.SHA256).Scan(&revision)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, errs.Errorf(errs.KindConflict, "restore tenant", "the revision of the blueprint %s that the tenant has is not published here; run: tenant-api blueprints publish %s", m.Tenant.Blueprint, filepath.Join(dir, blueprintFile))
	}
	return revision, err
}

// replaced are the columns whose values belong to the registry of the backup: its runs, jobs and feed.
var replaced = map[string]map[string]any{
	"tenants":      {"run_owner": nil, "run_expires_at": nil, "run_lease": nil, "job_id": nil, "last_job_id": nil, "move_job_id": nil},
	"audit_events": {"position": nil},
}

// insertRow inserts one row of the tenant.
func insertRow(ctx context.Context, tx pgx.Tx, r row, id uuid.UUID, revision *int) error {
	const op = "restore tenant"
	columns := map[string]any{}
	decoder := json.NewDecoder(strings.NewReader(string(r.Row)))
	decoder.UseNumber()
	if err := decoder.Decode(&columns); err != nil {
		return errs.Wrap(err, errs.KindInvalid, op, "%s of the backup is damaged; take another copy of it", registryFile)
	}
	key := "tenant_id"
	if r.Table == "tenants" {
		key = "id"
		columns["blueprint_revision"] = revision
	}
	if !slices.ContainsFunc(tables, func(t struct{ name, predicate string }) bool { return t.name == r.Table }) || columns[key] != id.String() {
		return errs.Errorf(errs.KindInvalid, op, "%s of the backup has a row that is not the tenant's; take another copy of it", registryFile)
	}
	for name, value := range replaced[r.Table] {
		columns[name] = value
	}
	text, err := json.Marshal(columns)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, fmt.Sprintf(`INSERT INTO %[1]s SELECT * FROM jsonb_populate_record(NULL::%[1]s, $1)`, r.Table), string(text)); err != nil {
		return fmt.Errorf("insert into %s: %w", r.Table, err)
	}
	return nil
}
