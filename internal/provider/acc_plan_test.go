package provider_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/compare"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// clinicWith returns the smallest configuration with further lines.
func clinicWith(lines string) string {
	return strings.Replace(clinic, "  admin_email ", lines+"\n  admin_email ", 1)
}

func TestAccTenant_Metadata(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		steps := []resource.TestStep{
			{ // One value is unknown in the plan.
				Config: header + "resource \"terraform_data\" \"region\" { input = \"eu\" }\n" +
					clinicWith(`  external_id = "crm-1"`+"\n  metadata = { region = terraform_data.region.output, note = \"\" }"),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectUnknownValue(clinicAddress, tfjsonpath.New("metadata").AtMapKey("region")),
				}},
				ConfigStateChecks: wantValues(clinicAddress, map[string]knownvalue.Check{
					"metadata": knownvalue.MapExact(map[string]knownvalue.Check{"region": knownvalue.StringExact("eu"), "note": knownvalue.StringExact("")}),
				}),
			},
			{ResourceName: clinicAddress, ImportState: true, ImportStateVerify: true, ImportStateVerifyIgnore: notImported},
		}
		for lines, want := range map[string]knownvalue.Check{
			"":                           knownvalue.Null(),
			"  metadata = {}":            knownvalue.MapSizeExact(0),
			"  metadata = { a = \"b\" }": knownvalue.MapExact(map[string]knownvalue.Check{"a": knownvalue.StringExact("b")}),
		} {
			steps = append(steps, resource.TestStep{
				Config:            header + clinicWith(`  external_id = "crm-1"`+"\n"+lines),
				ConfigStateChecks: wantValues(clinicAddress, map[string]knownvalue.Check{"metadata": want}),
			})
		}
		w.test(append(steps,
			resource.TestStep{Config: header + clinicWith("  metadata = { region = null }"), ExpectError: regexp.MustCompile(`The\s+metadata\s+has\s+no\s+value\s+under\s+key\s+"region"`)},
			resource.TestStep{ // Changed outside: the plan shows it.
				PreConfig: func() {
					w.registry.Rename("Other", "Lovelace")
					w.registry.SetMetadata(`{"by": "hand"}`)
				},
				Config:           header + clinicWith(`  external_id = "crm-1"`),
				ConfigPlanChecks: wantAction(clinicAddress, plancheck.ResourceActionUpdate),
				ConfigStateChecks: wantValues(clinicAddress, map[string]knownvalue.Check{
					"name": knownvalue.StringExact("St. Mary's Clinic"), "metadata": knownvalue.Null(),
				}),
			})...)
	})
}

func TestAccTenant_ManagedByChanges(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		managed := func(who string) string { return "provider \"healthcare\" { managed_by = \"" + who + "\" }\n" }
		named := func(name string) string { return strings.Replace(clinic, "St. Mary's Clinic", name, 1) }
		var steps []resource.TestStep
		add := func(providerBlock, name string, action plancheck.ResourceActionType, stored string) {
			steps = append(steps, planned(providerBlock+named(name), plancheck.ExpectResourceAction(clinicAddress, action)), between(func() {
				if got := w.registry.Tenant().ManagedBy; got != stored {
					t.Errorf("managed by %q, want %q", got, stored)
				}
			}))
		}
		// A changed managed_by alone changes nothing; the next change of the tenant stores it.
		add(managed("one"), "Clinic One", plancheck.ResourceActionCreate, "one")
		add(managed("two"), "Clinic One", plancheck.ResourceActionNoop, "one")
		add(managed("two"), "Clinic Two", plancheck.ResourceActionUpdate, "two")
		add("", "Clinic Two", plancheck.ResourceActionNoop, "two")
		add("", "Clinic Three", plancheck.ResourceActionUpdate, "")
		w.test(steps...)
	})
}

func TestAccTenant_Replacement(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		sameID, newID := statecheck.CompareValue(compare.ValuesSame()), statecheck.CompareValue(compare.ValuesDiffer())
		id := tfjsonpath.New("id")
		w.test(
			resource.TestStep{
				Config:            header + clinicWith(`  external_id = "crm-1"`),
				ConfigStateChecks: []statecheck.StateCheck{newID.AddStateValue(clinicAddress, id)},
			},
			resource.TestStep{ // The name is taken until the old tenant is archived.
				Config:      header + clinicWith("  external_id = \"crm-2\"\n  lifecycle { create_before_destroy = true }"),
				ExpectError: regexp.MustCompile(`(?s)a\s+tenant\s+with\s+this\s+name\s+exists\s+already.*remove\s+create_before_destroy`),
			},
			resource.TestStep{
				Config:           header + clinicWith(`  external_id = "crm-2"`),
				ConfigPlanChecks: wantAction(clinicAddress, plancheck.ResourceActionDestroyBeforeCreate),
				ConfigStateChecks: []statecheck.StateCheck{
					newID.AddStateValue(clinicAddress, id), sameID.AddStateValue(clinicAddress, id),
				},
			},
			resource.TestStep{ // An extra space does not change the name, and causes no permanent difference.
				Config:            header + strings.Replace(clinicWith(`  external_id = "crm-2"`), `Clinic"`, `Clinic "`, 1),
				ConfigStateChecks: []statecheck.StateCheck{sameID.AddStateValue(clinicAddress, id)},
			},
		)
		if n := w.registry.Count(tenant.StatusArchived); n != 2 {
			t.Errorf("%d tenants are archived", n)
		}
	})
}

// TestAccTenant_QuietPlan: the plan of a change shows what changes, and nothing else.
func TestAccTenant_QuietPlan(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		known := map[string]string{"status": "ACTIVE", "database_state": "IN_SYNC", "soroban_contract_state": "LIVE", "welcome_email_status": "SENT"}
		quiet := []plancheck.PlanCheck{
			plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionUpdate),
			plancheck.ExpectUnknownValue(clinicAddress, tfjsonpath.New("updated_at")),
		}
		for attribute, value := range known {
			quiet = append(quiet, plancheck.ExpectKnownValue(clinicAddress, tfjsonpath.New(attribute), knownvalue.StringExact(value)))
		}
		w.test(
			applied(clinic), resource.TestStep{RefreshState: true},
			resource.TestStep{Config: header + clinicWith(`  metadata = { region = "eu" }`), ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: quiet}},
			// Another mail was sent meanwhile, and failed: the apply keeps what it planned, and the next plan shows it.
			resource.TestStep{Config: header + clinicWith(`  metadata = { region = "us" }`), ExpectNonEmptyPlan: true,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: append(slices.Clone(quiet), during(func() { w.registry.FailMail() }))}},
			resource.TestStep{Config: header + clinicWith(`  metadata = { region = "us" }`), ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
				plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionUpdate),
				plancheck.ExpectUnknownValue(clinicAddress, tfjsonpath.New("welcome_email_status")),
				plancheck.ExpectKnownValue(clinicAddress, tfjsonpath.New("status"), knownvalue.StringExact("ACTIVE")),
			}}},
		)
	})
}

// during is a check that does something between plan and apply.
type during func()

func (d during) CheckPlan(context.Context, plancheck.CheckPlanRequest, *plancheck.CheckPlanResponse) {
	d()
}
