package publish_test

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const clinicYAML = `apiVersion: healthcare-platform/v1
kind: Blueprint
name: clinic
privileges:
  append_only: [dispensations]
  read_only: [icd10]
`

const clinicSQL = `-- +goose Up
CREATE TABLE patients (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, email text);
CREATE TABLE dispensations (id bigserial PRIMARY KEY, patient_id bigint NOT NULL REFERENCES patients (id), at timestamptz NOT NULL DEFAULT now());
CREATE TABLE icd10 (code text PRIMARY KEY, description text NOT NULL);
INSERT INTO icd10 VALUES ('A00', 'Cholera'), ('A01', 'Typhoid');
CREATE VIEW patients_with_email AS SELECT id, name FROM patients WHERE email IS NOT NULL;
-- +goose StatementBegin
CREATE FUNCTION patient_count() RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT count(*) FROM patients $$;
-- +goose StatementEnd
`

// clinic is the blueprint of these tests with more migrations; a text that begins with "name:" is
// a file of that name.
func clinic(more ...string) fstest.MapFS {
	files := fstest.MapFS{"blueprint.yaml": {Data: []byte(clinicYAML)}, "migrations/0001_clinic.sql": {Data: []byte(clinicSQL)}}
	version := 1
	for _, text := range more {
		if name, content, ok := strings.Cut(text, ":\n"); ok && strings.Contains(name, "/") || ok && name == "blueprint.yaml" {
			files[name] = &fstest.MapFile{Data: []byte(content)}
			continue
		}
		version++
		files[fmt.Sprintf("migrations/%04d_more.sql", version)] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + text)}
	}
	return files
}

func publish(t *testing.T, b postgrestest.Fixture, files fs.FS) blueprint.Revision {
	t.Helper()
	r, err := b.Blueprints.Publish(t.Context(), files, true)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return r
}

// clinicTenant brings a tenant of the blueprint clinic to ACTIVE.
func clinicTenant(b postgrestest.Fixture, in tenant.Inputs) tenant.Tenant {
	b.T.Helper()
	in.Blueprint = "clinic"
	return b.ActiveTenant(in)
}

func TestPublish_TenantGetsIt(t *testing.T) {
	b := postgrestest.Setup(t)
	r := publish(t, b, clinic())
	if r.Number != 1 || r.SchemaVersion != 1 || !r.Active || len(r.Migrations) != 1 || r.Migrations[0].Class != blueprint.ClassOnline {
		t.Errorf("%+v", r)
	}
	if again := publish(t, b, clinic()); again.Number != 1 {
		t.Errorf("equal content is revision %d", again.Number)
	}
	in := postgrestest.Inputs("Clinic")
	made := clinicTenant(b, in)
	if made.BlueprintRevision != 1 || made.Blueprint != "clinic" {
		t.Errorf("%+v", made)
	}
	for object, want := range map[string]string{
		"patients": "DELETE,INSERT,SELECT,UPDATE", "dispensations": "INSERT,SELECT", "icd10": "SELECT", "patients_with_email": "SELECT",
		"users": "DELETE,INSERT,SELECT,UPDATE", "audit_logs": "INSERT,SELECT", "audit_head": "",
	} {
		got := postgrestest.Value[string](b, `SELECT coalesce(string_agg(a.privilege_type, ',' ORDER BY 1), '') FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles g ON g.oid = a.grantee
			WHERE c.oid = ($1 || '.' || $2)::regclass AND g.rolname = $3`, made.SchemaName, object, made.DatabaseRole)
		sorted := strings.Split(got, ",")
		slices.Sort(sorted)
		if strings.Join(sorted, ",") != want {
			t.Errorf("%s: %s, want %s", object, got, want)
		}
	}
	if drift, err := b.Verify(t.Context(), made.ID); err != nil || len(drift) > 0 {
		t.Errorf("%+v, %v", drift, err)
	}
}

// TestPublish_Empty: a blueprint without any table is refused: nothing would say whose its schemas
// are.
func TestPublish_Empty(t *testing.T) {
	b := postgrestest.Setup(t)
	head := "apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: lab\n"
	_, err := b.Blueprints.Publish(t.Context(), fstest.MapFS{"blueprint.yaml": {Data: []byte(head + "extends: none\n")}}, true)
	if errs.KindOf(err) != errs.KindInvalid || !strings.Contains(err.Error(), "blueprint.yaml: extends none and has no migrations") {
		t.Error(err)
	}
	if _, err := b.Blueprints.Publish(t.Context(), fstest.MapFS{"blueprint.yaml": {Data: []byte(head)}}, true); err != nil {
		t.Error(err) // The tables of standard.
	}
}

// TestPublish_Refused: each fault of a blueprint's SQL names file and line, and nothing is left.
func TestPublish_Refused(t *testing.T) {
	b := postgrestest.Setup(t)
	other := b.ActiveTenant(postgrestest.Inputs("Other"))
	for name, c := range map[string]struct{ sql, file, want string }{
		"OtherTenant":     {`SELECT 1;` + "\n" + `INSERT INTO {{other}}.roles (name) VALUES ('x');`, "", "outside of the tenant's schema: {{other}}."},
		"OtherTenantDO":   {`DO $$ BEGIN EXECUTE 'INSERT INTO {{other}}.roles (name) VALUES (''x'')'; END $$;`, "", "outside of the tenant's schema: {{other}}."},
		"OtherTenantFK":   {`CREATE TABLE x (id uuid REFERENCES {{other}}.users (id));`, "", "outside of the tenant's schema: {{other}}.users"},
		"OtherTenantView": {`CREATE VIEW x AS SELECT * FROM {{other}}.users;`, "", "outside of the tenant's schema: {{other}}.users"},
		"Registry":        {`UPDATE public.tenants SET name = 'x';`, "migrations/0002_more.sql:2", "permission denied"},
		"RegistryReset":   {`DO $$ BEGIN EXECUTE 'RES' || 'ET ROLE'; UPDATE public.tenants SET name = 'x'; END $$;`, "migrations/0002_more.sql:2", "changed the role"},
		"RegistryBack":    {`DO $$ DECLARE r text := current_user; BEGIN EXECUTE 'RES' || 'ET ROLE'; UPDATE public.tenants SET name = 'x'; EXECUTE 'SE' || 'T ROLE ' || r; END $$;`, "", "outside of the tenant's schema: tenants"},
		"Role":            {`DO $$ BEGIN EXECUTE 'CREA' || 'TE ROLE x'; END $$;`, "migrations/0002_more.sql:2", "permission denied"},
		"RoleBack":        {`DO $$ DECLARE r text := current_user; BEGIN EXECUTE 'RES' || 'ET ROLE'; EXECUTE 'CREA' || 'TE ROLE blueprint_x'; EXECUTE 'SE' || 'T ROLE ' || r; END $$;`, "", "the server's pg_authid"},
		"Path":            {`DO $$ BEGIN EXECUTE 'SE' || 'T search' || '_path = public'; END $$;`, "migrations/0002_more.sql:2", "changed the role or the search_path"},
		"Syntax":          {"SELECT 1;\n\nCREATE TABEL x (id int);", "migrations/0002_more.sql:4", "syntax error"},
		"Privileges":      {"blueprint.yaml:\n" + strings.Replace(clinicYAML, "icd10", "icd11", 1), "blueprint.yaml", "icd11, which no migration makes"},
		"Grants":          {"blueprint.yaml:\n" + clinicYAML + "grants:\n  - {role: nobody_app, read: all}\n", "blueprint.yaml", "CREATE ROLE \"nobody_app\""},
		"Extension":       {"blueprint.yaml:\n" + clinicYAML + "extensions: [citext]\n", "blueprint.yaml", "CREATE EXTENSION \"citext\" SCHEMA extensions"},
	} {
		t.Run(name, func(t *testing.T) {
			replace := strings.NewReplacer("{{other}}", other.SchemaName)
			_, err := b.Blueprints.Publish(t.Context(), clinic(replace.Replace(c.sql)), true)
			var problems blueprint.Problems
			if errs.KindOf(err) != errs.KindInvalid || !errors.As(err, &problems) || len(problems) != 1 {
				t.Fatalf("%v", err)
			}
			if text := problems.Error(); !strings.HasPrefix(text, c.file) || !strings.Contains(text, replace.Replace(c.want)) {
				t.Errorf("%s", text)
			}
		})
	}
	if n := postgrestest.Value[int](b, `SELECT (SELECT count(*) FROM pg_namespace WHERE starts_with(nspname, 'healthcare_trial_')) + (SELECT count(*) FROM pg_roles WHERE rolname = 'blueprint_x' OR starts_with(rolname, 'healthcare_trial_'))
		+ (SELECT count(*) FROM blueprints) + (SELECT count(*) FROM tenants WHERE name = 'x')`); n != 0 {
		t.Errorf("%d things are left", n)
	}
}

// TestPublish_Classes: what a migration does to tenants in use is found and must be permitted.
func TestPublish_Classes(t *testing.T) {
	const samples = "samples/0001_rows.sql:\nINSERT INTO patients (name) SELECT 'p' || i FROM generate_series(1, 20) i;\nINSERT INTO dispensations (patient_id) SELECT id FROM patients;\n"
	b := postgrestest.Setup(t)
	for name, c := range map[string]struct {
		sql     string
		class   blueprint.Class
		deletes string
	}{
		"NewTable":     {`CREATE TABLE x (id int PRIMARY KEY, patient_id bigint REFERENCES patients (id));`, blueprint.ClassOnline, ""},
		"Column":       {`ALTER TABLE patients ADD COLUMN phone text;`, blueprint.ClassOnline, ""},
		"Default":      {`ALTER TABLE patients ADD COLUMN active boolean NOT NULL DEFAULT true;`, blueprint.ClassOnline, ""},
		"Rewrite":      {`ALTER TABLE patients ADD COLUMN token uuid NOT NULL DEFAULT gen_random_uuid();`, blueprint.ClassRewrites, ""},
		"Type":         {`ALTER TABLE dispensations ALTER COLUMN at TYPE text;`, blueprint.ClassRewrites, ""},
		"NotNull":      {`ALTER TABLE patients ALTER COLUMN name SET NOT NULL, ADD CHECK (length(name) < 100);`, blueprint.ClassScans, ""},
		"Index":        {`CREATE INDEX patients_name ON patients (name);`, blueprint.ClassScans, ""},
		"Update":       {`UPDATE patients SET email = 'x';`, blueprint.ClassScans, ""},
		"ByKey":        {`UPDATE patients SET email = 'x' WHERE id = 1;`, blueprint.ClassOnline, ""},
		"LockedRows":   {"ALTER TABLE patients ADD COLUMN phone text;\nUPDATE patients SET phone = '1' WHERE id = 1;", blueprint.ClassLocks, ""},
		"Lock":         {`LOCK TABLE patients IN SHARE MODE;`, blueprint.ClassLocks, ""},
		"DropColumn":   {`ALTER TABLE patients DROP COLUMN email CASCADE;`, blueprint.ClassOnline, "column patients.email"},
		"DropTable":    {`DROP TABLE dispensations; `, blueprint.ClassOnline, "table dispensations"},
		"Delete":       {`DELETE FROM dispensations WHERE id = 1;`, blueprint.ClassOnline, "rows of dispensations"},
		"Truncate":     {`TRUNCATE dispensations;`, blueprint.ClassOnline, "rows of dispensations"},
		"Concurrently": {"-- +goose NO TRANSACTION\nCREATE INDEX CONCURRENTLY patients_name ON patients (name);", blueprint.ClassOnline, ""},
	} {
		t.Run(name, func(t *testing.T) {
			yaml := "blueprint.yaml:\n" + strings.NewReplacer("name: clinic", "name: c_"+strings.ToLower(name), "[dispensations]", "[]").Replace(clinicYAML)
			sql := c.sql
			publish(t, b, clinic(yaml, samples))
			_, err := b.Blueprints.Publish(t.Context(), clinic(yaml, samples, sql), false)
			if c.class != blueprint.ClassOnline {
				if errs.KindOf(err) != errs.KindInvalid || !strings.Contains(errs.SafeMessage(err), "migrations/0002_more.sql: ") || !strings.Contains(errs.SafeMessage(err), "-- +blueprint allow: "+string(c.class)) {
					t.Fatalf("not refused for its class: %v", err)
				}
				sql = "-- +blueprint allow: " + string(c.class) + "\n" + sql
			}
			r, err := b.Blueprints.Publish(t.Context(), clinic(yaml, samples, sql), false)
			if err != nil {
				t.Fatal(err)
			}
			m := r.Migrations[1]
			if m.Class != c.class || strings.Join(m.DeletesData, ", ") != c.deletes || !m.Sampled {
				t.Errorf("%+v, want %s and %q", m, c.class, c.deletes)
			}
		})
	}
}
