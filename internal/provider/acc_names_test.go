package provider_test

import (
	"fmt"
	"strings"
	"testing"
)

// named is a resource of some address, with a name and further lines.
func named(address, name string, lines ...string) string {
	return strings.NewReplacer(`"clinic"`, fmt.Sprintf("%q", address), `"St. Mary's Clinic"`, fmt.Sprintf("%q", name)).Replace(with(strings.Join(lines, "\n")))
}

// TestAccTenant_NameClashes: a name that is taken, or wanted twice, is told at plan,
// and nothing else is.
func TestAccTenant_NameClashes(t *testing.T) {
	plan := func(w *world, more ...string) result {
		return w.run(append([]string{"plan", "-no-color"}, more...)...)
	}
	refused := func(t *testing.T, r result, words ...string) {
		t.Helper()
		r.want(t, words...)
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

	t.Run("TwiceInAConfiguration", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, named("one", "St. Mary's Clinic")+named("two", " ST. MARY'S  clinic"))
			passes(t, plan(w)) // Two blanks in the middle are another name.
			w.write("main.tf", header+named("one", "St. Mary's Clinic")+named("two", " ST. MARY'S clinic "))
			refused(t, plan(w), "Name is used twice", "another healthcare_tenant of this configuration is to have this name, too", "name = ")
			w.write("main.tf", header+named("one", "St. Mary's Clinic"))
			w.mustApply()
			w.write("main.tf", header+named("one", "St. Mary's Clinic")+named("two", "St. Mary's Clinic"))
			refused(t, plan(w), "Name is used twice")
			refused(t, plan(w, "-refresh=false"), "Name is used twice")
			w.write("main.tf", header+named("one", "Another")+named("two", "another"))
			refused(t, plan(w), "Name is used twice")
		})
	})

	t.Run("OfALiveTenant", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, named("one", "Taken")+named("two", "Own"))
			w.mustApply()
			w.run("state", "rm", "healthcare_tenant.one")
			w.write("main.tf", header+named("new", "taken")+named("two", "Own"))
			refused(t, plan(w), "Could not create tenant", "a tenant with this name exists already: Taken", "terraform import ADDRESS")
			w.write("main.tf", header+named("new", "taken", `  external_id = "another"`)+named("two", "Own"))
			r := plan(w) // Create refuses it, unless it is a replacement's.
			r.want(t, "Warning: Could not create tenant", "a tenant with this name exists already: Taken")
			passes(t, r)
			w.write("main.tf", header+named("two", "taken"))
			refused(t, plan(w), "Could not rename tenant", "a tenant with this name exists already: Taken", "Choose another name")
			// One that was archived has no name any more.
			w.exec(`UPDATE tenants SET status = 'ARCHIVED', archived_at = now() WHERE name = 'Taken'`)
			w.mustApply()
			w.noChanges()
		})
	})

	// What looks like a clash, and is none.
	t.Run("ItsOwnReplacement", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, named("one", "Clinic", `  external_id = "a"`))
			w.mustApply()
			w.write("main.tf", header+named("one", "Clinic"))
			w.mustApply("-replace=healthcare_tenant.one").want(t, "1 added, 0 changed, 1 destroyed")
			w.run("taint", "healthcare_tenant.one")
			w.mustApply().want(t, "1 added, 0 changed, 1 destroyed")
			w.write("main.tf", header+named("one", "Clinic", `  external_id = "b"`))
			w.mustApply().want(t, "1 added, 0 changed, 1 destroyed")
			w.noChanges()
			if n := w.count(`SELECT count(*) FROM tenants WHERE status = 'ARCHIVED'`); n != 3 {
				t.Errorf("%d archived", n)
			}
		})
	})
	t.Run("Moved", func(t *testing.T) {
		w := setup(t, inDatabase, named("one", "Clinic"))
		w.mustApply()
		w.write("main.tf", header+named("two", "Clinic"))
		r := plan(w)
		r.want(t, "Warning: Tenant is archived and made anew", "add a moved block, and the tenant stays as it is", "1 to add, 0 to change, 1 to destroy")
		if n := strings.Count(r.out, "Tenant is archived and made anew"); n != 1 {
			t.Errorf("it is said %d times: %s", n, r.out)
		}
		w.write("main.tf", header+named("two", "Clinic")+"moved {\n  from = healthcare_tenant.one\n  to   = healthcare_tenant.two\n}\n")
		passes(t, plan(w))
		w.mustApply().want(t, "0 added, 0 changed, 0 destroyed")
	})
	t.Run("HandedOn", func(t *testing.T) {
		w := setup(t, inDatabase, named("one", "Clinic"))
		w.mustApply()
		w.write("main.tf", header+named("one", "Old clinic")+named("two", "Clinic", "  depends_on = [healthcare_tenant.one]"))
		w.mustApply().want(t, "1 added, 1 changed, 0 destroyed")
		w.noChanges()
	})
	t.Run("Adopted", func(t *testing.T) {
		w := setup(t, inDatabase, `provider "healthcare" { managed_by = "ci" }`+named("one", "Clinic"))
		w.mustApply()
		w.run("state", "rm", "healthcare_tenant.one")
		w.mustApply()
		if n := w.count(`SELECT count(*) FROM tenants`); n != 1 {
			t.Errorf("%d tenants", n)
		}
	})
	t.Run("NotKnownYet", func(t *testing.T) {
		w := setup(t, inDatabase, "resource \"terraform_data\" \"name\" { input = \"Clinic\" }\n"+
			strings.Replace(named("one", "NAME"), `"NAME"`, "terraform_data.name.output", 1)+strings.Replace(named("two", "NAME"), `"NAME"`, `"${terraform_data.name.output} 2"`, 1))
		passes(t, plan(w))
		w.mustApply()
		w.noChanges()
	})
}
