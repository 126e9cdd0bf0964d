package provider_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestAccTenant_ImportGeneratesConfiguration: the configuration that the CLI generates for
// an imported tenant is valid, describes the tenant, and changes nothing.
func TestAccTenant_ImportGeneratesConfiguration(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setup(t, m, strings.Replace(clinic, "\n}\n", `
  external_id = "crm-7"
  metadata    = { note = "a \"b\" $${c} %%{d}\n\\ é" }
}
`, 1))
		w.mustApply()
		before := w.state("healthcare_tenant.clinic")
		if r := w.run("state", "rm", "healthcare_tenant.clinic"); r.code != 0 {
			t.Fatal(r.out)
		}
		w.write("main.tf", header+fmt.Sprintf("import {\n  to = healthcare_tenant.clinic\n  id = %q\n}\n", before["id"]))
		if r := w.run("plan", "-no-color", "-generate-config-out=generated.tf"); r.code != 0 {
			t.Fatalf("exit code %d: %s", r.code, r.out)
		}
		w.mustApply().wantText(t, "Resources: 1 imported, 0 added")
		w.assertNoChanges()
		after := w.state("healthcare_tenant.clinic")
		for _, field := range []string{"id", "name", "admin_email", "external_id", "metadata", "schema_name", "soroban_contract_id"} {
			if fmt.Sprint(after[field]) != fmt.Sprint(before[field]) || after[field] == nil {
				t.Errorf("%s is %v, was %v", field, after[field], before[field])
			}
		}
	})
}
