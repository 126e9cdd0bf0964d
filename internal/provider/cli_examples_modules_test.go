package provider_test

import (
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// runModules tests the module as its guide says, and uses it.
func runModules(t *testing.T, w *testEnv) {
	w.installMirror()
	files := map[string]string{}
	for _, name := range []string{"main.tf", "variables.tf", "outputs.tf", "tests/mock.tftest.hcl", "tests/live.tftest.hcl", "tests/live/main.tf"} {
		files[name] = example(t, "guides/modules/clinic/"+name)
	}
	w.writeFiles("clinic", files)
	w.copyExample("guides/modules/main.tf", "main.tf")
	w.copyExample("guides/modules/test.sh", "test.sh")
	w.mustShell("-eu", "test.sh").wantText(t, "production_is_protected", "renames_it_in_place", "2 passed, 0 failed")
	if n := w.registry.Unpurged(); n != 0 {
		t.Errorf("%d tenants are left of the tests", n)
	}
	w.mustShell("-eu", "test.sh").wantText(t, "2 passed, 0 failed") // The name and the key are free again.

	w.copyExample("guides/modules/apply.sh", "apply.sh")
	w.mustShell("-eu", "apply.sh").wantText(t, "2 added", "lakeside_practice_")
	w.assertNoChanges()
	w.destroyAll()
}

// runRegions makes tenants in two registries, and changes the alias of one.
func runRegions(t *testing.T, w *testEnv) {
	eu, us := testenv.EmptyDatabase(t), testenv.EmptyDatabase(t)
	w.env["TF_VAR_eu_database_url"], w.env["TF_VAR_us_database_url"] = eu, us
	w.copyExample("guides/several-regions/main.tf", "providers.tf")
	w.copyExample("guides/several-regions/tenants.tf", "tenants.tf")
	w.mustApply().wantText(t, "2 added")
	w.assertNoChanges()
	inEU, inUS := registrytest.Open(t, eu), registrytest.Open(t, us)
	w.copyExample("guides/several-regions/tenants.tf", "tenants.tf", "healthcare.us", "healthcare.eu")
	r := w.run("plan", "-no-color")
	r.wantText(t, "it is in the registry "+inUS.ID(), "another one, "+inEU.ID())
	if r.code != 1 || strings.Contains(r.out, "will be created") {
		t.Errorf("plan ended with %d: %s", r.code, r.out)
	}
	w.copyExample("guides/several-regions/tenants.tf", "tenants.tf")
	w.env["TF_VAR_eu_database_url"], w.env["TF_VAR_us_database_url"] = us, eu
	w.run("plan", "-no-color").wantText(t, "it is in the registry "+inUS.ID(), "it is in the registry "+inEU.ID())
	w.env["TF_VAR_eu_database_url"], w.env["TF_VAR_us_database_url"] = eu, us
	w.assertNoChanges()
	// A forgotten argument is an error, although the environment has a database.
	if w.env["DATABASE_URL"] == "" {
		t.Fatal("the environment has no database, so this proves nothing")
	}
	w.copyExample("guides/several-regions/tenants.tf", "tenants.tf", "  provider         = healthcare.us\n", "")
	if r := w.run("plan", "-no-color"); r.code != 1 || strings.Contains(r.out, "Plan:") {
		t.Errorf("plan ended with %d: %s", r.code, r.out)
	} else {
		r.wantText(t, "Invalid provider configuration: database", "DATABASE_URL cannot be read; give postgres://user:password@host:5432/name")
	}
	w.copyExample("guides/several-regions/tenants.tf", "tenants.tf")
	w.destroyAll()
	for _, registry := range []*registrytest.Registry{inEU, inUS} {
		if n := registry.Count(tenant.StatusArchived); n != 1 {
			t.Errorf("%d archived tenants", n)
		}
	}
}
