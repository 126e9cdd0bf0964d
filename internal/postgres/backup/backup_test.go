//go:build unix

package backup_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/backup"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// fixture is a registry on a server of its own, and the backups in it.
type fixture struct {
	postgrestest.Fixture
	backups *backup.Backups
	dumps   string // Path of pg_dump.
	url     string
}

func open(t *testing.T, server *pgserver.Server, name string) (f fixture) {
	t.Helper()
	if err := server.CreateDatabase(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	f.url, f.dumps = server.OwnerURL(name), filepath.Join(server.Binaries(), "pg_dump")
	f.Fixture = postgrestest.Open(t, pgdb.Options{URL: f.url})
	f.Must(testenv.Migrate(t.Context(), f.url))
	f.backups = backup.New(f.DB.DB, f.Schemas, backup.Options{URL: f.url, PgDump: f.dumps})
	return f
}

// live makes a tenant that is live and has a user more than the administrator.
func (f fixture) live(name string) tenant.Tenant {
	f.T.Helper()
	t := f.ActiveTenant(postgrestest.Inputs(name))
	f.ExecScript(`INSERT INTO ` + t.SchemaName + `.users (email, first_name, last_name, role_id) SELECT 'bob@clinic.example', 'Bob', 'B', id FROM ` + t.SchemaName + `.roles WHERE name = 'viewer'`)
	return t
}

// contents are the rows of a tenant's schema, and of its chain.
func (f fixture) contents(t tenant.Tenant) map[string]string {
	f.T.Helper()
	text := map[string]string{}
	for _, table := range []string{"roles", "users", "audit_logs"} {
		text[table] = postgrestest.Value[string](f.Fixture, `SELECT coalesce(string_agg(to_jsonb(r)::text, E'\n' ORDER BY id), '') FROM `+t.SchemaName+`.`+table+` r`)
	}
	return text
}

// wantSound checks that a restored tenant is as it was.
func (f fixture) wantSound(t tenant.Tenant, want map[string]string) {
	f.T.Helper()
	for table, text := range f.contents(t) {
		if text != want[table] {
			f.T.Errorf("%s is %s, want %s", table, text, want[table])
		}
	}
	findings, err := f.Verify(f.T.Context(), t.ID)
	f.Must(err)
	if len(findings) > 0 {
		f.T.Errorf("verify finds %+v", findings)
	}
	f.VerifiedChain(t.ID)
}

func wantError(t *testing.T, err error, kind errs.Kind, text string) {
	t.Helper()
	if errs.KindOf(err) != kind || !strings.Contains(err.Error(), text) {
		t.Errorf("%v (%v), want %v with %q", err, errs.KindOf(err), kind, text)
	}
}

// TestBackup: a tenant is restored in its own registry, where its schema was lost, and in another one on
// another server, with its chain.
func TestBackup(t *testing.T) {
	t.Parallel()
	from, to := testenv.DumpServers(t)
	ctx := t.Context()
	source := open(t, from, "source")
	clinic := source.live("Clinic")
	other := source.live("Other")
	before, others := source.contents(clinic), source.contents(other)
	dir := filepath.Join(t.TempDir(), "backup")
	m, err := source.backups.Create(ctx, clinic.ID, dir)
	source.Must(err)
	if m.Tenant.SchemaName != clinic.SchemaName || len(m.Files) != 2 || m.Tenant.AuditSeq == 0 || !strings.HasPrefix(m.Program, "pg_dump") {
		t.Errorf("%+v", m)
	}
	for _, name := range []string{"", "manifest.json", "registry.jsonl", "schema.dump"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if text, err := os.ReadFile(filepath.Join(dir, "registry.jsonl")); err != nil || strings.Contains(string(text), "Other") || !strings.Contains(string(text), "tenant.create") {
		t.Errorf("%v: %s", err, text)
	}
	_, err = source.backups.Restore(ctx, dir, "")
	wantError(t, err, errs.KindConflict, "a restore writes over nothing")
	source.wantSound(clinic, before)

	source.Exec(`DROP SCHEMA ` + clinic.SchemaName + ` CASCADE`)
	restored, err := source.backups.Restore(ctx, dir, "")
	source.Must(err)
	if restored.Rows {
		t.Error("the registry's rows were restored although it had newer ones")
	}
	source.wantSound(clinic, before)
	source.wantSound(other, others)

	source.ExecScript(`DELETE FROM ` + clinic.SchemaName + `.users WHERE first_name = 'Bob'`) // By mistake.
	_, err = source.backups.Restore(ctx, dir, clinic.SchemaName)
	wantError(t, err, errs.KindInvalid, "cannot be the new name of the schema")
	_, err = source.backups.Restore(ctx, dir, "Without Bob")
	source.Must(err)
	source.wantSound(clinic, before)
	if n := postgrestest.Value[int](source.Fixture, `SELECT count(*) FROM "Without Bob".users`); n != 1 {
		t.Errorf("%d users in the schema of before", n)
	}

	target := open(t, to, "target")
	restored, err = target.backups.Restore(ctx, dir, "")
	target.Must(err)
	if !restored.Rows {
		t.Error("the registry's rows were not restored")
	}
	target.wantSound(clinic, before)
	found, err := target.Get(ctx, clinic.ID)
	target.Must(err)
	if found.Name != "Clinic" || found.Status != tenant.StatusActive || found.ContractID != clinic.ContractID || !found.CreatedAt.Equal(clinic.CreatedAt) {
		t.Errorf("%+v, want %+v", found, clinic)
	}
	if actions := postgrestest.Value[string](target.Fixture, `SELECT string_agg(action, ' ' ORDER BY seq) FROM audit_events WHERE tenant_id = $1`, clinic.ID); !strings.HasSuffix(actions, "tenant.activate tenant.restore tenant.repair") {
		t.Errorf("%s", actions)
	}
	_, err = target.backups.Restore(ctx, dir, "")
	wantError(t, err, errs.KindConflict, "tenant-api tenants verify "+clinic.ID.String())
}

// publish publishes a blueprint with a table, a view, a function and rows of its own.
func (f fixture) publish(more string) {
	f.T.Helper()
	_, err := f.Blueprints.Publish(f.T.Context(), fstest.MapFS{
		"blueprint.yaml": {Data: []byte("apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: org\n")},
		"migrations/0001_org.sql": {Data: []byte(`-- +goose Up
CREATE TABLE patients (id bigserial PRIMARY KEY, name text NOT NULL` + more + `);
ALTER TABLE patients ENABLE ROW LEVEL SECURITY;
CREATE POLICY none ON patients USING (false);
CREATE VIEW names AS SELECT name FROM patients;
-- +goose StatementBegin
CREATE FUNCTION patient_count() RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT count(*) FROM patients $$;
-- +goose StatementEnd
INSERT INTO patients (name) VALUES ('first');
`)},
	}, true)
	f.Must(err)
}

// TestBackup_Blueprint: the revision of the blueprint is found by its content, and rows that a policy
// hides are in the backup.
func TestBackup_Blueprint(t *testing.T) {
	t.Parallel()
	from, to := testenv.DumpServers(t)
	ctx := t.Context()
	source, target := open(t, from, "source"), open(t, to, "target")
	source.publish("")
	inputs := postgrestest.Inputs("Organisation")
	inputs.Blueprint = "org"
	org := source.ActiveTenant(inputs)
	dir := filepath.Join(t.TempDir(), "backup")
	_, err := source.backups.Create(ctx, org.ID, dir)
	source.Must(err)

	target.publish(", birthday date") // Another revision.
	_, err = target.backups.Restore(ctx, dir, "")
	wantError(t, err, errs.KindConflict, "tenant-api blueprints publish "+filepath.Join(dir, "blueprint.tar.gz"))
	target.Exec(`DELETE FROM blueprint_fingerprints`)
	target.Exec(`UPDATE blueprints SET active_revision = NULL`)
	target.Exec(`DELETE FROM blueprint_revisions`)
	target.publish("")
	restored, err := target.backups.Restore(ctx, dir, "")
	target.Must(err)
	if !restored.Rows {
		t.Error("the registry's rows were not restored")
	}
	target.wantSound(org, source.contents(org))
	if n := postgrestest.Value[int](target.Fixture, `SELECT count(*) FROM `+org.SchemaName+`.patients`); n != 1 {
		t.Errorf("%d patients", n)
	}
}

// TestBackup_Refused: what is not there, damaged, or of another registry changes nothing.
func TestBackup_Refused(t *testing.T) {
	t.Parallel()
	from, _ := testenv.DumpServers(t)
	ctx := t.Context()
	b := open(t, from, "source")
	clinic := b.live("Clinic")
	dir := filepath.Join(t.TempDir(), "backup")

	_, err := b.backups.Create(ctx, uuid.New(), dir)
	wantError(t, err, errs.KindNotFound, "there is no tenant")
	_, err = b.backups.Create(ctx, b.ClaimNew(postgrestest.Inputs("New")).Tenant.ID, dir)
	wantError(t, err, errs.KindConflict, "has no schema")
	_, err = b.backups.Create(ctx, clinic.ID, t.TempDir())
	wantError(t, err, errs.KindInvalid, "name a folder that does not exist yet")
	without := backup.New(b.DB.DB, b.Schemas, backup.Options{URL: b.url, PgDump: "/nonexistent/pg_dump"})
	_, err = without.Create(ctx, clinic.ID, dir)
	wantError(t, err, errs.KindInvalid, "/nonexistent/pg_dump")
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if _, err = b.backups.Create(stopped, clinic.ID, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if left, _ := filepath.Glob(dir + "*"); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}

	_, err = b.backups.Create(ctx, clinic.ID, dir)
	b.Must(err)
	b.Exec(`DROP SCHEMA ` + clinic.SchemaName + ` CASCADE`)
	_, err = b.backups.Restore(ctx, t.TempDir(), "")
	wantError(t, err, errs.KindInvalid, "has no manifest.json")
	for name, text := range map[string]string{"schema.dump": "schema.dump of the backup was changed", "manifest.json": "manifest.json in", "registry.jsonl": "registry.jsonl of the backup was changed"} {
		damaged := copyOf(t, dir)
		if err := os.WriteFile(filepath.Join(damaged, name), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = b.backups.Restore(ctx, damaged, "")
		wantError(t, err, errs.KindInvalid, text)
	}
	newer := copyOf(t, dir)
	change(t, newer, func(m map[string]any) { m["format"] = 2 })
	_, err = b.backups.Restore(ctx, newer, "")
	wantError(t, err, errs.KindInvalid, "the format 2")

	// Another registry on the same server would share the tenant's role.
	second := open(t, from, "second")
	_, err = second.backups.Restore(ctx, dir, "")
	wantError(t, err, errs.KindConflict, "exists on this server")
	if n := postgrestest.Value[int](second.Fixture, `SELECT count(*) FROM tenants`); n != 0 {
		t.Errorf("%d tenants are left of the restore", n)
	}
	older := copyOf(t, dir)
	change(t, older, func(m map[string]any) { m["registryVersion"] = 0 })
	_, err = second.backups.Restore(ctx, older, "")
	wantError(t, err, errs.KindInvalid, "the backup is of a registry at version 0")

	_, err = b.backups.Restore(ctx, dir, "")
	b.Must(err)
	_, err = b.Archive(ctx, clinic.ID)
	b.Must(err)
	_, err = b.Purge(ctx, clinic.ID, 0)
	b.Must(err)
	_, err = b.backups.Restore(ctx, dir, "")
	wantError(t, err, errs.KindConflict, "was purged in this registry")
	_, err = b.backups.Create(ctx, clinic.ID, dir+"2")
	wantError(t, err, errs.KindConflict, "was purged")
}

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// change changes the manifest of a backup.
func change(t *testing.T, dir string, f func(m map[string]any)) {
	t.Helper()
	file := filepath.Join(dir, "manifest.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	f(m)
	if text, err = json.Marshal(m); err == nil {
		err = os.WriteFile(file, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
