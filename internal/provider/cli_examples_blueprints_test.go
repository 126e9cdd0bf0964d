package provider_test

import (
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// runBlueprints goes through the guide: a first and a second revision, back, and the adoption of
// schemas that exist.
func runBlueprints(t *testing.T, w *testEnv) {
	if err := os.CopyFS(w.dir+"/clinic", os.DirFS("../../examples/blueprints/clinic")); err != nil {
		t.Fatal(err)
	}
	w.copyExample("guides/blueprints/first.sh", "first.sh")
	w.mustShell("-eu", "first.sh").wantText(t, "Blueprint clinic, not published, schema version 6", "revision 1, active", "revision 1 is active; 0 tenants")
	w.write("main.tf", header+example(t, "guides/blueprints/main.tf"))
	w.mustApply()
	w.assertNoChanges()
	tenant := w.registry.Tenant()
	schema := pgx.Identifier{tenant.SchemaName}.Sanitize()
	var region string
	if err := w.pg.QueryRow(t.Context(), `SELECT region FROM `+schema+`.settings`).Scan(&region); err != nil || region != "eu" {
		t.Errorf("region %q, %v", region, err)
	}

	w.copyExample("guides/blueprints/second.sh", "second.sh")
	w.mustShell("-eu", "second.sh").wantText(t, "revision 2, active, schema version 7", "1 tenant to migrate; nothing was changed", "1 of 1 tenants migrated, 0 failed", "1 tenants checked, 0 findings")
	w.copyExample("guides/blueprints/back.sh", "back.sh")
	w.mustShell("-eu", "back.sh").wantText(t, "get revision 1", "makes no new tenants", "get revision 2")
	w.destroyAll()

	// The platform whose schemas are adopted.
	_, first, _ := strings.Cut(example(t, "blueprints/clinic/migrations/0004_diagnosis_codes.sql"), "\n")
	first, _, _ = strings.Cut(first, "CREATE TABLE diagnoses")
	tables := []string{"CREATE TABLE users (id bigserial PRIMARY KEY, login text NOT NULL);\n", first}
	for _, name := range []string{"clinic_0001", "clinic_0002"} {
		if _, err := w.pg.Exec(t.Context(), `CREATE SCHEMA `+name+`; SET search_path = `+name+`; `+strings.Join(tables, "")+`CREATE TABLE goose_db_version (id int); SET search_path = public`, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatal(err)
		}
	}
	w.writeFiles("clinic_platform", map[string]string{
		"blueprint.yaml":            "apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: clinic_platform\nextends: none\nignore: [goose_db_version]\n",
		"migrations/0001_users.sql": "-- +goose Up\n" + tables[0], "migrations/0002_codes.sql": "-- +goose Up\n" + tables[1],
	})
	w.mustShell("-euc", "tenant-api blueprints publish clinic_platform --activate").wantText(t, "revision 1, active, schema version 2")
	w.copyExample("guides/blueprints/clinics.csv", "clinics.csv")
	w.copyExample("guides/blueprints/adopt.sh", "adopt.sh")
	w.mustShell("-eu", "adopt.sh").wantText(t, "2 of 2 schemas can be adopted", "2 of 2 schemas adopted, 0 were adopted before, 0 failed", "0 findings")
}
