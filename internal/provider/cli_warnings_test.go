package provider_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestCLITenant_EachWarningIsShown: Terraform shows of warnings with one summary the first alone. Each
// live tenant outside the state has its import block in the plan, and each that was archived elsewhere
// its way back.
func TestCLITenant_EachWarningIsShown(t *testing.T) {
	w := setup(t, databaseMode, tenantConfig("one", "Clinic 1")+tenantConfig("two", "Clinic 2"))
	w.mustApply()
	ids := []string{}
	for _, name := range []string{"one", "two"} {
		ids = append(ids, fmt.Sprint(w.state("healthcare_tenant." + name)["id"]))
	}
	shown := func(r result, summary string, texts ...string) {
		t.Helper()
		if r.code != 0 || strings.Contains(r.out, "similar warning") {
			t.Errorf("%d: %s", r.code, r.out)
		}
		for _, name := range []string{"Clinic 1", "Clinic 2"} {
			r.wantText(t, fmt.Sprintf("%s: %q", summary, name))
		}
		r.wantText(t, texts...)
	}
	state := w.read("terraform.tfstate")
	for _, name := range []string{"one", "two"} {
		w.run("state", "rm", "healthcare_tenant."+name)
	}
	shown(w.run("plan", "-no-color"), "Could not create tenant",
		fmt.Sprintf("import { to = ADDRESS id = %q }", ids[0]), fmt.Sprintf("import { to = ADDRESS id = %q }", ids[1]))

	w.write("terraform.tfstate", state)
	for _, id := range ids {
		w.moveTenant(id, "archive")
	}
	shown(w.run("plan", "-no-color"), "Tenant was archived elsewhere", ids...)
}
