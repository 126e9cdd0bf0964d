package provider_test

import (
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// wantBool expects a boolean attribute of healthcare_tenant.clinic in the state.
func wantBool(attribute string, value bool) statecheck.StateCheck {
	return statecheck.ExpectKnownValue(clinicAddress, tfjsonpath.New(attribute), knownvalue.Bool(value))
}

// withState adds state checks to a step.
func withState(step resource.TestStep, checks ...statecheck.StateCheck) resource.TestStep {
	step.ConfigStateChecks = append(step.ConfigStateChecks, checks...)
	return step
}

func destroyed(step resource.TestStep) resource.TestStep {
	step.Destroy = true
	return step
}

// moveTenant moves a tenant by the command line, as another person would.
func (w *testEnv) moveTenant(id, move string, flags ...string) {
	w.t.Helper()
	args := append(append([]string{"tenants"}, strings.Fields(move)...), append([]string{id}, flags...)...)
	if out, err := w.apiCommand(w.env, args...).CombinedOutput(); err != nil {
		w.t.Fatalf("%s: %v: %s", move, err, out)
	}
}

// wantContractStatus waits until the contract of the only tenant has a status: in API mode a worker
// writes it.
func (w *testEnv) wantContractStatus(status string) {
	w.t.Helper()
	w.waitFor("the contract says "+status, func() bool { return w.registry.KnownContractStatus() == status })
}

// TestAccTenant_Suspended: suspended in place, and what the configuration leaves out stays as it is.
func TestAccTenant_Suspended(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		const suspended, resumed = "  suspended = true\n", "  suspended = false\n"
		var id string
		elsewhere := func(move string) resource.TestStep {
			return between(func() { w.moveTenant(id, move) })
		}
		w.test(
			withState(applied(clinic), wantBool("suspended", false), wantAttribute("status", "ACTIVE")),
			between(func() { id = w.registry.Tenant().ID }),
			withState(planned(clinicWith(suspended), wantChange("status", "ACTIVE", "SUSPENDED")),
				wantBool("suspended", true), wantAttribute("status", "SUSPENDED"), wantAttribute("database_state", "IN_SYNC"), wantAttribute("soroban_contract_state", "LIVE")),
			between(func() {
				if got := w.registry.Tenant(); got.Status != "SUSPENDED" {
					t.Errorf("%+v", got)
				}
				w.wantContractStatus("SUSPENDED")
			}),
			importStep(""),
			// Not written: not managed.
			withState(planned(clinic, plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionNoop)), wantBool("suspended", true)),
			withState(applied(strings.Replace(clinic, "Lovelace", "Hopper", 1)), wantBool("suspended", true), wantAttribute("status", "SUSPENDED")),
			elsewhere("resume"),
			withState(applied(clinic), wantBool("suspended", false), wantAttribute("status", "ACTIVE")),
			elsewhere("suspend"),
			// Resumed, and another address is invited, in one apply.
			withState(applied(strings.Replace(clinicWith(resumed), "ada@", "grace@", 1)), wantBool("suspended", false), wantAttribute("welcome_email_status", "SENT")),
			between(func() { w.wantContractStatus("ACTIVE") }),
			withState(applied(strings.Replace(clinicWith(suspended), "ada@", "ada@new.", 1)), wantBool("suspended", true)),
			destroyed(resource.TestStep{Config: header + clinicWith(suspended)}),
			// A new one can be suspended from the first apply on.
			withState(applied(clinicWith(suspended)), wantAttribute("status", "SUSPENDED")),
		)
	})
}

// TestAccTenant_LegalHold: set and cleared in place; a destroy archives, and does not purge.
func TestAccTenant_LegalHold(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		hold := func(active, reason string) string {
			return "  legal_hold = { active = " + active + ", reason = \"" + reason + "\" }\n"
		}
		held := func(active bool, reason knownvalue.Check) statecheck.StateCheck {
			return statecheck.ExpectKnownValue(clinicAddress, tfjsonpath.New("legal_hold"), knownvalue.ObjectExact(map[string]knownvalue.Check{"active": knownvalue.Bool(active), "reason": reason}))
		}
		w.test(
			withState(applied(clinic), statecheck.ExpectKnownValue(clinicAddress, tfjsonpath.New("legal_hold"), knownvalue.Null())),
			w.refused(clinicWith(hold("true", "")), "is empty"),
			w.refused(clinicWith("  legal_hold = { active = true }\n"), "The reason of legal_hold is not set; say why"),
			w.refused(clinicWith(hold("true", " padded")), "begins or ends with white space; remove it"),
			withState(applied(clinicWith(hold("true", "Case 17"))), held(true, knownvalue.StringExact("Case 17"))),
			between(func() {
				if got := w.registry.Hold(); got != "Case 17" {
					t.Error(got)
				}
			}),
			withState(applied(clinic), held(true, knownvalue.StringExact("Case 17"))), // Removing it clears nothing.
			importStep(""),
			withState(applied(clinicWith(hold("true", "Case 18"))), held(true, knownvalue.StringExact("Case 18"))),
			withState(applied(clinicWith(hold("false", "Closed"))), held(false, knownvalue.StringExact("Closed"))),
			between(func() {
				if got := w.registry.Hold(); got != "" {
					t.Error(got)
				}
			}),
			withState(applied(clinicWith(hold("true", "Case 19"))), held(true, knownvalue.StringExact("Case 19"))),
			between(func() { w.moveTenant(w.registry.Tenant().ID, "hold clear", "--reason", "Closed") }),
			withState(applied(clinic), held(false, knownvalue.Null())), // Cleared elsewhere.
			applied(clinicWith(hold("true", "Case 20"))),
			destroyed(resource.TestStep{Config: header + clinicWith(hold("true", "Case 20"))}),
		)
	})
}

// TestAccTenant_DeletionPolicy: a destroy purges only where the provider, the hold and the server
// permit it; then name and external id are free.
func TestAccTenant_DeletionPolicy(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		w.env["ALLOW_EARLY_PURGE"] = "true"
		const (
			allowed = "provider \"healthcare\" {\n  allow_purge = true\n}\n"
			policy  = "  external_id = \"crm-1\"\n  deletion_policy = \"PURGE\"\n"
			hold    = "  legal_hold = { active = true, reason = \"Case 17\" }\n"
			cleared = "  legal_hold = { active = false, reason = \"Closed\" }\n"
		)
		with := func(lines string) string { return allowed + clinicWith(policy+lines) }
		w.test(
			applied(clinicWith(policy)),
			destroyed(w.refused(clinicWith(policy), "Purge is not allowed", "Set allow_purge = true in the provider")),
			applied(with(hold)),
			destroyed(w.refused(with(hold), "Tenant is under a legal hold", "Case 17", "clear the hold first")),
			applied(with(cleared)),
			destroyed(resource.TestStep{Config: header + with(cleared)}),
			between(func() {
				if n := w.count(`SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'st_mary%'`); n != 0 {
					t.Errorf("%d schemas", n)
				}
			}),
			applied(with("")),
			destroyed(resource.TestStep{Config: header + with("")}),
		)
	})
}

// TestAccTenant_PurgeContinues: a destroy whose purge fails is continued by the next one.
func TestAccTenant_PurgeContinues(t *testing.T) {
	w := framework(t, databaseMode)
	const configuration = "provider \"healthcare\" {\n  allow_purge = true\n}\n"
	purged := configuration + clinicWith("  deletion_policy = \"PURGE\"\n")
	var restore func()
	w.test(
		applied(purged),
		between(func() { restore = w.holdTables() }),
		destroyed(w.expects(expectedError{duringDestroy, 1, []string{"Could not purge tenant", "is archived, has its data, and stays in the state", "it continues with the purge"}}, purged)),
		between(func() {
			if got := w.registry.Tenant(); got.Status != "ARCHIVED" || w.stored() == nil {
				t.Errorf("%+v, %v", got, w.stored())
			}
			restore()
		}),
		// With the resource in the configuration, the archived tenant is purged, and another one is made.
		planned(purged, plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionDestroyBeforeCreate)),
		between(func() {
			if schemas, live := w.registry.Schemas(), w.registry.Count(tenant.StatusActive); schemas != 1 || live != 1 {
				t.Errorf("%d schemas, %d live tenants", schemas, live)
			}
		}),
	)
}

// TestAccTenant_UnarchiveExisting: Create brings the archived tenant of the external id back.
func TestAccTenant_UnarchiveExisting(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		const external, existing = "  external_id = \"crm-1\"\n", "  external_id = \"crm-1\"\n  unarchive_existing = true\n"
		var id string
		w.test(
			applied(clinicWith(external)),
			between(func() { id = w.registry.Tenant().ID }),
			destroyed(resource.TestStep{Config: header + clinicWith(external)}),
			w.refusedAtApply(clinicWith(external), "a tenant with this external id exists already", "set unarchive_existing = true"),
			withState(applied(strings.Replace(clinicWith(existing), "Lovelace", "Hopper", 1)), wantAttribute("status", "ACTIVE"), wantAttribute("admin_last_name", "Hopper"), wantAttribute("soroban_contract_state", "LIVE")),
			between(func() {
				if w.stored()["id"] != id {
					t.Error("another tenant")
				}
				w.wantContractStatus("ACTIVE")
			}),
			// Archived elsewhere: it leaves the state, and comes back with the next apply.
			between(func() { w.moveTenant(id, "archive"); w.registry.Archive(time.Hour) }),
			applied(clinicWith(existing)),
			between(func() {
				if w.stored()["id"] != id {
					t.Error("another tenant")
				}
			}),
		)
	})
}
