package provider_test

import (
	"fmt"
	"strings"
	"testing"
)

// What a plan prints, which terraform-plugin-testing does not see: warnings above all.

// TestCLITenant_DriftWarnings: a plan prints what drifted. Archiving prints that the
// contract was not reached.
func TestCLITenant_DriftWarnings(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setup(t, m, clinic)
		w.mustApply()
		s := w.state(clinicAddress)
		planned := func(texts ...string) {
			t.Helper()
			r := w.run("plan", "-no-color", "-detailed-exitcode")
			r.wantText(t, append(texts, `database_state = "DRIFTED" -> "IN_SYNC"`, "It was changed outside Terraform", "0 to add, 1 to change, 0 to destroy")...)
			if r.code != 2 {
				t.Errorf("exit code %d", r.code)
			}
		}
		w.execOn(s, `REVOKE DELETE ON {{schema}}.users FROM {{role}}`, `ALTER ROLE {{role}} BYPASSRLS CREATEDB`)
		planned("on its table users instead of DELETE, INSERT, SELECT, UPDATE", "has CREATEDB, BYPASSRLS")
		w.execOn(s, `DROP OWNED BY {{role}}`, `DROP ROLE {{role}}`)
		planned(fmt.Sprintf("the role %s does not exist", s["database_role"]))
		w.mustApply().wantText(t, "0 added, 1 changed, 0 destroyed")
		w.assertOneTenant()

		w.stopNetwork()
		r := w.run("destroy", "-auto-approve", "-no-color")
		if r.code != 0 || m == databaseMode && !strings.Contains(r.out, "Contract status not updated") {
			t.Errorf("exit code %d: %s", r.code, r.out)
		}
		if got := w.text(`SELECT status::text FROM tenants`); got != "ARCHIVED" {
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
	plan(1, "-refresh=false").wantText(t, "Name is used twice")
	w.run("state", "rm", "healthcare_tenant.one")
	w.write("main.tf", header+tenantConfig("new", "clinic", `  external_id = "another"`))
	plan(0).wantText(t, "Warning: Could not create tenant", "a tenant with this name exists already: Clinic")
}
