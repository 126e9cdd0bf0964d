package provider_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// setupNewest is setup with the newest CLI, for what older ones do not have.
func setupNewest(t *testing.T, m mode, configuration string) *testEnv {
	t.Helper()
	path := testenv.NewestCLI(t)
	w := setup(t, m, configuration)
	w.cli = path
	return w
}

// example is a file of examples/, as it is in the documentation.
func example(t *testing.T, parts ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(append([]string{"../../examples"}, parts...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// invoke invokes the action of an example.
func (w *testEnv) invoke(action string, variables ...string) result {
	w.t.Helper()
	w.write("main.tf", header+example(w.t, "actions", action, "action.tf"))
	args := []string{"-invoke=action." + action + ".clinic"}
	for _, v := range variables {
		args = append(args, "-var", v)
	}
	return w.apply(args...)
}

func (w *testEnv) mustInvoke(action string, variables ...string) result {
	w.t.Helper()
	r := w.invoke(action, variables...)
	if r.code != 0 {
		w.t.Fatalf("%s ended with %d:\n%s", action, r.code, r.out)
	}
	return r
}

func TestCLINewest_Invoke(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setupNewest(t, m, clinic)
		w.env["PURGE_RETENTION"] = "0s"
		w.mustApply()
		tenant := fmt.Sprintf("tenant_id=%s", w.state("healthcare_tenant.clinic")["id"])
		schema := w.registry.Tenant().SchemaName

		w.mail.Reset()
		w.mustInvoke("healthcare_tenant_invite", tenant).wantText(t, "the welcome mail went to ada@st-marys.example")
		if n := len(w.mail.Messages()); n != 1 {
			t.Errorf("%d mails", n)
		}
		w.invoke("healthcare_tenant_retry", tenant).wantText(t, "Could not retry tenant", "ACTIVE")
		w.invoke("healthcare_tenant_unarchive", "tenant_id=what").wantText(t, "is not a UUID")

		w.mustInvoke("healthcare_tenant_suspend", tenant).wantText(t, `tenant "St. Mary's Clinic" is SUSPENDED`)
		w.mustInvoke("healthcare_tenant_resume", tenant).wantText(t, `tenant "St. Mary's Clinic" is ACTIVE again`)

		w.write("main.tf", header+clinic)
		w.assertNoChanges() // An action leaves nothing in the state.
		if r := w.run("destroy", "-auto-approve", "-no-color"); r.code != 0 {
			t.Fatal(r.out)
		}
		w.mustInvoke("healthcare_tenant_unarchive", tenant).wantText(t, `tenant "St. Mary's Clinic" is ACTIVE again`)
		if status := w.registry.Tenant().Status; status != "ACTIVE" {
			t.Error(status)
		}

		w.registry.Archive(time.Hour)
		if r := w.invoke("healthcare_tenant_purge", tenant, "confirm=Another Clinic"); r.code == 0 || !strings.Contains(r.out, "confirm is not the tenant's name") {
			t.Errorf("exit code %d: %s", r.code, r.out)
		}
		if w.count(`SELECT count(*) FROM pg_namespace WHERE nspname = $1`, schema) != 1 {
			t.Fatal("a refused purge dropped the schema")
		}
		w.mustInvoke("healthcare_tenant_purge", tenant, "confirm=St. Mary's Clinic").wantText(t, schema, "its role are dropped")
		if w.count(`SELECT count(*) FROM pg_namespace WHERE nspname = $1`, schema) != 0 {
			t.Error("purge left the schema")
		}
	})
}

func TestCLINewest_RetryReportsSteps(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setupNewest(t, m, clinic)
		w.env["SOROBAN_MAX_FEE"] = "100"
		if r := w.apply(); r.code == 0 {
			t.Fatal(r.out)
		}
		delete(w.env, "SOROBAN_MAX_FEE")
		w.mustInvoke("healthcare_tenant_retry", "tenant_id="+w.registry.Tenant().ID).
			wantText(t, "step CREATE_SCHEMA is COMPLETED", "step SEND_WELCOME_EMAIL is COMPLETED", `tenant "St. Mary's Clinic" is ACTIVE`)
		if n := w.registry.Count(tenant.StatusActive); n != 1 {
			t.Errorf("%d live tenants", n)
		}
	})
}

// TestCLINewest_Query: the configuration that terraform query generates can be
// applied, and changes nothing.
func TestCLINewest_Query(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setupNewest(t, m, strings.Replace(three, "\n}\n", "\n  metadata = { region = \"eu\", quote = \"a \\\"b\\\" $${c}\" }\n  external_id = \"crm-${count.index}\"\n}\n", 1))
		w.mustApply("-parallelism=1")
		w.registry.Archive(0, "Clinic 1")

		// Another team has a platform with tenants, and no state.
		for _, name := range []string{"terraform.tfstate", "terraform.tfstate.backup"} {
			if err := os.Remove(filepath.Join(w.dir, name)); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
		w.write("main.tf", header)
		w.write("tenants.tfquery.hcl", example(t, "list-resources", "healthcare_tenant", "list-resource.tfquery.hcl"))
		if r := w.run("query", "-no-color"); r.code != 0 || !strings.Contains(r.out, "Clinic 0") || !strings.Contains(r.out, "Clinic 2") || strings.Contains(r.out, "Clinic 1") {
			t.Errorf("exit code %d: %s", r.code, r.out)
		}
		w.write("tenants.tfquery.hcl", `list "healthcare_tenant" "one" {
  provider         = healthcare
  limit            = 1
  include_resource = true
}`)
		live := w.registry.All(tenant.StatusActive)
		newest := live[len(live)-1].SchemaName
		if r := w.run("query", "-json"); r.code != 0 || strings.Count(r.out, `"type":"list_resource_found"`) != 1 || !strings.Contains(r.out, fmt.Sprintf(`"schema_name":%q`, newest)) {
			t.Errorf("exit code %d: %s", r.code, r.out)
		}
		w.write("tenants.tfquery.hcl", example(t, "list-resources", "healthcare_tenant", "list-resource.tfquery.hcl"))
		if r := w.run("query", "-no-color", "-generate-config-out=imported.tf"); r.code != 0 {
			t.Fatalf("exit code %d: %s", r.code, r.out)
		}
		w.run("plan", "-no-color").wantText(t, "Plan: 2 to import, 0 to add, 0 to change, 0 to destroy.")
		w.mustApply().wantText(t, "2 imported, 0 added, 0 changed, 0 destroyed.")
		w.assertNoChanges()
		if n := w.registry.Count(); n != 3 {
			t.Errorf("%d tenants", n)
		}
	})
}
