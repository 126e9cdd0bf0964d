package provider_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// TestCLIProvider_TwoAliases: each alias works on its own registry, also with the same
// name in both.
func TestCLIProvider_TwoAliases(t *testing.T) {
	w := setup(t, databaseMode, "")
	other := testenv.Database(t)
	w.env["TF_VAR_other"] = other
	w.write("main.tf", header+`
variable "other" { sensitive = true }
provider "healthcare" {
  alias    = "other"
  database = { url = var.other }
}
`+clinic+strings.Replace(strings.Replace(clinic, `"clinic"`, `"other"`, 1), "  name ", "  provider = healthcare.other\n  name ", 1))
	w.mustApply().wantText(t, "2 added")
	w.assertNoChanges()
	elsewhere := registrytest.Open(t, other)
	if here, there := w.registry.Count(tenant.StatusActive), elsewhere.Count(tenant.StatusActive); here != 1 || there != 1 {
		t.Errorf("%d live tenants here, %d in the other registry", here, there)
	}
	if r := w.run("destroy", "-auto-approve", "-no-color"); r.code != 0 {
		t.Error(r.out)
	}
	if here, there := w.registry.Unarchived(), elsewhere.Unarchived(); here+there != 0 {
		t.Errorf("%d live tenants are left here, %d in the other registry", here, there)
	}
}

// TestCLITest: terraform test plans and applies with a mock of the provider, which touches
// nothing, and with the provider, which leaves no tenant live.
func TestCLITest(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setup(t, m, clinic+`output "schema" { value = healthcare_tenant.clinic.schema_name }`)
		w.write("mocked.tftest.hcl", `mock_provider "healthcare" {}
run "plans" {
  command = plan
  assert {
    condition     = healthcare_tenant.clinic.name == "St. Mary's Clinic"
    error_message = "wrong name"
  }
}
run "applies" {
  assert {
    condition     = output.schema != ""
    error_message = "no schema"
  }
}
`)
		w.run("test", "-no-color").wantText(t, "2 passed, 0 failed")
		if n := w.registry.Count(); n != 0 {
			t.Errorf("the mock made %d tenants", n)
		}
		if err := os.Remove(filepath.Join(w.dir, "mocked.tftest.hcl")); err != nil {
			t.Fatal(err)
		}
		w.write("real.tftest.hcl", `run "goes_live" {
  assert {
    condition     = healthcare_tenant.clinic.status == "ACTIVE" && startswith(output.schema, "st_marys_clinic_")
    error_message = "not live"
  }
}
run "plans_no_change" {
  command = plan
  assert {
    condition     = healthcare_tenant.clinic.status == "ACTIVE"
    error_message = "not live any more"
  }
}
`)
		w.run("test", "-no-color").wantText(t, "2 passed, 0 failed")
		if live, all := w.registry.Unarchived(), w.registry.Count(); live != 0 || all != 1 {
			t.Errorf("%d of %d tenants are live after the test", live, all)
		}
	})
}

// TestCLITenant_ManyInterrupted: 20 creates are stopped at once. The next apply makes all of
// them live, with one contract each.
func TestCLITenant_ManyInterrupted(t *testing.T) {
	t.Parallel()
	const n = 20
	configuration := `provider "healthcare" { managed_by = "ci" }` + strings.Replace(clinic, `name             = "St. Mary's Clinic"`,
		fmt.Sprintf("count = %d\n  name = \"Clinic ${count.index}\"", n), 1)
	for name, signals := range map[string][]syscall.Signal{
		"OneInterrupt":  {syscall.SIGINT},
		"TwoInterrupts": {syscall.SIGINT, syscall.SIGINT},
		"Terminated":    {syscall.SIGTERM},
	} {
		t.Run(name, func(t *testing.T) {
			w := setup(t, databaseMode, configuration)
			w.net.Faults().HoldQueue(true)
			b := w.start("apply", "-auto-approve", "-no-color", fmt.Sprintf("-parallelism=%d", n))
			w.waitWhileRunning(b, "all schemas", func() bool {
				return len(slices.DeleteFunc(w.registry.All(), func(t registrytest.Tenant) bool { return t.Checkpoint != string(tenant.StepSeedRolesAndUser) })) == n
			})
			for i, signal := range signals {
				if err := syscall.Kill(-b.Process.Pid, signal); err != nil {
					t.Fatal(err)
				}
				if i+1 < len(signals) {
					w.waitWhileRunning(b, "the stop", func() bool { return strings.Contains(b.out.String(), "nterrupt") })
				}
			}
			if len(signals) == 1 {
				w.waitWhileRunning(b, "the stop", func() bool { return strings.Contains(b.out.String(), "nterrupt") })
			}
			w.net.Faults().HoldQueue(false)
			w.finish(b)
			w.waitFor("the leases to end", func() bool {
				return w.registry.ValidLeases() == 0
			})
			w.mustApply(fmt.Sprintf("-parallelism=%d", n))
			w.assertNoChanges()
			for what, got := range map[string]int{
				"live tenants": w.registry.Count(tenant.StatusActive),
				"tenants":      w.registry.Count(),
				"schemas":      w.count(`SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'clinic\_%'`),
				"contracts":    w.registry.Transactions(txlog.PurposeCreate, txlog.StateSucceeded),
			} {
				if got != n {
					t.Errorf("%d %s, want %d", got, what, n)
				}
			}
		})
	}
}

// TestCLITenant_StateWithoutIdentity: a state that an older release wrote has no identity;
// a plan reads it, also without a refresh.
func TestCLITenant_StateWithoutIdentity(t *testing.T) {
	w := setup(t, databaseMode, clinic)
	w.mustApply()
	before := w.state("healthcare_tenant.clinic")["id"]
	var state struct { // Only what changes is read; the rest stays as it is.
		Version          int             `json:"version"`
		TerraformVersion string          `json:"terraform_version"`
		Serial           int             `json:"serial"`
		Lineage          string          `json:"lineage"`
		Outputs          json.RawMessage `json:"outputs"`
		Resources        []struct {
			Mode      string           `json:"mode"`
			Type      string           `json:"type"`
			Name      string           `json:"name"`
			Provider  string           `json:"provider"`
			Instances []map[string]any `json:"instances"`
		} `json:"resources"`
	}
	if err := json.Unmarshal([]byte(w.read("terraform.tfstate")), &state); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"identity", "identity_schema_version"} { // CLIs before 1.12 write neither.
		delete(state.Resources[0].Instances[0], key)
	}
	text, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	w.write("terraform.tfstate", string(text))
	for _, args := range [][]string{{"-refresh=false"}, nil} {
		if r := w.run(append([]string{"plan", "-detailed-exitcode", "-no-color"}, args...)...); r.code != 0 {
			t.Fatalf("%v: exit code %d: %s", args, r.code, r.out)
		}
	}
	w.write("main.tf", header+strings.Replace(clinic, "Lovelace", "Hopper", 1))
	w.mustApply("-refresh=false").wantText(t, "0 added, 1 changed, 0 destroyed")
	if after := w.state("healthcare_tenant.clinic"); after["id"] != before || after["admin_last_name"] != "Hopper" {
		t.Errorf("%v", after)
	}
}

// TestCLITenant_InvalidIDInState: a state whose id is no UUID, as after an edit by hand, names the
// commands that mend it.
func TestCLITenant_InvalidIDInState(t *testing.T) {
	w := setup(t, databaseMode, clinic)
	w.mustApply()
	id := fmt.Sprint(w.state(clinicAddress)["id"])
	w.write("terraform.tfstate", strings.ReplaceAll(w.read("terraform.tfstate"), id, "what"))
	for _, args := range [][]string{{"plan"}, {"destroy", "-auto-approve", "-refresh=false"}} {
		r := w.run(append(args, "-no-color")...)
		r.wantText(t, `the id in the state, "what", is not a UUID`, "terraform state rm ADDRESS", `terraform import ADDRESS 'name:St. Mary'\''s Clinic'`)
		if r.code != 1 {
			t.Errorf("%v ends with %d: %s", args, r.code, r.out)
		}
	}
	w.run("state", "rm", clinicAddress)
	if r := w.run("import", "-no-color", clinicAddress, "name:St. Mary's Clinic"); r.code != 0 {
		t.Fatal(r.out)
	}
	w.assertNoChanges()
}
