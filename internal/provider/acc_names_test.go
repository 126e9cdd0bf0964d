package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// tenantConfig returns a resource with an address, a name and further lines.
func tenantConfig(address, name string, lines ...string) string {
	return strings.NewReplacer(`"clinic"`, fmt.Sprintf("%q", address), `"St. Mary's Clinic"`, fmt.Sprintf("%q", name)).Replace(clinicWith(strings.Join(lines, "\n")))
}

// TestAccTenant_NameClashes: a name that is in use or duplicate is refused, once.
func TestAccTenant_NameClashes(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		const twice = "Name is used twice"
		one, other := tenantConfig("one", "St. Mary's Clinic"), tenantConfig("two", "ST. MARY'S clinics")
		w.test(
			w.refusedAtApply(one+tenantConfig("two", " ST. MARY'S clinic "), twice, "another healthcare_tenant of this configuration has this name, too", "name = "),
			w.refusedAtApply(tenantConfig("three", "St. Anna's Clinic")+tenantConfig("four", "St.\u00a0Anna's  Cli\u034fnic"), twice),
			w.refusedAtApply(tenantConfig("five", "St. Eva's Clinic")+tenantConfig("six", "Ｓｔ． Ｅｖａ'ｓ Ｃｌｉｎｉｃ"), twice),
			applied(one+other),
			w.refusedAtApply(one+tenantConfig("two", "St. Mary's Clinic"), "Could not update tenant", "is the name of another live tenant"),
			w.refusedAtApply(one+other+tenantConfig("three", "st. mary's clinic"), "a tenant with this name exists already"),
			w.refusedAtApply(tenantConfig("one", "Another")+tenantConfig("two", "another"), twice),
			applied(one+other),

			// A name of a live tenant that is not in the state.
			between(func() { w.forget("one") }),
			w.refusedAtApply(tenantConfig("new", "st. mary's clinic")+other, "Could not create tenant", "a tenant with this name exists already: St. Mary's Clinic", "import { to = ADDRESS id = "),
			w.refusedAtApply(tenantConfig("new", "st. mary's clinic", `  external_id = "another"`)+other, "a tenant with this name exists already"),
			w.refusedAtApply(tenantConfig("two", "st. mary's clinic"), "Could not update tenant", "is the name of another live tenant", "Choose another name", "depends_on"),
			between(func() { w.wantNameRejections() }),
			// An archived tenant does not occupy its name.
			after(func() {
				w.registry.Archive(0, "St. Mary's Clinic")
			}, resource.TestStep{
				Config:           header + tenantConfig("two", "st. mary's clinic"),
				ConfigPlanChecks: wantAction("healthcare_tenant.two", plancheck.ResourceActionUpdate),
			}),
		)
	})
}

// wantNameRejections expects what the audit log has of the refused names: each refusal once, although
// the provider tries again for a while.
func (w *testEnv) wantNameRejections() {
	w.t.Helper()
	if w.mode == apiMode {
		return // The server records requests.
	}
	var creates, updates int
	got := w.registry.RejectionsOf(audit.CallerTerraform)
	for _, rejection := range got {
		if rejection == "tenant.create: conflict" {
			creates++
		} else if strings.Contains(rejection, "tenant.update: ") {
			updates++
		}
	}
	if creates != 3 || updates != 2 || len(got) != 5 {
		w.t.Errorf("%q", got)
	}
}

// TestAccTenant_ReplacementKeepsName: a tenant that is replaced hands its name over.
func TestAccTenant_ReplacementKeepsName(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		replaced := plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionDestroyBeforeCreate)
		tainted := planned(clinic, replaced)
		tainted.Taint = []string{clinicAddress}
		w.test(
			applied(clinicWith(`  external_id = "a"`)),
			tainted, // An external id stays with the archived tenant.
			planned(clinicWith(`  external_id = "b"`), replaced),
			between(func() {
				if n := w.registry.Count(tenant.StatusArchived); n != 2 {
					t.Errorf("%d tenants are archived", n)
				}
			}),
		)
	})
}

// TestAccTenant_NamesThatDoNotClash: a tenant that is moved, hands its name over, is
// adopted, or has a name that is unknown in the plan.
func TestAccTenant_NamesThatDoNotClash(t *testing.T) {
	w := framework(t, databaseMode)
	const managed = `provider "healthcare" { managed_by = "ci" }`
	moved := managed + tenantConfig("two", "Clinic") + "moved {\n  from = healthcare_tenant.one\n  to   = healthcare_tenant.two\n}\n"
	handed := managed + tenantConfig("two", "Old clinic") + tenantConfig("three", "Clinic", "  depends_on = [healthcare_tenant.two]")
	w.test(
		applied(managed+tenantConfig("one", "Clinic")),
		planned(moved, plancheck.ExpectResourceAction("healthcare_tenant.two", plancheck.ResourceActionNoop)),
		planned(handed,
			plancheck.ExpectResourceAction("healthcare_tenant.two", plancheck.ResourceActionUpdate),
			plancheck.ExpectResourceAction("healthcare_tenant.three", plancheck.ResourceActionCreate)),
		after(func() { w.forget("three") }, planned(handed, plancheck.ExpectResourceAction("healthcare_tenant.three", plancheck.ResourceActionCreate))),
		after(func() {
			if n := w.registry.Count(); n != 2 {
				t.Errorf("%d tenants", n)
			}
		}, applied(handed+"resource \"terraform_data\" \"name\" { input = \"Third\" }\n"+
			strings.Replace(tenantConfig("four", "NAME"), `"NAME"`, "terraform_data.name.output", 1)+
			strings.Replace(tenantConfig("five", "NAME"), `"NAME"`, `"${terraform_data.name.output} 2"`, 1))),
	)
}

// TestAccTenant_ConfusableNames: a name that looks like another one is refused, and possible if one of the two resources says so.
func TestAccTenant_ConfusableNames(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		const latin, cyrillic, allowed = "Clinic A", "Сlinic A", "  allow_confusable_name = true"
		one, other := tenantConfig("one", latin), tenantConfig("two", cyrillic)
		second := tenantConfig("two", cyrillic, "  depends_on = [healthcare_tenant.one]")
		wards := tenantConfig("one", "Ward 1") + tenantConfig("two", "Ward I")
		w.test(
			w.refusedAtApply(one+second, `looks like "Clinic A"`, "allow_confusable_name"),
			applied(one),
			between(func() { w.forget("one") }),
			w.refusedAtApply(other, "Could not create tenant", `looks like "Clinic A", the name of the tenant`, "or set allow_confusable_name if both are meant"),
			applied(tenantConfig("two", "Another")),
			w.refusedAtApply(other, `looks like "Clinic A"`, "allow_confusable_name"),
			applied(tenantConfig("two", cyrillic, allowed)),
			planned(tenantConfig("two", cyrillic, allowed), plancheck.ExpectResourceAction("healthcare_tenant.two", plancheck.ResourceActionNoop)),
			w.refusedAtApply(tenantConfig("two", cyrillic, "  allow_confusable_name = false"), `looks like "Clinic A"`),
			between(func() { w.registry.Archive(0, latin) }),
			applied(wards),
		)
	})
}
