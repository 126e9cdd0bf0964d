package provider_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// outputs reads the outputs of the working directory.
func (w *testEnv) outputs() map[string]any {
	w.t.Helper()
	r := w.run("output", "-json", "-no-color")
	var raw map[string]struct {
		Value any `json:"value"`
	}
	if err := json.Unmarshal([]byte(r.out[strings.Index(r.out, "{"):]), &raw); r.code != 0 || err != nil {
		w.t.Fatalf("exit code %d, %v: %s", r.code, err, r.out)
	}
	values := map[string]any{}
	for name, v := range raw {
		values[name] = v.Value
	}
	return values
}

func TestAccData(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setup(t, m, clinic+`
resource "healthcare_tenant" "other" {
  name             = "Other Clinic"
  admin_email      = "grace@other.example"
  admin_first_name = "Grace"
  admin_last_name  = "Hopper"
  external_id      = "crm-7"
  metadata         = { region = "eu" }
  depends_on       = [healthcare_tenant.clinic]
}
data "healthcare_tenant" "by_id" { id = healthcare_tenant.clinic.id }
data "healthcare_tenant" "by_name" {
  name       = "ST. MARY'S clinic"
  depends_on = [healthcare_tenant.clinic]
}
data "healthcare_tenant" "by_key" {
  external_id = "crm-7"
  depends_on  = [healthcare_tenant.other]
}
data "healthcare_tenants" "all" { depends_on = [healthcare_tenant.other] }
data "healthcare_tenants" "some" {
  search     = "grace@"
  status     = "ACTIVE"
  depends_on = [healthcare_tenant.other]
}
data "healthcare_tenants" "one" {
  limit      = 1
  depends_on = [healthcare_tenant.other]
}
data "healthcare_tenant_provisioning_status" "clinic" { tenant_id = healthcare_tenant.clinic.id }
output "by_id" { value = data.healthcare_tenant.by_id }
output "by_name" { value = data.healthcare_tenant.by_name }
output "by_key" { value = data.healthcare_tenant.by_key }
output "all" { value = data.healthcare_tenants.all.tenants[*].name }
output "some" { value = data.healthcare_tenants.some.tenants }
output "one" { value = data.healthcare_tenants.one.tenants[*].name }
output "progress" { value = data.healthcare_tenant_provisioning_status.clinic }
`)
		w.mustApply()
		out := w.outputs()
		id := w.state("healthcare_tenant.clinic")
		for _, by := range []string{"by_id", "by_name"} {
			got, _ := out[by].(map[string]any)
			for _, field := range []string{"id", "name", "admin_email", "admin_first_name", "schema_name", "database_role", "status", "soroban_contract_id",
				"welcome_email_status", "created_at", "updated_at"} {
				if got[field] != id[field] || got[field] == nil {
					t.Errorf("%s: %s is %v, want %v", by, field, got[field], id[field])
				}
			}
			if got["external_id"] != nil || got["archived_at"] != nil || got["activated_at"] == nil || got["provisioning_error"] != nil {
				t.Errorf("%v", got)
			}
		}
		other, _ := out["by_key"].(map[string]any)
		if metadata, _ := other["metadata"].(map[string]any); other["name"] != "Other Clinic" || metadata["region"] != "eu" {
			t.Errorf("%v", other)
		}
		if got := text(t, out["all"]); got != `["Other Clinic","St. Mary's Clinic"]` {
			t.Error(got)
		}
		if got := text(t, out["one"]); got != `["Other Clinic"]` {
			t.Error(got)
		}
		if some, _ := out["some"].([]any); len(some) != 1 || !strings.Contains(text(t, some), `"admin_email":"grace@other.example"`) {
			t.Errorf("%v", out["some"])
		}
		progress, _ := out["progress"].(map[string]any)
		steps, _ := progress["steps"].([]any)
		if len(steps) != 7 || progress["status"] != "ACTIVE" || progress["attempt"] != float64(1) || progress["tenant_name"] != "St. Mary's Clinic" {
			t.Fatalf("%v", progress)
		}
		deploy, _ := steps[4].(map[string]any)
		if deploy["step"] != "DEPLOY_SOROBAN_CONTRACT" || deploy["status"] != "COMPLETED" || !strings.Contains(fmt.Sprint(deploy["result"]), fmt.Sprint(id["soroban_contract_id"])) {
			t.Errorf("%v", deploy)
		}
		w.assertNoChanges()
	})
}

func TestAccData_Errors(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setup(t, m, "")
		for _, c := range []struct{ configuration, words string }{
			{`data "healthcare_tenant" "x" { name = "No Such Clinic" }`, `there is no tenant named No Such Clinic`},
			{`data "healthcare_tenant" "x" { id = "what" }`, "The id is not a UUID; give the tenant's id"},
			{`data "healthcare_tenant" "x" {}`, "Exactly one of these attributes must be configured: [id,name,external_id]"},
			{`data "healthcare_tenant" "x" {
  name        = "A name"
  external_id = "and a key"
}`, "Exactly one of these attributes must be configured"},
			{`data "healthcare_tenants" "x" { status = "LOST" }`, `value must be one of: ["PENDING" "PROVISIONING" "ACTIVE" "SUSPENDED" "FAILED" "ARCHIVED"]`},
			{`data "healthcare_tenants" "x" { limit = 0 }`, "value must be at least 1"},
			{`data "healthcare_tenant_provisioning_status" "x" { tenant_id = "01a2032d-a32c-7643-bc92-bd01bfc32875" }`, "there is no tenant 01a2032d-a32c-7643-bc92-bd01bfc32875"},
		} {
			w.write("main.tf", header+c.configuration)
			if r := w.run("plan", "-no-color"); r.code == 0 || !strings.Contains(collapseSpace(r.out), c.words) {
				t.Errorf("%s: exit code %d, want %q in: %s", c.configuration, r.code, c.words, collapseSpace(r.out))
			}
		}
	})
}

func TestAccFunctions(t *testing.T) {
	w := setup(t, databaseMode, clinic+`
output "slug" { value = provider::healthcare::slug(" St. Mary's Clinic ") }
output "same" {
  value = provider::healthcare::contract_id("`+"Standalone Network ; February 2017"+`", "DEPLOYER", healthcare_tenant.clinic.id) == healthcare_tenant.clinic.soroban_contract_id
}
output "testnet" { value = provider::healthcare::contract_id("testnet", "DEPLOYER", healthcare_tenant.clinic.id) }
`)
	configuration := w.read("main.tf")
	w.write("main.tf", strings.ReplaceAll(configuration, "DEPLOYER", w.deployer()))
	w.mustApply()
	out := w.outputs()
	if testnet, _ := out["testnet"].(string); out["slug"] != "st_marys_clinic" || out["same"] != true || len(testnet) != 56 || testnet[0] != 'C' {
		t.Errorf("%v", out)
	}
	for _, c := range []struct{ call, words string }{
		{`slug("ab")`, "name has 2 characters; at least 3 are needed"},
		{`contract_id("", "G", "x")`, "network is empty"},
		{`contract_id("testnet", "GABC", "01a2032d-a32c-7643-bc92-bd01bfc32875")`, "is not an account address"},
		{`contract_id("testnet", "` + w.deployer() + `", "x")`, "tenant_id is not a UUID"},
	} {
		w.write("main.tf", header+`output "x" { value = provider::healthcare::`+c.call+` }`)
		if r := w.run("plan", "-no-color"); r.code == 0 || !strings.Contains(collapseSpace(r.out), c.words) {
			t.Errorf("%s: exit code %d, want %q in: %s", c.call, r.code, c.words, collapseSpace(r.out))
		}
	}
	w.write("main.tf", header+`variable "seed" {}
output "x" { value = provider::healthcare::contract_id("testnet", var.seed, "01a2032d-a32c-7643-bc92-bd01bfc32875") }`)
	w.env["TF_VAR_seed"] = w.seed
	if r := w.run("plan", "-no-color"); r.code == 0 || !strings.Contains(collapseSpace(r.out), "deployer is a secret key") {
		t.Errorf("exit code %d: %s", r.code, r.out)
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
