package provider_test

import (
	"fmt"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
)

// TestAccTenant_Import: the imported state is the state after the create, and an import
// that cannot be is refused with a reason.
func TestAccTenant_Import(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		id := func() string { return w.registry.Tenant().ID }
		is := func(text string) func() string { return func() string { return text } }
		w.test(
			applied(clinic),
			importStep(""), // By its id.
			importStep("name:st. mary's CLINIC"),
			importError(is("name:Nobody"), "there is no tenant named Nobody", "Give the id or name:NAME of a live tenant"),
			importError(is("what"), `"what" is neither a tenant's UUID nor name:NAME`),
			between(func() { w.registry.Archive(0) }),
			importError(id, "it is archived since", "An archived tenant cannot be managed"),
			between(func() {
				w.registry.Unarchive()
				w.forget("clinic")
			}),
			// A live tenant is never adopted by accident.
			w.refusedAtApply(clinic, "a tenant with this name exists already", "import { to = ADDRESS id = ", "was not touched"),
			after(func() {
				if n := w.registry.Count(); n != 1 {
					t.Errorf("%d tenants", n)
				}
			}, planned(clinic+"import {\n  to = healthcare_tenant.clinic\n  id = \"name:St. Mary's Clinic\"\n}\n",
				plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionNoop))),
		)
	})
}

// TestAccTenant_ImportByIdentity: the identity is the tenant's id.
func TestAccTenant_ImportByIdentity(t *testing.T) {
	needsCLI(t, "1.12.0", "1.12.0")
	w := framework(t, databaseMode)
	w.test(
		applied(clinic),
		resource.TestStep{ResourceName: clinicAddress, ImportState: true, ImportStateKind: resource.ImportBlockWithResourceIdentity},
	)
}

// TestAccTenant_ImportGeneratesConfiguration: the configuration that the CLI generates for
// an imported tenant is valid and describes the tenant.
func TestAccTenant_ImportGeneratesConfiguration(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		var id string
		const generated = "healthcare_tenant.generated"
		same := func(attribute, value string) plancheck.PlanCheck {
			return plancheck.ExpectKnownValue(generated, tfjsonpath.New(attribute), knownvalue.StringExact(value))
		}
		w.tenantAPI("blueprints", "publish", w.writeFiles("clinic", clinicBlueprint), "--activate")
		w.test(
			applied(clinicWith(`  external_id = "crm-7"
  blueprint   = "clinic"
  variables   = { region = "us" }
  metadata    = { note = "a \"b\" $${c} %%{d}\n\\ é" }`)),
			between(func() { id = w.registry.Tenant().ID }),
			resource.TestStep{
				Config: header, ResourceName: clinicAddress, ImportState: true, ImportStateKind: resource.ImportBlockWithID, GenerateConfig: true,
				ImportStateIdFunc: func(*terraform.State) (string, error) { return id, nil },
				ImportPlanChecks: resource.ImportPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(generated, plancheck.ResourceActionNoop),
					plancheck.ExpectKnownValue(generated, tfjsonpath.New("metadata"),
						knownvalue.MapExact(map[string]knownvalue.Check{"note": knownvalue.StringExact("a \"b\" ${c} %{d}\n\\ é")})),
					same("name", "St. Mary's Clinic"), same("admin_email", "ada@st-marys.example"), same("external_id", "crm-7"), same("blueprint", "clinic"),
					plancheck.ExpectKnownValue(generated, tfjsonpath.New("variables"), knownvalue.MapExact(map[string]knownvalue.Check{"region": knownvalue.StringExact("us")})),
					plancheck.ExpectKnownValue(generated, tfjsonpath.New("schema_name"), knownvalue.StringFunc(func(name string) error { return sameAs(w.registry.Tenant().SchemaName, name) })),
					plancheck.ExpectKnownValue(generated, tfjsonpath.New("id"), knownvalue.StringFunc(func(got string) error { return sameAs(id, got) })),
				}},
			},
		)
	})
}

func sameAs(want, got string) error {
	if got != want {
		return fmt.Errorf("%q, want %q", got, want)
	}
	return nil
}
