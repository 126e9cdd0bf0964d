package provider_test

import (
	"strings"
	"testing"

	"github.com/stellar/go-stellar-sdk/keypair"
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

// TestAccProvider_InvalidConfiguration: an error in the configuration is reported once,
// on the attribute, before anything is planned.
func TestAccProvider_InvalidConfiguration(t *testing.T) {
	t.Parallel()
	stranger := keypair.MustRandom()
	for _, c := range []struct {
		name, configuration string
		happens             func(w *testEnv)
		words               []string
	}{
		{"WrongNetwork", `soroban = { network_passphrase = "Another network" }`, nil,
			[]string{`serves the network "Standalone Network ; February 2017", but "Another network" is configured`}},
		{"DeployerMissing", "", func(w *testEnv) { w.env["SOROBAN_CONTRACT_DEPLOYER_SECRET"] = stranger.Seed() },
			[]string{stranger.Address() + " does not exist on this network; fund it"}},
		{"RegistryNewer", "", func(w *testEnv) {
			w.exec(`INSERT INTO healthcare_migrations (version_id, is_applied) VALUES (99, true)`)
		},
			[]string{"the registry is at version 99 and this program knows only", "use the newer release"}},
		{"LoginRefused", "", func(w *testEnv) { w.env["DATABASE_URL"] = strings.Replace(w.env["DATABASE_URL"], "@", "wr0ng@", 1) },
			[]string{"refused the login; check user, password and pg_hba.conf"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := setup(t, databaseMode, `provider "healthcare" { `+c.configuration+" }\n"+severalTenants)
			if c.happens != nil {
				c.happens(w)
			}
			for _, command := range [][]string{{"plan", "-no-color"}, {"apply", "-auto-approve", "-no-color"}} {
				r := w.run(command...)
				if n := strings.Count(r.out, "Error: "); r.code != 1 || n != 1 {
					t.Errorf("%v: exit code %d with %d errors: %s", command, r.code, n, r.out)
				}
				for _, words := range append(c.words, "Provider configuration cannot work", "Nothing was changed", "on main.tf line 6", "skip_checks = true") {
					if !strings.Contains(collapseSpace(r.out), words) {
						t.Errorf("%v: want %q in %s", command, words, collapseSpace(r.out))
					}
				}
				if strings.Contains(r.out, stranger.Seed()) || strings.Contains(r.out, "wr0ng") {
					t.Error("a secret is printed")
				}
			}
			if n := w.count(`SELECT count(*) FROM tenants`); n != 0 {
				t.Errorf("%d tenants", n)
			}
		})
	}

	t.Run("RejectedToken", func(t *testing.T) {
		w := setup(t, apiMode, "provider \"healthcare\" {}\n"+severalTenants)
		w.mode = databaseMode // The CLI's environment is the test's own from here on.
		w.env = map[string]string{"TENANT_API_URL": w.server.url, "TENANT_API_TOKEN": "hck_aaaaaaaaaaaa." + strings.Repeat("A", 43)}
		r := w.run("plan", "-no-color")
		r.wantText(t, "Provider configuration cannot work", "tenant-api did not accept the token")
		if n := strings.Count(r.out, "Error: "); n != 1 {
			t.Errorf("%d errors: %s", n, r.out)
		}
	})

	t.Run("LowDeployerBalanceWarns", func(t *testing.T) {
		w := setup(t, databaseMode, clinic)
		w.mustApply()
		poor := keypair.MustRandom()
		if err := w.net.Fund(poor.Address(), 10_000_000); err != nil {
			t.Fatal(err)
		}
		w.env["SOROBAN_CONTRACT_DEPLOYER_SECRET"] = poor.Seed()
		w.run("plan", "-no-color").wantText(t, "Deployer cannot pay", "it can pay for no tenant; send it some XLM")
	})

	t.Run("UnreachableServiceIsIgnored", func(t *testing.T) {
		w := setup(t, databaseMode, clinic)
		w.mustApply()
		if err := w.net.Faults().Down(); err != nil {
			t.Fatal(err)
		}
		w.assertNoChanges()
		w.env["DATABASE_URL"] = "postgres://u:" + w.databasePassword + "@127.0.0.1:1/x"
		w.run("plan", "-no-color").wantText(t, "Could not read tenant", "the database does not answer")
	})

	t.Run("SkipChecks", func(t *testing.T) {
		w := setup(t, databaseMode, `provider "healthcare" { skip_checks = true }`+clinic)
		w.mustApply()
		w.env["SOROBAN_CONTRACT_DEPLOYER_SECRET"] = stranger.Seed()
		if r := w.run("destroy", "-auto-approve", "-no-color", "-refresh=false"); r.code != 0 || w.count(`SELECT count(*) FROM tenants WHERE status = 'ARCHIVED'`) != 1 {
			t.Errorf("exit code %d: %s", r.code, r.out)
		}
	})
}
