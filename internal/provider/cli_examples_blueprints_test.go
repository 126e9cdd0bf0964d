package provider_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runBlueprints goes through the guide: three files become three tenants, a fourth file reaches
// them, and back.
func runBlueprints(t *testing.T, w *testEnv) {
	const guide = "guides/blueprints/"
	w.remove("main.tf")
	for _, name := range []string{"patients.sql", "appointments.sql", "invoices.sql", "main.tf", "first.sh", "tenants.sh", "fourth.sh", "back.sh", "mail.sh"} {
		w.copyExample(guide+name, name)
	}
	w.mustShell("-eu", "first.sh").wantText(t, "Blueprint practice, not published, schema version 3", "revision 1, active, schema version 3", "locks patients: ShareRowExclusiveLock")
	w.mustShell("-eu", "tenants.sh").wantText(t, "3 added, 0 changed, 0 destroyed", "Harbour Practice", "Hill Practice", "Riverside Practice", "3 of 3 tenants")
	w.assertNoChanges()

	w.mustShell("-eu", "fourth.sh").wantText(t, "revision 2, active, schema version 4", "3 tenants to migrate; nothing was changed",
		"Blueprint practice, revision 2, schema version 4: 3 tenants to migrate.", "3 of 3 tenants migrated, 0 failed", "3 tenants checked, 0 findings")
	for _, name := range []string{"Harbour Practice", "Hill Practice", "Riverside Practice"} {
		w.exec(`INSERT INTO "` + w.registry.Named(name).SchemaName + `".patients (name, born, phone) VALUES ('Joan', '1970-01-01', '1')`)
	}
	w.mustShell("-eu", "back.sh").wantText(t, "get revision 1", "makes no new tenants", "get revision 2", "revision 2 is active; 3 tenants, 0 behind")

	w.copyExample(guide+"changed_at.sql", "practice/migrations/0005_changed_at.sql")
	w.mustShell("-euc", "tenant-api blueprints publish ./practice --activate; tenant-api tenants migrate --blueprint practice; tenant-api tenants verify --offline").
		wantText(t, "migrations/0005_changed_at.sql", "3 of 3 tenants migrated, 0 failed", "3 tenants checked, 0 findings")
	if got := w.text(`UPDATE "` + w.registry.Named("Hill Practice").SchemaName + `".patients SET phone = '2' RETURNING (changed_at IS NOT NULL)::text`); got != "true" {
		t.Errorf("the trigger has set changed_at: %s", got)
	}

	if err := os.CopyFS(w.dir+"/clinic", os.DirFS(exampleFolder(t, "blueprints/clinic"))); err != nil {
		t.Fatal(err)
	}
	w.mustShell("-eu", "mail.sh")
	if html := w.read("previews/preview-welcome.de-AT.html"); !strings.Contains(html, "Passwort wählen") {
		t.Errorf("the preview is %s", html)
	}
	w.assertNoChanges()
	w.destroyAll()
}

// runAdoption brings the migrations of a platform's tools into a blueprint, and its schemas under
// it.
func runAdoption(t *testing.T, w *testEnv) {
	const guide = "guides/blueprints/"
	platform := readMigrations(t)
	w.exec(`DO $$ BEGIN CREATE ROLE hospital_app NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$`)
	w.mustShell("-euc", "tenant-api blueprints validate '"+exampleFolder(t, "blueprints/hospital")+"'").wantText(t, "Blueprint hospital, not published, schema version 8")
	for tool, files := range map[string]map[string]string{
		"goose": platform.goose(), "flyway": platform.flyway(), "prisma": platform.prisma(), "liquibase": platform.liquibase(),
	} {
		version := "schema version 8"
		if tool == "flyway" {
			version = "schema version 9" // With the repeatable one.
		}
		files["hospital/blueprint.yaml"] = example(t, "blueprints/hospital/blueprint.yaml")
		files[tool+".sh"] = example(t, guide+tool+".sh")
		dir := w.writeFiles(tool, files)
		if tool == "liquibase" {
			if err := os.Chmod(filepath.Join(dir, "bin/liquibase"), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		w.mustShell("-euc", "cd "+tool+"; PATH=$PWD/bin:$PATH EMPTY_DATABASE_URL=x sh -eu "+tool+".sh").wantText(t, "Blueprint hospital, not published, "+version)
	}

	assertVersions(t, w)
	for name, version := range map[string]int{"hospital_0001": 8, "hospital_0002": 7} {
		_, err := w.pg.PgConn().Exec(t.Context(), "CREATE SCHEMA "+name+"; SET search_path = "+name+";"+strings.Join(platform.sql[:version], "\n")+
			"CREATE TABLE databasechangelog (id text); INSERT INTO users (login, password_hash) VALUES ('ada', 'x'); SET search_path = public").ReadAll()
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(w.dir+"/hospital", os.DirFS(w.dir+"/liquibase/hospital")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"hospitals.csv", "adopt.sh", "ninth.sh"} {
		w.copyExample(guide+name, name)
	}
	w.mustShell("-eu", "adopt.sh").wantText(t, "revision 1, active, schema version 8", "2 of 2 schemas can be adopted", "2 of 2 schemas adopted, 0 were adopted before, 0 failed",
		"schema version 8: 1 tenant to migrate.", "1 of 1 tenants migrated, 0 failed", "2 tenants checked, 0 findings")
	w.mustShell("-eu", "ninth.sh").wantText(t, "revision 2, active, schema version 9", "2 of 2 tenants migrated, 0 failed")
	w.mustShell("-euc", "tenant-api tenants verify").wantText(t, "2 tenants checked, 0 findings")
	if got := w.text(`SELECT string_agg(login, ' ') FROM hospital_0001.users`); got != "ada" {
		t.Errorf("the users are %q", got)
	}
}

// assertVersions asks the history of each tool, with seven migrations, how many there are.
func assertVersions(t *testing.T, w *testEnv) {
	t.Helper()
	const history = `CREATE SCHEMA hospital_0002; SET LOCAL search_path = hospital_0002;
CREATE TABLE goose_db_version (id serial, version_id bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamptz DEFAULT now());
INSERT INTO goose_db_version (version_id, is_applied) SELECT CASE i WHEN 0 THEN 0 ELSE 20240105101500 + i END, true FROM generate_series(0, 7) i;
CREATE TABLE flyway_schema_history (installed_rank int, version varchar(50), description varchar(200), type varchar(20), success boolean);
INSERT INTO flyway_schema_history SELECT i, nullif(i, 8)::text, 'x', 'SQL', true FROM generate_series(1, 8) i;
CREATE TABLE databasechangelog (id varchar(255), author varchar(255), filename varchar(255));
INSERT INTO databasechangelog SELECT i::text, 'ada', 'x' FROM generate_series(1, 7) i;
CREATE TABLE _prisma_migrations (id varchar(36), migration_name varchar(255), finished_at timestamptz, rolled_back_at timestamptz);
INSERT INTO _prisma_migrations SELECT i::text, 'x', CASE WHEN i < 9 THEN now() END, CASE WHEN i = 8 THEN now() END FROM generate_series(1, 9) i;
`
	results, err := w.pg.PgConn().Exec(t.Context(), "BEGIN;"+history+example(t, "guides/blueprints/version.sql")+"ROLLBACK").ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	counts := 0
	for _, result := range results {
		if len(result.Rows) != 1 {
			continue
		}
		if counts++; string(result.Rows[0][0]) != "7" {
			t.Errorf("count %d is %s, not 7", counts, result.Rows[0][0])
		}
	}
	if counts != 4 {
		t.Errorf("%d counts", counts)
	}
}

// migrations are those of examples/blueprints/hospital.
type migrations struct {
	names []string // people.sql
	sql   []string // Without annotations.
	files []string // As they are.
}

func readMigrations(t *testing.T) (m migrations) {
	t.Helper()
	paths, err := filepath.Glob("../../examples/blueprints/hospital/migrations/*.sql")
	if err != nil || len(paths) != 8 {
		t.Fatalf("%d migrations, %v", len(paths), err)
	}
	for _, path := range paths {
		_, name, _ := strings.Cut(filepath.Base(path), "_")
		text := example(t, "blueprints/hospital/migrations", filepath.Base(path))
		var sql strings.Builder
		for line := range strings.Lines(text) {
			if !strings.HasPrefix(line, "-- +goose") {
				sql.WriteString(line)
			}
		}
		m.names, m.sql, m.files = append(m.names, name), append(m.sql, sql.String()), append(m.files, text)
	}
	return m
}
