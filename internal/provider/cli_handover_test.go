package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// TestCLITenant_NameHandedOver: in one apply, a tenant takes the name that another one gives up, in
// whatever order Terraform runs them.
func TestCLITenant_NameHandedOver(t *testing.T) {
	configuration := func(names map[string]string, lines ...string) string {
		var all strings.Builder
		for _, address := range []string{"one", "two", "three"} {
			if name := names[address]; name != "" {
				all.WriteString(tenantConfig(address, name, lines...))
			}
		}
		return header + all.String()
	}
	for what, c := range map[string]struct {
		before, after map[string]string
		archived      int
	}{
		"Renamed":         {map[string]string{"one": "A", "two": "B"}, map[string]string{"one": "B", "two": "C"}, 0},
		"RenamedForNew":   {map[string]string{"two": "B"}, map[string]string{"one": "B", "two": "C"}, 0},
		"Chain":           {map[string]string{"one": "A", "two": "B", "three": "C"}, map[string]string{"one": "B", "two": "C", "three": "D"}, 0},
		"Archived":        {map[string]string{"one": "A", "two": "B"}, map[string]string{"one": "B"}, 1},
		"ArchivedForNew":  {map[string]string{"two": "B"}, map[string]string{"one": "B"}, 1},
		"ChainAndArchive": {map[string]string{"one": "A", "two": "B", "three": "C"}, map[string]string{"one": "B", "two": "C"}, 1},
	} {
		t.Run(what, func(t *testing.T) {
			full := func(names map[string]string) map[string]string {
				all := map[string]string{}
				for address, name := range names {
					all[address] = "Clinic " + name
				}
				return all
			}
			before, after := full(c.before), full(c.after)
			w := setup(t, databaseMode, "")
			w.write("main.tf", configuration(before))
			w.mustApply()
			ids := map[string]string{}
			for address := range before {
				ids[address] = fmt.Sprint(w.state("healthcare_tenant." + address)["id"])
			}
			w.write("main.tf", configuration(after))
			r := w.mustApply()
			if strings.Contains(r.out, "Could not") {
				t.Errorf("it warns: %s", r.out)
			}
			names := w.registry.Live()
			for address, name := range after {
				id := fmt.Sprint(w.state("healthcare_tenant." + address)["id"])
				if ids[address] != "" && ids[address] != id || names[id] != name {
					t.Errorf("%s is %s %q, was %s, want %q", address, id, names[id], ids[address], name)
				}
			}
			if n := w.registry.Count(tenant.StatusArchived); n != c.archived || len(names) != len(after) {
				t.Errorf("%d live, %d archived", len(names), n)
			}
			w.assertNoChanges()
		})
	}
}

// TestCLITenant_NameHandedOver_DependsOn: with depends_on the order is right, also one at a time.
func TestCLITenant_NameHandedOver_DependsOn(t *testing.T) {
	first := tenantConfig("two", "Clinic B")
	w := setup(t, databaseMode, tenantConfig("one", "Clinic A")+first)
	w.mustApply()
	w.write("main.tf", header+tenantConfig("one", "Clinic B", "  depends_on = [healthcare_tenant.two]")+tenantConfig("two", "Clinic C"))
	w.mustApply("-parallelism=1")
	w.assertNoChanges()
}

// TestCLITenant_NameHandedOver_OneAtATime: without depends_on and one at a time, the apply can only
// fail if the taker comes first. It says what to do, nothing is lost, and another apply completes it.
func TestCLITenant_NameHandedOver_OneAtATime(t *testing.T) {
	w := setup(t, databaseMode, tenantConfig("one", "Clinic A")+tenantConfig("two", "Clinic B"))
	w.mustApply()
	w.write("main.tf", header+tenantConfig("one", "Clinic B")+tenantConfig("two", "Clinic C"))
	if r := w.apply("-parallelism=1"); r.code != 0 {
		r.wantText(t, "Could not update tenant", "depends_on", "or apply again")
		w.mustApply("-parallelism=1")
	}
	w.assertNoChanges()
}

// TestCLITenant_NamesSwapped: what no order of operations can do is said by the plan, and refused by
// the apply.
func TestCLITenant_NamesSwapped(t *testing.T) {
	all := func(one, two, three string) string {
		return header + tenantConfig("one", one) + tenantConfig("two", two) + tenantConfig("three", three)
	}
	w := setup(t, databaseMode, "")
	w.write("main.tf", all("Clinic A", "Clinic B", "Clinic C"))
	w.mustApply()
	before := fmt.Sprint(w.registry.Live())
	for _, swapped := range []string{all("Clinic B", "clinic a", "Clinic C"), all("Clinic B", "Clinic C", "Clinic A")} {
		w.write("main.tf", swapped)
		r := w.run("plan", "-no-color")
		r.wantText(t, "Warning: Names are swapped", "Nothing was changed", "Give one of them a third name", "The apply refuses this resource")
		if r.code != 0 || strings.Count(r.out, "Warning: Names are swapped") != 1 {
			t.Errorf("code %d: %s", r.code, r.out)
		}
		r = w.apply()
		r.wantText(t, "Error: Names are swapped", "Nothing was changed", "Give one of them a third name")
		if r.code != 1 || strings.Count(r.out, "Error:") != strings.Count(r.out, "Error: Names are swapped") || fmt.Sprint(w.registry.Live()) != before {
			t.Errorf("code %d, live %v: %s", r.code, w.registry.Live(), r.out)
		}
	}
	w.write("main.tf", all("Clinic B", "Clinic D", "Clinic C")) // As it says.
	w.mustApply()
	w.write("main.tf", all("Clinic B", "Clinic A", "Clinic C"))
	w.mustApply()
	w.assertNoChanges()
}

// TestCLITenant_NameHandedOver_API: the same through a server.
func TestCLITenant_NameHandedOver_API(t *testing.T) {
	w := setup(t, apiMode, tenantConfig("one", "Clinic A")+tenantConfig("two", "Clinic B")+tenantConfig("three", "Clinic C"))
	w.mustApply()
	w.write("main.tf", header+tenantConfig("one", "Clinic B")+tenantConfig("two", "Clinic C")+tenantConfig("four", "Clinic A"))
	w.mustApply()
	w.assertNoChanges()
}

// TestCLITenant_HeldUp: live tenants outside the state hold up their own resources alone, at plan,
// apply and destroy, and each refusal has the block that imports its tenant.
func TestCLITenant_HeldUp(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		all := tenantConfig("one", "Clinic 1") + tenantConfig("two", "Clinic 2", `  external_id = "2"`) + tenantConfig("three", "Clinic 3")
		w := setup(t, m, all)
		w.mustApply()
		ids := map[string]string{}
		for _, address := range []string{"healthcare_tenant.one", "healthcare_tenant.two"} { // As an apply that was killed leaves them.
			ids[address] = fmt.Sprint(w.state(address)["id"])
			w.run("state", "rm", address)
		}
		w.write("main.tf", header+all+tenantConfig("four", "Clinic 4"))
		r := w.run("plan", "-no-color")
		if r.code != 0 {
			t.Errorf("the plan ends with %d: %s", r.code, r.out)
		}
		r = w.apply()
		if r.code != 1 || strings.Count(r.out, "Error:") != 2 || len(w.registry.Live()) != 4 {
			t.Errorf("apply ends with %d, live %v: %s", r.code, w.registry.Live(), r.out)
		}
		blocks := ""
		for address, id := range ids {
			r.wantText(t, fmt.Sprintf("import { to = ADDRESS id = %q }", id))
			blocks += fmt.Sprintf("import {\n  to = %s\n  id = %q\n}\n", address, id)
		}

		// What is in the state is destroyed.
		if r := w.run("plan", "-destroy", "-no-color"); r.code != 0 {
			t.Errorf("plan -destroy ends with %d: %s", r.code, r.out)
		}
		if r := w.run("destroy", "-auto-approve", "-no-color"); r.code != 0 || w.registry.Count(tenant.StatusArchived) != 2 {
			t.Errorf("destroy ends with %d, live %v: %s", r.code, w.registry.Live(), r.out)
		}

		w.write("main.tf", header+all+tenantConfig("four", "Clinic 4")+blocks)
		w.mustApply()
		w.assertNoChanges()
	})
}

// TestCLITenant_AdoptedInOneApply: with managed_by, a resource of another address adopts the tenant
// of the old one. Whichever is first, the state has a live tenant.
func TestCLITenant_AdoptedInOneApply(t *testing.T) {
	const managed = "provider \"healthcare\" { managed_by = \"ci\" }\n"
	w := setup(t, databaseMode, managed+tenantConfig("one", "Clinic"))
	w.mustApply()
	w.write("main.tf", header+managed+tenantConfig("two", "Clinic"))
	w.mustApply()
	if id := fmt.Sprint(w.state("healthcare_tenant.two")["id"]); w.registry.Live()[id] != "Clinic" || len(w.registry.Live()) != 1 {
		t.Errorf("the state has %s, live are %v", id, w.registry.Live())
	}
	w.assertNoChanges()
}
