package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stellar/go-stellar-sdk/keypair"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// What a plan prints, which terraform-plugin-testing does not see: warnings above all.

// TestCLITenant_DriftWarnings: a plan prints what drifted. Archiving prints that the
// contract was not reached.
func TestCLITenant_DriftWarnings(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setup(t, m, clinic)
		w.mustApply()
		s := w.state(clinicAddress)
		wantDrift := func(texts ...string) {
			t.Helper()
			r := w.run("plan", "-no-color", "-detailed-exitcode")
			r.wantText(t, append(texts, `database_state = "DRIFTED" -> "IN_SYNC"`, "It was changed outside Terraform", "0 to add, 1 to change, 0 to destroy")...)
			if r.code != 2 {
				t.Errorf("exit code %d", r.code)
			}
		}
		w.execOn(s, `REVOKE DELETE ON {{schema}}.users FROM {{role}}`, `ALTER ROLE {{role}} LOGIN`)
		wantDrift("on its table users instead of DELETE, INSERT, SELECT, UPDATE", "has LOGIN")
		w.execAsDBA(s, `DROP OWNED BY {{role}}`, `DROP ROLE {{role}}`)
		wantDrift(fmt.Sprintf("the role %s does not exist", s["database_role"]))
		w.mustApply().wantText(t, "0 added, 1 changed, 0 destroyed")
		w.assertOneTenant()

		w.stopNetwork()
		w.assertNoChanges() // Nothing is known of the contract, which is no drift.
		if s := w.state(clinicAddress); s["soroban_contract_state"] != "LIVE" {
			t.Errorf("the contract is %v", s["soroban_contract_state"])
		}
		r := w.run("destroy", "-auto-approve", "-no-color")
		if r.code != 0 || m == databaseMode && !strings.Contains(r.out, "Contract status not updated") {
			t.Errorf("exit code %d: %s", r.code, r.out)
		}
		if got := w.registry.Tenant().Status; got != "ARCHIVED" {
			t.Errorf("the tenant is %s", got)
		}
	})
}

// TestCLITenant_NameWarnings: a plan warns of a name that its apply would find in use.
func TestCLITenant_NameWarnings(t *testing.T) {
	w := setup(t, databaseMode, tenantConfig("one", "Clinic"))
	w.mustApply()
	plan := func(code int, more ...string) result {
		t.Helper()
		r := w.run(append([]string{"plan", "-no-color"}, more...)...)
		if r.code != code {
			t.Errorf("exit code %d: %s", r.code, r.out)
		}
		return r
	}
	w.write("main.tf", header+tenantConfig("two", "Clinic"))
	r := plan(0)
	r.wantText(t, "Warning: Tenant is archived and recreated", "add a moved block, and the tenant stays as it is", "1 to add, 0 to change, 1 to destroy")
	if n := strings.Count(r.out, "Tenant is archived and recreated"); n != 1 {
		t.Errorf("it is reported %d times: %s", n, r.out)
	}
	w.write("main.tf", header+tenantConfig("one", "Clinic")+tenantConfig("two", "Clinic"))
	plan(0, "-refresh=false").wantText(t, "Warning: Name is used twice", "The apply refuses this resource, and goes on with the others")
	w.write("main.tf", header+tenantConfig("one", "Clinic"))
	w.mustApply("-replace=healthcare_tenant.one").wantText(t, "1 added, 0 changed, 1 destroyed")
	w.run("state", "rm", "healthcare_tenant.one")
	w.write("main.tf", header+tenantConfig("new", "clinic", `  external_id = "another"`))
	plan(0).wantText(t, "Warning: Could not create tenant", "a tenant with this name exists already: Clinic")
	w.write("main.tf", header+tenantConfig("new", "Another clinic", `  external_id = "another"`))
	w.mustApply()
	r = w.apply("-replace=healthcare_tenant.new") // Terraform drops warnings of a plan of -replace.
	r.wantText(t, "an external_id stays with the archived tenant")
	if r.code != 1 || w.registry.Named("Another clinic").Status != "ACTIVE" {
		t.Errorf("exit code %d: %s", r.code, r.out)
	}
}

// TestCLITenant_Validate: "validate" reports an invalid value, and needs no settings.
func TestCLITenant_Validate(t *testing.T) {
	w := setup(t, databaseMode, strings.Replace(clinic, "ada@st-marys.example", "nobody", 1))
	w.env = map[string]string{}
	r := w.run("validate", "-no-color")
	r.wantText(t, "admin_email needs exactly one @")
	if r.code == 0 {
		t.Error("it passes")
	}
}

// TestCLITenant_ChannelAccounts: the contracts of tenants that are created at once come
// from several channel accounts.
func TestCLITenant_ChannelAccounts(t *testing.T) {
	w := setup(t, databaseMode, strings.Replace(clinic, `name             = "St. Mary's Clinic"`, "count = 12\n  name = \"Clinic ${count.index}\"", 1))
	w.env["SOROBAN_CHANNELS"] = "6"
	w.mustApply("-parallelism=12")
	w.assertNoChanges()
	if n := w.registry.TransactionSources(txlog.PurposeCreate); n < 4 {
		t.Errorf("%d accounts carried the contracts", n)
	}
	if n := w.registry.Count(tenant.StatusActive); n != 12 {
		t.Errorf("%d tenants", n)
	}
}

// TestCLIProvider_LowDeployerBalanceWarns: the plan says that the deployer cannot pay.
func TestCLIProvider_LowDeployerBalanceWarns(t *testing.T) {
	w := setup(t, databaseMode, clinic)
	poor := keypair.MustRandom()
	if err := w.net.Fund(poor.Address(), 10_000_000); err != nil {
		t.Fatal(err)
	}
	w.env["SOROBAN_CONTRACT_DEPLOYER_SECRET"] = poor.Seed()
	r := w.run("plan", "-no-color")
	r.wantText(t, "Deployer cannot pay", "it can pay for no tenant; send it some XLM")
	if r.code != 0 {
		t.Errorf("plan ended with %d", r.code)
	}
}
