package provider_test

import (
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestCLIProvider_PlanMakesNoRegistry: what only reads finds an empty registry in a database
// without one, and makes nothing there. The first create makes it.
func TestCLIProvider_PlanMakesNoRegistry(t *testing.T) {
	w := setup(t, databaseMode, "")
	database := testenv.EmptyDatabase(t)
	w.env["DATABASE_URL"] = database
	objects := func() (names string) {
		t.Helper()
		err := testenv.Connect(t, database).QueryRow(t.Context(), `SELECT coalesce(string_agg(c.oid::regclass::text, ' '), '') FROM pg_class c WHERE relnamespace = 'public'::regnamespace`).Scan(&names)
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	reads := func(what, configuration string, code int, texts ...string) {
		t.Helper()
		w.write("main.tf", header+configuration)
		r := w.run("plan", "-no-color")
		r.wantText(t, texts...)
		if r.code != code {
			t.Errorf("%s: plan ends with %d: %s", what, r.code, r.out)
		}
		if made := objects(); made != "" {
			t.Errorf("%s: the plan made %s", what, made)
		}
	}
	const missing = "the database has no registry yet"
	all := "data \"healthcare_tenants\" \"all\" {}\noutput \"all\" { value = length(data.healthcare_tenants.all.tenants) }\n"
	reads("a tenant and a list", clinicWith(`  external_id = "1"`)+all, 0, "1 to add", "+ all = 0")
	reads("a data source", "data \"healthcare_tenant\" \"one\" { name = \"Clinic\" }\n", 1, missing)
	reads("a blueprint", "data \"healthcare_blueprint\" \"one\" { name = \"clinic\" }\n", 1, missing)
	reads("an import", clinic+"import {\n  to = healthcare_tenant.clinic\n  id = \"name:St. Mary's Clinic\"\n}\n", 1, missing)
	reads("a login", "ephemeral \"healthcare_tenant_database_credentials\" \"app\" { tenant_id = \"01a203ed-04d2-796d-840f-243c99a3bf12\" }\n", 1, missing)

	w.write("main.tf", header+clinic+all)
	if r := w.run("destroy", "-auto-approve", "-no-color"); r.code != 0 || objects() != "" {
		t.Errorf("destroy ends with %d, and made %s: %s", r.code, objects(), r.out)
	}
	w.write("main.tf", header+clinic)
	w.mustApply()
	if !strings.Contains(objects(), "tenants") {
		t.Error("the apply made no registry")
	}
	w.assertNoChanges()
}
