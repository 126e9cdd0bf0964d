package provider_test

import (
	"strings"
	"testing"
)

// clinicWith returns the smallest configuration with further lines.
func clinicWith(lines string) string {
	return strings.Replace(clinic, "  admin_email ", lines+"\n  admin_email ", 1)
}

func TestAccTenant_Metadata(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setup(t, m, "resource \"terraform_data\" \"region\" { input = \"eu\" }\n"+
			clinicWith(`  external_id = "crm-1"`+"\n  metadata = { region = terraform_data.region.output, note = \"\" }"))
		w.mustApply() // One value is unknown in the plan.
		w.assertNoChanges()
		if got := w.text(`SELECT metadata::text FROM tenants`); got != `{"note": "", "region": "eu"}` {
			t.Errorf("metadata %s", got)
		}
		id, _ := w.state("healthcare_tenant.clinic")["id"].(string)
		w.run("state", "rm", "healthcare_tenant.clinic")
		if r := w.run("import", "-no-color", "healthcare_tenant.clinic", id); r.code != 0 {
			t.Fatalf("import: %s", r.out)
		}
		w.assertNoChanges()
		for _, lines := range []string{"", "  metadata = {}", "  metadata = { a = \"b\" }", "  metadata = {}", ""} {
			w.write("main.tf", header+clinicWith(`  external_id = "crm-1"`+"\n"+lines))
			w.mustApply()
			w.assertNoChanges()
		}
		if got := w.text(`SELECT metadata::text FROM tenants`); got != `{}` {
			t.Errorf("metadata %s", got)
		}
		w.write("main.tf", header+clinicWith("  metadata = { region = null }"))
		w.run("validate", "-no-color").wantText(t, `The metadata has no value under key "region"`)
		// Changed outside: the plan shows it.
		w.write("main.tf", header+clinicWith(`  external_id = "crm-1"`))
		w.exec(`UPDATE tenants SET metadata = '{"by": "hand"}', name = 'Other', name_key = 'other'`)
		if r := w.run("plan", "-detailed-exitcode", "-no-color"); r.code != 2 || !strings.Contains(r.out, "0 to add, 1 to change, 0 to destroy") {
			t.Errorf("plan ended with %d: %s", r.code, r.out)
		}
		w.mustApply()
		if got := w.text(`SELECT name || metadata::text FROM tenants`); got != `St. Mary's Clinic{}` {
			t.Errorf("stored %s", got)
		}
	})
}

func TestAccTenant_ManagedByChanges(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		manager := func(who string) string { return "provider \"healthcare\" { managed_by = \"" + who + "\" }\n" }
		w := setup(t, m, manager("one")+clinic)
		w.mustApply()
		stored := func(want string) {
			t.Helper()
			if got := w.text(`SELECT coalesce(managed_by, 'nobody') FROM tenants WHERE status = 'ACTIVE'`); got != want {
				t.Errorf("managed by %s, want %s", got, want)
			}
		}
		stored("one")
		for _, c := range []struct{ provider, who, name string }{
			{manager("two"), "two", "Clinic Two"},
			{"", "nobody", "Clinic Three"},
		} {
			before := w.text(`SELECT coalesce(managed_by, 'nobody') FROM tenants`)
			last := w.text(`SELECT name FROM tenants`)
			w.write("main.tf", header+c.provider+strings.Replace(clinic, "St. Mary's Clinic", last, 1))
			w.assertNoChanges()
			stored(before)
			w.write("main.tf", header+c.provider+strings.Replace(clinic, "St. Mary's Clinic", c.name, 1))
			w.mustApply().wantText(t, "0 added, 1 changed, 0 destroyed")
			stored(c.who)
		}
	})
}

func TestAccTenant_Replacement(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setup(t, m, clinicWith(`  external_id = "crm-1"`))
		w.mustApply()
		first := w.state("healthcare_tenant.clinic")["id"]

		// The name is taken until the old tenant is archived.
		w.write("main.tf", header+clinicWith("  external_id = \"crm-2\"\n  lifecycle { create_before_destroy = true }"))
		w.apply().wantText(t, "a tenant with this name exists already", "remove create_before_destroy")
		if s := w.state("healthcare_tenant.clinic"); s["id"] != first || s["tainted"] == true {
			t.Errorf("state %v", s)
		}
		w.write("main.tf", header+clinicWith(`  external_id = "crm-2"`))
		w.mustApply().wantText(t, "1 added, 0 changed, 1 destroyed")
		second := w.state("healthcare_tenant.clinic")["id"]
		if second == first || w.count(`SELECT count(*) FROM tenants WHERE status = 'ARCHIVED' AND id::text = $1`, first) != 1 {
			t.Error("the first tenant was not archived")
		}
		// An extra space does not change the name, and causes no permanent difference.
		w.write("main.tf", header+strings.Replace(clinicWith(`  external_id = "crm-2"`), `Clinic"`, `Clinic "`, 1))
		w.mustApply()
		w.assertNoChanges()
		if w.state("healthcare_tenant.clinic")["id"] != second {
			t.Error("another tenant")
		}
	})
}
