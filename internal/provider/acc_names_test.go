package provider_test

import (
	"fmt"
	"strings"
	"testing"
)

// tenantConfig returns a resource with an address, a name and further lines.
func tenantConfig(address, name string, lines ...string) string {
	return strings.NewReplacer(`"clinic"`, fmt.Sprintf("%q", address), `"St. Mary's Clinic"`, fmt.Sprintf("%q", name)).Replace(clinicWith(strings.Join(lines, "\n")))
}

// TestAccTenant_NameClashes: a plan reports a name that is in use or duplicate,
// and nothing else.
func TestAccTenant_NameClashes(t *testing.T) {
	plan := func(w *testEnv, more ...string) result {
		return w.run(append([]string{"plan", "-no-color"}, more...)...)
	}
	refused := func(t *testing.T, r result, words ...string) {
		t.Helper()
		r.wantText(t, words...)
		if n := strings.Count(r.out, "Error: "); r.code != 1 || n != 1 {
			t.Errorf("exit code %d with %d errors: %s", r.code, n, r.out)
		}
	}
	passes := func(t *testing.T, r result) {
		t.Helper()
		if r.code != 0 {
			t.Errorf("exit code %d: %s", r.code, r.out)
		}
	}

	t.Run("DuplicateInConfiguration", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, tenantConfig("one", "St. Mary's Clinic")+tenantConfig("two", " ST. MARY'S  clinic"))
			passes(t, plan(w)) // Two blanks in the middle are another name.
			w.write("main.tf", header+tenantConfig("one", "St. Mary's Clinic")+tenantConfig("two", " ST. MARY'S clinic "))
			refused(t, plan(w), "Name is used twice", "another healthcare_tenant of this configuration has this name, too", "name = ")
			w.write("main.tf", header+tenantConfig("one", "St. Mary's Clinic"))
			w.mustApply()
			w.write("main.tf", header+tenantConfig("one", "St. Mary's Clinic")+tenantConfig("two", "St. Mary's Clinic"))
			refused(t, plan(w), "Name is used twice")
			refused(t, plan(w, "-refresh=false"), "Name is used twice")
			w.write("main.tf", header+tenantConfig("one", "Another")+tenantConfig("two", "another"))
			refused(t, plan(w), "Name is used twice")
		})
	})

	t.Run("NameOfActiveTenant", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, tenantConfig("one", "Taken")+tenantConfig("two", "Own"))
			w.mustApply()
			w.run("state", "rm", "healthcare_tenant.one")
			w.write("main.tf", header+tenantConfig("new", "taken")+tenantConfig("two", "Own"))
			refused(t, plan(w), "Could not create tenant", "a tenant with this name exists already: Taken", "terraform import ADDRESS")
			w.write("main.tf", header+tenantConfig("new", "taken", `  external_id = "another"`)+tenantConfig("two", "Own"))
			r := plan(w) // Create refuses it, unless it is a replacement's.
			r.wantText(t, "Warning: Could not create tenant", "a tenant with this name exists already: Taken")
			passes(t, r)
			w.write("main.tf", header+tenantConfig("two", "taken"))
			refused(t, plan(w), "Could not rename tenant", "a tenant with this name exists already: Taken", "Choose another name")
			// An archived tenant does not occupy its name.
			w.exec(`UPDATE tenants SET status = 'ARCHIVED', archived_at = now() WHERE name = 'Taken'`)
			w.mustApply()
			w.assertNoChanges()
		})
	})

	// These cases look like a clash but are not.
	t.Run("Replacement", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, tenantConfig("one", "Clinic", `  external_id = "a"`))
			w.mustApply()
			w.write("main.tf", header+tenantConfig("one", "Clinic"))
			w.mustApply("-replace=healthcare_tenant.one").wantText(t, "1 added, 0 changed, 1 destroyed")
			w.run("taint", "healthcare_tenant.one")
			w.mustApply().wantText(t, "1 added, 0 changed, 1 destroyed")
			w.write("main.tf", header+tenantConfig("one", "Clinic", `  external_id = "b"`))
			w.mustApply().wantText(t, "1 added, 0 changed, 1 destroyed")
			w.assertNoChanges()
			if n := w.count(`SELECT count(*) FROM tenants WHERE status = 'ARCHIVED'`); n != 3 {
				t.Errorf("%d archived", n)
			}
		})
	})
	t.Run("Moved", func(t *testing.T) {
		w := setup(t, databaseMode, tenantConfig("one", "Clinic"))
		w.mustApply()
		w.write("main.tf", header+tenantConfig("two", "Clinic"))
		r := plan(w)
		r.wantText(t, "Warning: Tenant is archived and recreated", "add a moved block, and the tenant stays as it is", "1 to add, 0 to change, 1 to destroy")
		if n := strings.Count(r.out, "Tenant is archived and recreated"); n != 1 {
			t.Errorf("it is reported %d times: %s", n, r.out)
		}
		w.write("main.tf", header+tenantConfig("two", "Clinic")+"moved {\n  from = healthcare_tenant.one\n  to   = healthcare_tenant.two\n}\n")
		passes(t, plan(w))
		w.mustApply().wantText(t, "0 added, 0 changed, 0 destroyed")
	})
	t.Run("NameHandedOver", func(t *testing.T) {
		w := setup(t, databaseMode, tenantConfig("one", "Clinic"))
		w.mustApply()
		w.write("main.tf", header+tenantConfig("one", "Old clinic")+tenantConfig("two", "Clinic", "  depends_on = [healthcare_tenant.one]"))
		w.mustApply().wantText(t, "1 added, 1 changed, 0 destroyed")
		w.assertNoChanges()
	})
	t.Run("Adopted", func(t *testing.T) {
		w := setup(t, databaseMode, `provider "healthcare" { managed_by = "ci" }`+tenantConfig("one", "Clinic"))
		w.mustApply()
		w.run("state", "rm", "healthcare_tenant.one")
		w.mustApply()
		if n := w.count(`SELECT count(*) FROM tenants`); n != 1 {
			t.Errorf("%d tenants", n)
		}
	})
	t.Run("UnknownName", func(t *testing.T) {
		w := setup(t, databaseMode, "resource \"terraform_data\" \"name\" { input = \"Clinic\" }\n"+
			strings.Replace(tenantConfig("one", "NAME"), `"NAME"`, "terraform_data.name.output", 1)+strings.Replace(tenantConfig("two", "NAME"), `"NAME"`, `"${terraform_data.name.output} 2"`, 1))
		passes(t, plan(w))
		w.mustApply()
		w.assertNoChanges()
	})
}
