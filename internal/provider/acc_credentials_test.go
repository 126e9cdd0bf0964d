package provider_test

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-testing/compare"
	"github.com/hashicorp/terraform-plugin-testing/echoprovider"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
)

// openLogin is the ephemeral resource "app" for a tenant's id, which is an expression.
func openLogin(tenantID, ttl string) string {
	return `
ephemeral "healthcare_tenant_database_credentials" "app" {
  tenant_id = ` + tenantID + `
  ttl       = "` + ttl + `"
}
`
}

// echoed copies a value into the state, under the resource echo.app: only the provider
// "echo" can show an ephemeral value to a test.
func echoed(value string) string {
	return `
provider "echo" { data = ` + value + ` }
resource "echo" "app" {}
`
}

// loginChecks expect the login that echo.app shows.
func (w *testEnv) loginChecks() []statecheck.StateCheck {
	database, err := url.Parse(w.env["DATABASE_URL"])
	if err != nil {
		w.t.Fatal(err)
	}
	port, err := strconv.ParseInt(database.Port(), 10, 64)
	if err != nil {
		w.t.Fatal(err)
	}
	data := tfjsonpath.New("data")
	checks := []statecheck.StateCheck{
		statecheck.CompareValuePairs("echo.app", data.AtMapKey("schema_name"), clinicAddress, tfjsonpath.New("schema_name"), compare.ValuesSame()),
		statecheck.CompareValuePairs("echo.app", data.AtMapKey("tenant_id"), clinicAddress, tfjsonpath.New("id"), compare.ValuesSame()),
	}
	for field, check := range map[string]knownvalue.Check{
		"username": knownvalue.StringRegexp(regexp.MustCompile(`^healthcare_login_`)), "password": knownvalue.StringRegexp(regexp.MustCompile(`^.{20,}$`)),
		"host": knownvalue.StringExact(database.Hostname()), "database": knownvalue.StringExact(strings.TrimPrefix(database.Path, "/")),
		"port": knownvalue.Int64Exact(port), "ttl": knownvalue.StringExact("10m"),
		"expires_at": knownvalue.StringFunc(func(text string) error {
			at, err := time.Parse(time.RFC3339, text)
			if in := time.Until(at); in < 0 || in > 10*time.Minute {
				err = errors.Join(err, fmt.Errorf("it expires in %v", in))
			}
			return err
		}),
	} {
		checks = append(checks, statecheck.ExpectKnownValue("echo.app", data.AtMapKey(field), check))
	}
	return checks
}

// TestAccCredentials: a login has what an application needs, it is dropped after each
// command, and there is none for a tenant that is not live.
func TestAccCredentials(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		step := applied(clinic+openLogin("healthcare_tenant.clinic.id", "10m")+echoed("ephemeral.healthcare_tenant_database_credentials.app"), w.loginChecks()...)
		step.Config = strings.Replace(step.Config, "required_providers {", "required_providers {\n    echo = { source = \"healthcare-platform/echo\" }", 1)
		w.testCase(resource.TestCase{
			ProtoV6ProviderFactories: map[string]func() (tfprotov6.ProviderServer, error){"echo": echoprovider.NewProviderServer()},
			Steps:                    []resource.TestStep{step, between(w.assertNoLogins)},
		})
		w.test( // The tenant is archived.
			w.refused(openLogin(`"`+w.registry.Tenant().ID+`"`, "1h"), "opening a login for its schema is not possible while the tenant is ARCHIVED"),
			w.refused(openLogin(`"01a2032d-a32c-7643-bc92-bd01bfc32875"`, "1h"), "there is no tenant 01a2032d-a32c-7643-bc92-bd01bfc32875"),
		)
		w.assertNoLogins()
	})
}

func (w *testEnv) assertNoLogins() {
	w.t.Helper()
	if n := len(w.registry.Logins()); n != 0 {
		w.t.Errorf("%d logins", n)
	}
}

// TestAccCredentials_Reason: the reason is in the audit log, and the platform can require one.
func TestAccCredentials_Reason(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		w.env["CREDENTIAL_REASON"] = "required"
		withReason := func(reason string) string {
			return clinic + strings.Replace(openLogin("healthcare_tenant.clinic.id", "10m"), "ttl ", "reason = \""+reason+"\"\n  ttl ", 1)
		}
		w.test(
			applied(withReason("Ticket 4711")),
			w.refused(clinic+openLogin("healthcare_tenant.clinic.id", "10m"), "reason is missing; say why the login is opened", "CREDENTIAL_REASON is required", `ephemeral "healthcare_tenant_database_credentials" "app"`),
			w.refused(withReason(" Ticket"), "The reason begins or ends with white space; remove it"),
			applied(withReason("Ticket 4712")),
		)
		events := strings.Join(w.registry.Events(0), "\n")
		if !strings.Contains(events, `"reason": "Ticket 4711"`) || !strings.Contains(events, `"reason": "Ticket 4712"`) {
			t.Error(events)
		}
		w.assertNoLogins()
	})
}

func TestAccCredentials_Rules(t *testing.T) {
	w := framework(t, databaseMode)
	const id = `"01a2032d-a32c-7643-bc92-bd01bfc32875"`
	w.test(
		w.refused("provider \"healthcare\" {\n  database = { credential_reason = \"required\" }\n}\n"+openLogin(id, "1h"), "reason is missing; say why the login is opened"),
		w.refused(openLogin(`"what"`, "1h"), "tenant_id is not a UUID"),
		w.refused(openLogin(id, "soon"), "ttl is not a duration"),
		w.refused(openLogin(id, "10s"), "a login is valid for at least a minute and at most 24 hours"),
	)
}
