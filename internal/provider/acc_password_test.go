package provider_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-testing/config"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
)

const (
	password = "correct horse battery staple"
	another  = "Tr0ub4dor&3 is another one"
)

// withPassword returns the documentation's example with another password version.
func withPassword(t *testing.T, version string) string {
	t.Helper()
	return strings.Replace(example(t, "resources/healthcare_tenant/password.tf"), "admin_password_wo_version = 1 ", "admin_password_wo_version = "+version+" ", 1)
}

// assertPassword fails the test unless the admin of the one live tenant has this
// password, "" for none, and the registry does not contain it. It returns the hash.
func (w *testEnv) assertPassword(password string) string {
	w.t.Helper()
	if stored := w.registry.Tenant().PasswordHash; stored != "" {
		w.t.Errorf("the registry keeps %q", stored)
	}
	hash := w.text(`SELECT coalesce(password_hash, '') FROM ` + w.registry.Tenant().SchemaName + `.users`)
	if password == "" && hash != "" || password != "" && !postgrestest.Verifies(hash, password) {
		w.t.Errorf("the admin's password is another one: %q", hash)
	}
	return hash
}

// withAdminPassword is a step whose configuration gets this password.
func withAdminPassword(password string, step resource.TestStep) resource.TestStep {
	step.ConfigVariables = config.Variables{"admin_password": config.StringVariable(password)}
	return step
}

// setsPassword is a step that sets a password with a version, by this action. The state
// has the version and no password.
func (w *testEnv) setsPassword(password string, version int64, action plancheck.ResourceActionType, configuration string) resource.TestStep {
	step := withAdminPassword(password, planned(configuration, plancheck.ExpectResourceAction(clinicAddress, action)))
	step.ConfigStateChecks = wantValues(clinicAddress, map[string]knownvalue.Check{
		"admin_password_wo": knownvalue.Null(), "admin_password_wo_version": knownvalue.Int64Exact(version), "status": knownvalue.StringExact("ACTIVE"),
	})
	return step
}

// assertFailed fails the test unless the state has a tenant that is FAILED, without its
// password. The server's log does not have it, either.
func (w *testEnv) assertFailed(tainted any, version float64) {
	w.t.Helper()
	s := w.stored()
	if s["tainted"] != tainted || s["status"] != "FAILED" || s["admin_password_wo"] != nil || s["admin_password_wo_version"] != version {
		w.t.Errorf("state %v", s)
	}
	if text := fmt.Sprint(s) + w.serverLog.String(); strings.Contains(text, password) || strings.Contains(text, another) {
		w.t.Error("a password is shown")
	}
}

// TestAccTenant_Password: a version sets the password that is given with it, once. A
// replaced tenant gets the password of the configuration that replaces it.
func TestAccTenant_Password(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		w.env["SOROBAN_MAX_FEE"] = "100"
		var first, second string
		var updated time.Time
		var events int
		w.test(
			withAdminPassword(password, w.refusedAtApply(withPassword(t, "1"), "step DEPLOY_SOROBAN_CONTRACT failed", "The tenant is FAILED and in the state")),
			between(func() {
				w.assertFailed(true, 1)
				if !postgrestest.Verifies(w.registry.Tenant().PasswordHash, password) {
					t.Error("the next attempt does not have it")
				}
				delete(w.env, "SOROBAN_MAX_FEE")
			}),
			w.setsPassword(another, 1, plancheck.ResourceActionDestroyBeforeCreate, withPassword(t, "1")),
			between(func() {
				first = w.assertPassword(another)
				mails := w.mail.Messages() // The first is about the failure.
				if text := mails[len(mails)-1].Text; !strings.Contains(text, "#invitation=") || w.registry.Invitations() != 1 {
					t.Errorf("no invitation: %s", text)
				}
			}),
			// A changed password with the same version is ignored.
			withAdminPassword(password, resource.TestStep{Config: header + withPassword(t, "1"), PlanOnly: true}),
			between(func() {
				updated, events = w.registry.Tenant().UpdatedAt, w.registry.LastEvent()
			}),
			w.setsPassword(password, 2, plancheck.ResourceActionUpdate, withPassword(t, "2")),
			between(func() {
				second = w.assertPassword(password)
				if n := w.registry.Invitations(); n != 0 || w.registry.Tenant().UpdatedAt.Equal(updated) {
					t.Errorf("%d invitations", n)
				}
				if log := strings.Join(w.registry.Events(events), "; "); log != `tenant.update {"changed": {"adminPassword": "set"}}` {
					t.Errorf("audit log: %s", log)
				}
			}),
			// Without both, everything stays.
			planned(clinic, plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionUpdate)),
			between(func() {
				if first == second || w.assertPassword(password) != second {
					t.Error("it was set again")
				}
			}),
		)
	})
}

// TestAccTenant_PasswordOfKnownTenant: a tenant that an update continues, that is adopted
// or imported gets the password of the configuration, too.
func TestAccTenant_PasswordOfKnownTenant(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		w.env["SOROBAN_MAX_FEE"] = "100"
		managed := func(version string) string {
			return `provider "healthcare" { managed_by = "infrastructure/tenants" }` + "\n" + withPassword(t, version)
		}
		w.test(
			withAdminPassword(password, w.refusedAtApply(managed("1"), "step DEPLOY_SOROBAN_CONTRACT failed")),
			between(w.untaint),
			withAdminPassword(another, w.refusedAtApply(managed("2"), "Could not retry tenant")),
			between(func() {
				w.assertFailed(nil, 2)
				delete(w.env, "SOROBAN_MAX_FEE")
			}),
			w.setsPassword(another, 2, plancheck.ResourceActionUpdate, managed("2")),
			between(func() {
				w.assertPassword(another)
				w.forget("clinic")
			}),
			w.setsPassword(password, 3, plancheck.ResourceActionCreate, managed("3")),
			between(func() {
				w.assertPassword(password)
				w.forget("clinic")
			}),
			w.setsPassword(another, 4, plancheck.ResourceActionUpdate, managed("4")+
				"import {\n  to = healthcare_tenant.clinic\n  id = \"name:St. Mary's Clinic\"\n}\n"),
			between(func() { w.assertPassword(another) }),
		)
		if n := w.registry.Count(); n != 1 {
			t.Errorf("%d tenants", n)
		}
	})
}

// TestAccTenant_PasswordRules: a password that cannot be is refused, at plan if it is
// known then.
func TestAccTenant_PasswordRules(t *testing.T) {
	w := framework(t, databaseMode)
	var steps []resource.TestStep
	for value, message := range map[string]string{
		`"eleven char"`:        "The admin_password_wo has 11 characters; at least 12 are needed.",
		`""`:                   "The admin_password_wo is empty; give 12 to 256 characters.",
		`join("", range(200))`: "The admin_password_wo has 490 characters; at most 256 are possible.",
		`"` + password + `\n"`: "The admin_password_wo has a line break or another control character; remove it.",
		`"` + password + ` ADA@st-marys.example"`: "The admin_password_wo has the admin's e-mail address in it; choose one that is harder to guess.",
	} {
		// Through a local: the newest CLI prints the source line of a diagnostic.
		steps = append(steps, w.refused("locals { secret = sensitive("+value+") }\n"+clinicWith("  admin_password_wo = local.secret\n  admin_password_wo_version = 1"),
			"Invalid admin_password_wo", message))
	}
	for lines, message := range map[string]string{
		`admin_password_wo = "it is long enough"`: `Attribute "admin_password_wo_version" must be specified when "admin_password_wo" is specified`,
		`admin_password_wo_version = 1`:           `Attribute "admin_password_wo" must be specified when "admin_password_wo_version" is specified`,
	} {
		steps = append(steps, w.refused(clinicWith("  "+lines), message))
	}
	// An unknown password is checked once it is known.
	later := func(value string) string {
		return "resource \"terraform_data\" \"secret\" { input = " + value + " }\n" +
			clinicWith("  admin_password_wo = terraform_data.secret.output\n  admin_password_wo_version = 1")
	}
	w.test(append(steps,
		w.refusedAtApply(later(`"short"`), "The admin_password_wo has 5 characters; at least 12 are needed."),
		between(func() {
			if n := w.registry.Count(); n != 0 {
				t.Errorf("%d tenants", n)
			}
		}),
		applied(later(`"`+password+`"`)),
		between(func() { w.assertPassword(password) }),
		applied(clinicWith("  admin_password_wo = null\n  admin_password_wo_version = null")),
		between(func() { w.assertPassword(password) }),
	)...)
}
