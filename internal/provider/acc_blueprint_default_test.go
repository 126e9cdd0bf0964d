package provider_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
)

// publishClinic publishes postgrestest.ClinicBlueprint.
func (w *testEnv) publishClinic() {
	w.t.Helper()
	db, err := postgres.Open(w.t.Context(), pgdb.Options{URL: w.env["DATABASE_URL"]})
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	postgrestest.PublishBlueprint(w.t, db, postgrestest.ClinicBlueprint())
}

// ofClinic is the smallest configuration of a tenant that is made from the blueprint clinic.
func ofClinic(variables string) string {
	return clinicWith("  blueprint = \"clinic\"\n  variables = " + variables)
}

// exactly expects a map with these texts.
func exactly(values map[string]string) knownvalue.Check {
	checks := map[string]knownvalue.Check{}
	for key, value := range values {
		checks[key] = knownvalue.StringExact(value)
	}
	return knownvalue.MapExact(checks)
}

// TestAccTenant_DefaultBlueprint: without a blueprint in the configuration it is the provider's
// default, or the server's, which is not known in the plan.
func TestAccTenant_DefaultBlueprint(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		w.publishClinic()
		at := tfjsonpath.New("blueprint")
		expected := plancheck.ExpectKnownValue(clinicAddress, at, knownvalue.StringExact("clinic"))
		if m == apiMode {
			expected = plancheck.ExpectUnknownValue(clinicAddress, at)
		}
		block := ""
		if w.env["DEFAULT_BLUEPRINT"] = "clinic"; m == databaseMode {
			w.env["DEFAULT_BLUEPRINT"], block = "lab", "provider \"healthcare\" {\n  database = { default_blueprint = \"clinic\" }\n}\n"
		}
		configuration := clinicWith(`  variables = { region = "eu" }`)
		w.test(
			resource.TestStep{
				Config:           header + block + configuration,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{expected}},
				ConfigStateChecks: wantValues(clinicAddress, map[string]knownvalue.Check{
					"blueprint": knownvalue.StringExact("clinic"), "blueprint_schema_version": knownvalue.Int64Exact(1),
				}),
			},
			// Another default changes nothing about a tenant that exists.
			after(func() { w.env["DEFAULT_BLUEPRINT"] = "standard" },
				planned(strings.Replace(block, "clinic", "standard", 1)+configuration, plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionNoop))),
		)
	})
}

func TestAccTenant_ListsByBlueprint(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		w.publishClinic()
		standard := strings.NewReplacer(`"clinic"`, `"standard"`, "St. Mary's Clinic", "Standard Clinic").Replace(clinic)
		configuration := ofClinic(`{ region = "eu" }`) + standard + `
data "healthcare_tenants" "clinic" {
  blueprint  = "clinic"
  depends_on = [healthcare_tenant.clinic, healthcare_tenant.standard]
}
data "healthcare_tenant" "clinic" { id = healthcare_tenant.clinic.id }
data "healthcare_tenant" "standard" { id = healthcare_tenant.standard.id }
`
		checks := wantValues("data.healthcare_tenants.clinic", listed("name", "St. Mary's Clinic"))
		for name, variables := range map[string]map[string]string{"clinic": {"region": "eu"}, "standard": {}} {
			checks = append(checks, wantValues("data.healthcare_tenant."+name, map[string]knownvalue.Check{
				"blueprint": knownvalue.StringExact(name), "variables": exactly(variables), "blueprint_schema_version": knownvalue.Int64Exact(1),
			})...)
		}
		w.test(
			w.refused(`data "healthcare_tenants" "x" { blueprint = "A" }`, `The blueprint is "A"; write lower-case letters`),
			applied(configuration, checks...),
		)
	})
}
