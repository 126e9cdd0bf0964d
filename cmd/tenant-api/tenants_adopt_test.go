//go:build unix

package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// The platform that is adopted: tenants made by goose, with users of its own, a backend role, a
// partitioned table, a view and a function.
var platformMigrations = []string{
	`CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, login text NOT NULL UNIQUE, role text NOT NULL DEFAULT 'user');
CREATE TABLE patients (id bigserial PRIMARY KEY, name text NOT NULL, created_by bigint REFERENCES users (id));`,
	`CREATE TABLE measurements (patient_id bigint NOT NULL, at timestamptz NOT NULL, value numeric) PARTITION BY RANGE (at);
CREATE TABLE measurements_2026 PARTITION OF measurements FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE INDEX patients_name ON patients (name);`,
	`CREATE VIEW newest AS SELECT patient_id, max(at) AS at FROM measurements GROUP BY patient_id;
CREATE FUNCTION patient_count() RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT count(*) FROM patients $$;`,
}

// platformBlueprint is the folder of the blueprint that has these migrations.
func platformBlueprint(t *testing.T, backend string) string {
	t.Helper()
	files := map[string]string{"blueprint.yaml": "apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: platform\nextends: none\n" +
		"grants:\n  - {role: " + backend + ", read: all, write: [users, patients, measurements]}\nignore: [goose_db_version]\n"}
	for i, sql := range platformMigrations {
		files[fmt.Sprintf("migrations/%04d_step.sql", i+1)] = "-- +goose Up\n" + sql + "\n"
	}
	return writeBlueprint(t, files)
}

// makePlatform makes the schemas of a platform, as its own user.
func (w *testEnv) makePlatform(n int, backend string) {
	w.t.Helper()
	dba := testenv.Connect(w.t, testenv.SuperuserURL(w.t, w.env["DATABASE_URL"]))
	var script strings.Builder
	fmt.Fprintf(&script, "CREATE ROLE %s NOLOGIN; CREATE ROLE %s_owner NOLOGIN;", backend, backend)
	for i := range n {
		schema := fmt.Sprintf("org_%03d", i)
		fmt.Fprintf(&script, "CREATE SCHEMA %s AUTHORIZATION %s_owner; SET ROLE %s_owner; SET search_path = %s; CREATE TABLE goose_db_version (id int);", schema, backend, backend, schema)
		script.WriteString(strings.Join(platformMigrations, "\n"))
		fmt.Fprintf(&script, "GRANT USAGE ON SCHEMA %s TO %s; GRANT ALL ON ALL TABLES IN SCHEMA %s TO %s; INSERT INTO users (login) VALUES ('ada'); RESET ROLE;", schema, backend, schema, backend)
	}
	if _, err := dba.Exec(w.t.Context(), script.String(), pgx.QueryExecModeSimpleProtocol); err != nil {
		w.t.Fatal(err)
	}
}

// TestTenantsAdopt_Platform: the schemas of a platform come in by one command, which is killed
// and repeated, with a contract each. Nothing in them changes.
func TestTenantsAdopt_Platform(t *testing.T) {
	n := testenv.Count(t, 90, 300)
	w := setup(t)
	w.env["SOROBAN_CHANNELS"] = "20"
	backend := "backend_adopt"
	w.makePlatform(n, backend)
	w.mustRun("channels", "reconcile")
	w.mustRun("blueprints", "publish", platformBlueprint(t, backend), "--activate").want(t, 0, "revision 1, active, schema version 3")
	list := filepath.Join(t.TempDir(), "orgs.csv")
	rows := "schema,name,admin_email,admin_first_name,admin_last_name,external_id\n"
	for i := range n {
		rows += fmt.Sprintf("org_%03d,Organisation %d,admin@org%d.example,Ada,Lovelace,org-%d\n", i, i, i, i)
	}
	if err := os.WriteFile(list, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"tenants", "adopt", "--from", list, "--blueprint", "platform", "--at-version", "3", "--parallel", "20"}
	dba := testenv.Connect(t, testenv.SuperuserURL(t, w.env["DATABASE_URL"]))
	if !testenv.IsSuperuser() {
		// The owner of the schemas is not this program's user: a DBA has to grant it.
		grant := w.run(append(args, "--dry-run")...)
		grant.want(t, 1, "org_000 needs, by a DBA: GRANT "+backend+"_owner TO ")
		_, statement, _ := strings.Cut(grant.out, "by a DBA: ")
		statement, _, _ = strings.Cut(statement, "\n")
		if _, err := dba.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	w.mustRun(append(args, "--dry-run")...).want(t, 0, fmt.Sprintf("%d of %d schemas can be adopted; nothing was changed", n, n))

	cmd := w.command(args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.waitFor("the first adoptions", func() bool { return w.registry.Count(tenant.StatusActive) > 20 })
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	// It waits for the leases of the killed process.
	w.mustRun(args...).want(t, 0, "were adopted before, 0 failed")
	w.mustRun(args...).want(t, 0, fmt.Sprintf("0 of %d schemas adopted, %d were adopted before, 0 failed", n, n))

	w.mustRun("tenants", "verify").want(t, 0, fmt.Sprintf("%d tenants checked, 0 findings", n))
	contracts := map[string]bool{}
	for _, made := range w.registry.All(tenant.StatusActive) {
		contracts[made.ContractID] = true
	}
	if len(contracts) != n || w.registry.Invitations() != 0 || w.registry.DueMail() != 0 {
		t.Errorf("%d contracts, %d invitations, %d mails to send", len(contracts), w.registry.Invitations(), w.registry.DueMail())
	}
	// The backend goes on, and each tenant's role reaches its own schema.
	for _, statement := range []string{
		`SET ROLE ` + backend, `INSERT INTO org_007.patients (name, created_by) SELECT 'x', id FROM org_007.users`, `SELECT * FROM org_007.newest`, `RESET ROLE`,
	} {
		if _, err := dba.Exec(t.Context(), statement); err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	// The next migration reaches all of them.
	dir := platformBlueprint(t, backend)
	if err := os.WriteFile(filepath.Join(dir, "migrations/0004_phone.sql"), []byte("-- +goose Up\nALTER TABLE patients ADD COLUMN phone text;\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.mustRun("blueprints", "publish", dir, "--activate").want(t, 0, "revision 2, active, schema version 4")
	w.mustRun("tenants", "migrate", "--blueprint", "platform", "--parallel", "8").want(t, 0, fmt.Sprintf("%d of %d tenants migrated, 0 failed", n, n))
}

// TestTenantsAdopt_Refused: what differs is named, and nothing is recorded or changed.
func TestTenantsAdopt_Refused(t *testing.T) {
	w := setup(t)
	backend := "backend_refused"
	w.makePlatform(2, backend)
	dba := testenv.Connect(t, testenv.SuperuserURL(t, w.env["DATABASE_URL"]))
	if _, err := dba.Exec(t.Context(), `GRANT `+backend+`_owner TO CURRENT_USER; ALTER TABLE org_001.patients DROP COLUMN name CASCADE, ADD COLUMN note text; CREATE TABLE org_001.own (id int)`, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	w.mustRun("blueprints", "publish", platformBlueprint(t, backend), "--activate")
	adopt := func(schema string, more ...string) result {
		return w.run(append([]string{"tenants", "adopt", schema, "--blueprint", "platform", "--at-version", "3", "--name", "Organisation", "--admin-email", "a@org.example"}, more...)...)
	}
	adopt("org_001", "--dry-run").want(t, 1, "org_001 lacks column patients.name", "org_001 lacks index patients.patients_name", "org_001 also has table own", "org_001 also has column patients.note", "0 of 1 schema can be adopted")
	adopt("org_001").want(t, 1, "the schema org_001 is not what the migrations up to 3 make: it lacks the column patients.name")
	if !testenv.IsSuperuser() { // A superuser needs no grant.
		adopt("org_000", "--at-version", "2").want(t, 1, "have a DBA run: GRANT "+backend+"_owner TO ")
	}
	adopt("nothing").want(t, 1, "there is no schema nothing in this database")
	adopt("public").want(t, 1, `schema is "public"; give the name of a schema of one tenant`)
	adopt("org_000", "--at-version", "9").want(t, 1, "--at-version is 9; give the number of the last migration")
	adopt("org_000", "--blueprint", "standard").want(t, 1, "blueprint is standard; publish a blueprint")
	w.run("tenants", "adopt", "--blueprint", "platform").want(t, 2, "give one schema, or --from FILE.csv")
	w.run("tenants", "adopt", "org_000", "--blueprint", "platform", "--at-version", "3", "--admin-email", "a@org.example").want(t, 2, "--name is not set")
	broken := filepath.Join(t.TempDir(), "orgs.csv")
	for text, want := range map[string]string{
		"":                                   "the first line has to name the columns",
		"schema,nam\na,b\n":                  `the column "nam" is not known`,
		"name\nb\n":                          "there is no column schema",
		"schema\n":                           "there is no row after the first line",
		"schema,at_version\norg_000,three\n": "orgs.csv:2: at_version is \"three\"; give a number",
	} {
		if err := os.WriteFile(broken, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w.run("tenants", "adopt", "--from", broken, "--blueprint", "platform").want(t, 1, want)
	}
	if n := w.registry.Count(); n != 0 {
		t.Errorf("%d tenants", n)
	}
}

// TestTenantsAdopt_Rows: a file is read whole before anything is adopted, its metadata is the tenant's,
// and what was archived since is skipped by a repetition.
func TestTenantsAdopt_Rows(t *testing.T) {
	w := setup(t)
	backend := "backend_rows"
	owner := testenv.Connect(t, w.env["DATABASE_URL"])
	script := "CREATE ROLE " + backend + " NOLOGIN;"
	for _, schema := range []string{"org_000", "org_001"} {
		script += "CREATE SCHEMA " + schema + "; SET search_path = " + schema + ";" + strings.Join(platformMigrations, "\n")
	}
	if _, err := owner.Exec(t.Context(), script, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	w.mustRun("blueprints", "publish", platformBlueprint(t, backend), "--activate")
	list := filepath.Join(t.TempDir(), "orgs.csv")
	adopt := func(rows string) result {
		if err := os.WriteFile(list, []byte("schema,name,admin_email,admin_first_name,metadata_old,metadata_tier\n"+rows), 0o600); err != nil {
			t.Fatal(err)
		}
		return w.run("tenants", "adopt", "--from", list, "--blueprint", "platform", "--at-version", "3", "--metadata", "tier=1,region=eu")
	}
	broken := adopt("org_000,Zero,zero@org.example,,,\norg_001,X,nobody,,,\norg_002,Two,,,,\n,Three,three@org.example,,,\n")
	broken.want(t, 1, "orgs.csv:3: name has 1 characters", "adminEmail needs exactly one @", "orgs.csv:4: adminEmail", "orgs.csv:5: schema is empty; name the schema")
	if n := w.registry.Count(); n != 0 {
		t.Fatalf("%d tenants of a file with broken rows", n)
	}
	rows := "org_000,Zero,zero@org.example,,contract 0,\norg_001,One,one@org.example,Ada,,2\n"
	adopt(rows).want(t, 0, "2 of 2 schemas adopted")
	w.mustRun("tenants", "show", "name:Zero", "--json").want(t, 0, `"adminFirstName": "Administrator"`, `"old": "contract 0"`, `"region": "eu"`, `"tier": "1"`)
	if one := w.mustRun("tenants", "show", "name:One", "--json"); strings.Contains(one.out, `"old"`) {
		t.Errorf("an empty cell is an entry: %s", one.out)
	} else {
		one.want(t, 0, `"adminFirstName": "Ada"`, `"region": "eu"`, `"tier": "2"`)
	}
	w.mustRun("tenants", "archive", "name:Zero")
	adopt(rows).want(t, 0, "0 of 2 schemas adopted, 2 were adopted before, 0 failed")
}
