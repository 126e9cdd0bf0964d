package provider_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/stellar/go-stellar-sdk/keypair"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// severalTenants has several tenants, each of which would have its own error.
const severalTenants = `
resource "healthcare_tenant" "clinic" {
  count            = 10
  name             = "Clinic ${count.index}"
  admin_email      = "ada@clinic.example"
  admin_first_name = "Ada"
  admin_last_name  = "Lovelace"
}
`

// wrongToken has the form of an API key, and is none.
var wrongToken = "hck_aaaaaaaaaaaa." + strings.Repeat("A", 43)

// TestAccProvider_InvalidConfiguration: an error in the configuration is reported once,
// on the attribute, before anything is planned.
func TestAccProvider_InvalidConfiguration(t *testing.T) {
	w := framework(t, databaseMode)
	refused := func(settings string, words ...string) resource.TestStep {
		return w.refused(`provider "healthcare" { `+settings+" }\n"+severalTenants,
			append(words, "Provider configuration cannot work", "Nothing was changed", "on terraform_plugin_test.tf line 6", "skip_checks = true")...)
	}
	seed, database, stranger := w.seed, w.env["DATABASE_URL"], keypair.MustRandom()
	w.test(
		refused(`soroban = { network = "another", network_passphrase = "Another network" }`,
			`serves the network "Standalone Network ; February 2017", but "Another network" is configured`),
		between(func() { w.seed, w.env["SOROBAN_CONTRACT_DEPLOYER_SECRET"] = stranger.Seed(), stranger.Seed() }),
		refused("", stranger.Address()+" does not exist on this network; fund it"),
		between(func() {
			w.seed, w.env["SOROBAN_CONTRACT_DEPLOYER_SECRET"] = seed, seed
			w.env["DATABASE_URL"] = strings.Replace(database, "@", "wr0ng@", 1)
		}),
		refused("", "refused the login; check user, password and pg_hba.conf"),
		between(func() {
			w.env["DATABASE_URL"] = database
			w.registry.AddVersion(99)
		}),
		refused("", "the registry is at version 99 and this program knows only", "use the newer release"),
	)
	if n := w.registry.Count(); n != 0 {
		t.Errorf("%d tenants", n)
	}
}

// TestAccProvider_RejectedToken: in API mode the server checks the token.
func TestAccProvider_RejectedToken(t *testing.T) {
	w := framework(t, apiMode)
	w.mode = databaseMode // The provider's environment is the test's own from here on.
	w.env = map[string]string{"TENANT_API_URL": w.server.url, "TENANT_API_TOKEN": wrongToken}
	w.test(w.refused("provider \"healthcare\" {}\n"+severalTenants, "Provider configuration cannot work", "tenant-api did not accept the token"))
}

// TestAccProvider_UnreachableServices: a service that does not answer is no error of the
// configuration, and with skip_checks a tenant can be destroyed without a deployer.
func TestAccProvider_UnreachableServices(t *testing.T) {
	w := framework(t, databaseMode)
	database := w.env["DATABASE_URL"]
	fault := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	w.test(
		applied(clinic),
		between(func() { fault(w.net.Faults().Down()) }),
		resource.TestStep{RefreshState: true}, // And nothing to change.
		between(func() { w.env["DATABASE_URL"] = "postgres://u:" + w.databasePassword + "@127.0.0.1:1/x" }),
		w.refused(clinic, "Could not read tenant", "the database does not answer"),
		between(func() {
			fault(w.net.Faults().Up())
			w.env["DATABASE_URL"] = database
		}),
		resource.TestStep{Config: header + "provider \"healthcare\" { skip_checks = true }\n" + clinic, PlanOnly: true},
		between(func() { w.env["SOROBAN_CONTRACT_DEPLOYER_SECRET"] = keypair.MustRandom().Seed() }), // For the destroy.
	)
	if n := w.registry.Count(tenant.StatusArchived); n != 1 {
		t.Errorf("%d tenants are archived", n)
	}
}
