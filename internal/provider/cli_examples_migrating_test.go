package provider_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// oldSchemas are the schemas of finished tenants. The first two administrators have chosen a password.
var oldSchemas = []string{"acme_hospital_1708599000001", "bay_west_clinic_1708599000002", "city_practice_1708599000003", "delta_care_1708599000004"}

// makeOldSchemas makes them, as the replaced service does, with a role of the platform's backend.
func makeOldSchemas(t *testing.T) string {
	t.Helper()
	migration := example(t, "guides/migrating/legacy/migrations/0001_initial.sql")
	var script strings.Builder
	for i, schema := range oldSchemas {
		hash := "ef92b778bafe771e89245b89ecbc08a44a4e166c06659911881f383d4473e94f"
		if i < 2 {
			hash = fmt.Sprint("own hash ", i)
		}
		fmt.Fprintf(&script, `CREATE SCHEMA %[1]s; SET search_path = %[1]s; %[2]s
			INSERT INTO roles (id, name) VALUES ('550e8400-e29b-41d4-a716-446655440001', 'admin');
			INSERT INTO users (email, password_hash, role_id) SELECT 'admin@%[1]s', '%[3]s', id FROM roles;
			INSERT INTO audit_logs (user_id, action) SELECT id, 'login' FROM users;
			GRANT USAGE ON SCHEMA %[1]s TO platform_app; GRANT ALL ON ALL TABLES IN SCHEMA %[1]s TO platform_app; SET search_path = public;
		`, schema, migration, hash)
	}
	return script.String()
}

// runMigrating moves a platform of five tenants from the replaced service, one of them half-made, goes
// back, and forward again.
func runMigrating(t *testing.T, w *testEnv) {
	from, to := testenv.DumpServers(t)
	for _, server := range []interface{ URL(string) string }{from, to} {
		conn := testenv.Connect(t, server.URL("postgres"))
		if _, err := conn.Exec(t.Context(), `CREATE ROLE platform_app NOLOGIN`); err != nil {
			t.Fatal(err)
		}
	}
	if err := from.CreateDatabase(t.Context(), "platform"); err != nil {
		t.Fatal(err)
	}
	if err := to.CreateDatabase(t.Context(), "platform"); err != nil {
		t.Fatal(err)
	}
	w.path = from.Binaries() + ":" + w.path
	w.env["DATABASE_URL"], w.env["COPY_URL"] = from.OwnerURL("platform"), to.OwnerURL("platform")
	w.pg = testenv.Connect(t, w.env["DATABASE_URL"])
	w.script(migratingSQL(t, "registry.sql") + makeOldSchemas(t))
	if err := os.CopyFS(w.dir, os.DirFS(exampleFolder(t, "guides/migrating"))); err != nil {
		t.Fatal(err)
	}
	prepareMigration(t, w)
	cutOver(t, w)
	switchClients(t, w)
	migrateBack(t, w)
}

// migratingSQL is a file of what the replaced service does.
func migratingSQL(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/migrating", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// script runs statements as the user of the old service.
func (w *testEnv) script(sql string) {
	w.t.Helper()
	if _, err := w.pg.PgConn().Exec(w.t.Context(), sql).ReadAll(); err != nil {
		w.t.Fatal(err)
	}
}

func prepareMigration(t *testing.T, w *testEnv) {
	found := []string{"Acme Hospital | ACTIVE", "kB | address | adopt", "kB | no address | adopt", "Delta Care | ARCHIVED", "Elm House | PROVISIONING", "| none | half-made", "(5 rows)"}
	if out := w.mustShell("-eu", "inventory.sh"); strings.Contains(out.out, "Acme Hospital | admin@") {
		t.Errorf("a changed password counts as the first one: %s", out.out)
	} else {
		out.wantText(t, append(found, "unknown_schema ---------------- (0 rows)", "same_names ------------ (0 rows)", "City Practice | admin@city_practice_1708599000003", "Delta Care | admin@delta")...)
	}
	w.mustShell("-eu", "copy.sh")
	w.mustShell("-euc", `DATABASE_URL=$COPY_URL; . ./inventory.sh`).wantText(t, found...)

	// A registry needs the names of the old one's tables.
	w.shell("-c", "tenant-api migrate up").wantText(t, "public.provisioning_logs and public.tenants of another program")

	var scrapes atomic.Int32
	old := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(rw, "active_tenants 3\nprovisioning_queue_depth %d\n", max(0, 2-scrapes.Add(1))) // The client is a command of this test.
	}))
	t.Cleanup(old.Close)
	w.env["OLD_URL"] = old.URL
	w.mustShell("-eu", "drain.sh").wantText(t, "Elm House | PROVISIONING", "(1 row)")
	if scrapes.Load() != 2 {
		t.Errorf("%d scrapes", scrapes.Load())
	}
}

func cutOver(t *testing.T, w *testEnv) {
	w.mustShell("-eu", "registry.sh").wantText(t, "0 findings")
	w.registry = registrytest.Open(t, w.env["DATABASE_URL"])
	if _, err := w.pg.Exec(t.Context(), migratingSQL(t, "write.sql")); err == nil {
		t.Error("the old service can write")
	}
	w.mustShell("-eu", "adopt.sh").wantText(t, "revision 1, active, schema version 1", "4 of 4 schemas can be adopted", "4 of 4 schemas adopted")
	w.mustShell("-eu", "archived.sh").wantText(t, `The tenant "Delta Care"`, "is ARCHIVED")
	w.mustShell("-eu", "half-made.sh").wantText(t, `The tenant "Elm House"`, "is ACTIVE")
	w.mustShell("-eu", "verify.sh").wantText(t, "5 tenants checked, 0 findings", `Bay "West" Clinic ACTIVE`, "Delta Care ARCHIVED")
	w.mustShell("-eu", "inventory.sh").wantText(t, "The old registry was moved", "| none | half-made", "(5 rows)") // The view is still of the old one.
	if w.registry.Count(tenant.StatusActive) != 4 || w.registry.Invitations() != 1 {
		t.Errorf("%d live tenants, %d invitations; only the half-made tenant has one", w.registry.Count(tenant.StatusActive), w.registry.Invitations())
	}
	w.assertOldUsers()
}

// assertOldUsers checks that each adopted schema has the user that it had, for the platform's backend.
func (w *testEnv) assertOldUsers() {
	w.t.Helper()
	for _, schema := range oldSchemas[:3] {
		if n := w.count(`SELECT count(*) FROM ` + schema + `.users JOIN ` + schema + `.audit_logs ON user_id = users.id WHERE email = 'admin@` + schema + `'`); n != 1 {
			w.t.Errorf("%d users in %s", n, schema)
		}
		if !w.truth(`SELECT has_database_privilege('platform_app', current_database(), 'CONNECT') AND has_schema_privilege('platform_app', $1, 'USAGE')
			AND has_table_privilege('platform_app', $1 || '.users', 'SELECT, INSERT, UPDATE, DELETE')`, schema) {
			w.t.Errorf("the backend does not reach %s", schema)
		}
	}
}

func (w *testEnv) truth(query string, args ...any) bool {
	w.t.Helper()
	return w.text(`SELECT (`+query+`)::text`, args...) == "true"
}

func switchClients(t *testing.T, w *testEnv) {
	w.mode = apiMode
	w.environment()
	w.env["OLD_ID"], w.env["TENANT_API_URL"], w.env["TENANT_API_TOKEN"] = "550e8400-e29b-41d4-a716-446655440101", w.server.url, w.token
	w.mustShell("-eu", "clients.sh").wantText(t, `"total":1`, `"name":"Acme Hospital"`)
	w.mustShell("-eu", "terraform.sh").wantText(t, "4 to import, 0 to add, 0 to change, 0 to destroy", "4 imported", "No changes")
	w.assertNoChanges()
	state := w.state("healthcare_tenant.acme_hospital_1708599000001")
	if state["external_id"] != w.env["OLD_ID"] || state["blueprint"] != "legacy" || !strings.Contains(fmt.Sprint(state["metadata"]), "legacy_contract:contract_550e8400_1708599000001 legacy_created_at:20") {
		t.Errorf("%v", state)
	}
}

func migrateBack(t *testing.T, w *testEnv) {
	w.server.stop(t)
	w.server, w.mode = nil, databaseMode
	w.mustShell("-eu", "back.sh").wantText(t, "Elm House | ACTIVE | elm_house_", "(1 row)", "UPDATE 1", "INSERT 0 0")
	// What the old service and the platform do: make a tenant, write logs, change a schema.
	w.script(migratingSQL(t, "meantime.sql") + `SET search_path = fern_ward_1708599000006;` + example(t, "guides/migrating/legacy/migrations/0001_initial.sql") + `SET search_path = public`)
	w.assertOldUsers()

	w.mustShell("-eu", "forward.sh").wantText(t, "0 remaining", "5 tenants checked, 0 findings")
	w.mustShell("-eu", "adopt.sh").wantText(t, "1 of 5 schemas adopted, 4 were adopted before, 0 failed")
	w.mode = apiMode
	w.assertNoChanges()
	if n := w.count(`SELECT count(*) FROM acme_hospital_1708599000001.users`); n != 2 {
		t.Errorf("%d users", n)
	}
	w.mustShell("-eu", "after.sh").wantText(t, "6 tenants checked, 0 findings")
	if n := w.count(`SELECT count(*) FROM pg_namespace WHERE nspname IN ('legacy', 'elm_house_1708599000005')`); n != 0 {
		t.Errorf("%d schemas remain", n)
	}
	w.assertOldUsers()
}
