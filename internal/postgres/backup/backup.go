package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
)

// The events of backups, in the tenant's chain.
const (
	AuditCreate  audit.Action = "tenant.backup"
	AuditRestore audit.Action = "tenant.restore"
)

// Options are what the programs of PostgreSQL need.
type Options struct {
	URL    string // Of the database, without a pooler.
	PgDump string // Path of pg_dump; empty: the newest that is installed.
}

// Backups makes and restores backups of tenants.
type Backups struct {
	db      *pgdb.DB
	schemas *tenantschema.Schemas
	options Options
}

// New returns the backups of a database.
func New(db *pgdb.DB, schemas *tenantschema.Schemas, o Options) *Backups {
	return &Backups{db, schemas, o}
}

// tables are the rows of a backup, in the order in which a restore inserts them. They are those of the
// tenant alone.
var tables = []struct{ name, predicate string }{
	{"tenants", "id = $1"}, {"provisioning_logs", "tenant_id = $1"}, {"tenant_migrations", "tenant_id = $1"}, {"tenant_steps", "tenant_id = $1"},
	{"tenant_invitations", "tenant_id = $1"}, {"tenant_contracts", "tenant_id = $1"}, {"audit_events", "tenant_id = $1 ORDER BY seq"},
}

// row is a line of registry.jsonl.
type row struct {
	Table string          `json:"table"`
	Row   json.RawMessage `json:"row"`
}

// Create writes a backup of a tenant with a schema into a folder that does not exist yet. It appears
// under its name when it is complete. KindNotFound for an unknown tenant, KindInvalid for a folder that
// exists and without pg_dump, KindConflict for a tenant without a schema.
func (b *Backups) Create(ctx context.Context, id uuid.UUID, dir string) (m Manifest, err error) {
	const op = "back up tenant"
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		return m, errs.Errorf(errs.KindInvalid, op, "%s exists; name a folder that does not exist yet", dir)
	}
	partial := dir + ".partial"
	if err := os.Mkdir(partial, 0o700); err != nil {
		return m, errs.Wrap(err, errs.KindInvalid, op, "the folder %s cannot be made; if an earlier backup was killed, delete it", partial)
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(partial) // What is left of it is named as partial.
		}
	}()
	if m, err = b.write(ctx, id, partial); err != nil {
		return m, err
	}
	if err := m.write(partial); err != nil {
		return m, fmt.Errorf("%s: %w", op, err)
	}
	if err := os.Rename(partial, dir); err != nil {
		return m, fmt.Errorf("%s: %w", op, err)
	}
	return m, auditlog.New(b.db).Record(ctx, audit.Event{
		TenantID: id, Action: AuditCreate, Outcome: audit.OutcomeDone, Caller: audit.CallerOf(ctx), Detail: map[string]any{"auditSeq": m.Tenant.AuditSeq, "files": m.Files},
	})
}

// write writes all files but the manifest, of one snapshot.
func (b *Backups) write(ctx context.Context, id uuid.UUID, dir string) (m Manifest, err error) {
	const op = "back up tenant"
	pool, err := b.db.ReadyPool(ctx)
	if err != nil {
		return m, err
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return m, pgdb.Classify(err, op)
	}
	defer conn.Release()
	host, port := b.db.Address(conn.Conn())
	p, err := newPrograms(b.options.PgDump, b.options.URL, conn.Conn(), host, port)
	if err != nil {
		return m, err
	}
	err = pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		// The transaction waits for pg_dump.
		if _, err := tx.Exec(ctx, `SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
			return err
		}
		if m, err = readManifest(ctx, tx, id); err != nil {
			return err
		}
		return writeFiles(ctx, tx, p, &m, dir)
	})
	return m, pgdb.Classify(err, op)
}

// readManifest describes a tenant that can be backed up.
func readManifest(ctx context.Context, tx pgx.Tx, id uuid.UUID) (m Manifest, err error) {
	const op = "back up tenant"
	var purged, schema bool
	t := &m.Tenant
	m.Format, m.CreatedAt, t.ID = format, time.Now().UTC().Truncate(time.Second), id
	err = tx.QueryRow(ctx, `SELECT r.id, r.timeline, (SELECT max(version_id) FROM healthcare_migrations WHERE is_applied), current_setting('server_version'),
			t.name, t.status, t.schema_name, t.blueprint, coalesce(t.blueprint_revision, 0), coalesce(v.sha256, ''), coalesce(t.schema_version, 0), t.audit_seq, coalesce(encode(t.audit_head, 'hex'), ''),
			t.purged_at IS NOT NULL, EXISTS (SELECT FROM pg_namespace WHERE nspname = t.schema_name) AND EXISTS (SELECT FROM tenant_migrations g WHERE g.tenant_id = t.id)
		FROM registry r, tenants t LEFT JOIN blueprint_revisions v ON v.blueprint = t.blueprint AND v.revision = t.blueprint_revision WHERE t.id = $1`, id).Scan(
		&m.Registry, &m.Timeline, &m.RegistryVersion, &m.Server, &t.Name, &t.Status, &t.SchemaName, &t.Blueprint, &t.Revision, &t.SHA256, &t.SchemaVersion, &t.AuditSeq, &t.AuditHead, &purged, &schema)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return m, errs.Errorf(errs.KindNotFound, op, "there is no tenant %s", id)
	case err != nil:
		return m, err
	case purged:
		return m, errs.Errorf(errs.KindConflict, op, "the tenant was purged, so there is nothing to back up")
	case !schema:
		return m, errs.Errorf(errs.KindConflict, op, "the tenant is %s and has no schema, so there is nothing to back up", t.Status)
	}
	return m, nil
}

// writeFiles writes the rows, the blueprint and the schema of the transaction's snapshot.
func writeFiles(ctx context.Context, tx pgx.Tx, p programs, m *Manifest, dir string) error {
	var err error
	if m.Program, err = p.version(ctx); err != nil {
		return err
	}
	if err := writeRows(ctx, tx, m.Tenant.ID, dir); err != nil {
		return err
	}
	if m.Tenant.SHA256 != "" {
		var archive []byte
		err := tx.QueryRow(ctx, `SELECT files FROM blueprint_revisions WHERE blueprint = $1 AND revision = $2`, m.Tenant.Blueprint, m.Tenant.Revision).Scan(&archive)
		if err == nil {
			err = writeFile(dir, blueprintFile, archive)
		}
		if err != nil {
			return err
		}
	}
	var snapshot, owner string
	if err := tx.QueryRow(ctx, `SELECT pg_export_snapshot(), schema_owner FROM registry`).Scan(&snapshot, &owner); err != nil {
		return err
	}
	file := filepath.Join(dir, schemaFile)
	if err := writeFile(dir, schemaFile, nil); err != nil { // So that pg_dump finds it readable by this user alone.
		return err
	}
	if err := p.dumpSchema(ctx, m.Tenant.SchemaName, snapshot, owner, file); err != nil {
		return err
	}
	for _, name := range m.needed() {
		f, err := describe(dir, name)
		if err != nil {
			return err
		}
		m.Files = append(m.Files, f)
	}
	return nil
}

// writeRows writes the tenant's rows of the registry.
func writeRows(ctx context.Context, tx pgx.Tx, id uuid.UUID, dir string) (err error) {
	out, err := os.OpenFile(filepath.Join(dir, registryFile), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // The operator's own folder.
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	lines := json.NewEncoder(out)
	for _, t := range tables {
		rows, _ := tx.Query(ctx, `SELECT to_jsonb(r)::text FROM (SELECT * FROM `+t.name+` WHERE `+t.predicate+`) r`, id)
		var text string
		if _, err := pgx.ForEachRow(rows, []any{&text}, func() error {
			return lines.Encode(row{t.name, json.RawMessage(text)})
		}); err != nil {
			return err
		}
	}
	return out.Sync()
}
