package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

const ledgersPerDay = 17_280 // Ledgers.

// TestAccTenant_ContractDrift: a plan shows drift of a contract, and an apply repairs it
// in place, or reports why it cannot.
func TestAccTenant_ContractDrift(t *testing.T) {
	t.Parallel()
	contractState := func(w *testEnv) string {
		s, _ := w.state("healthcare_tenant.clinic")["soroban_contract_state"].(string)
		return s
	}
	for _, c := range []struct {
		name, shows string
		happens     func(w *testEnv)
	}{
		{"AboutToExpire", "EXPIRING", func(w *testEnv) { w.advanceLedgers(117 * ledgersPerDay) }},
		{"Archived", "EXPIRED", func(w *testEnv) { w.advanceLedgers(121 * ledgersPerDay) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBothModes(t, func(t *testing.T, m mode) {
				w := setup(t, m, clinic)
				w.mustApply()
				w.assertNoChanges()
				if got := contractState(w); got != string(contracts.StateLive) {
					t.Errorf("after create it is %q", got)
				}
				c.happens(w)
				r := w.run("plan", "-no-color", "-detailed-exitcode")
				if want := `soroban_contract_state = "` + c.shows + `" -> "LIVE"`; r.code != 2 || !strings.Contains(collapseSpace(r.out), want) || !strings.Contains(r.out, "1 to change") {
					t.Fatalf("exit code %d, want %q in the plan:\n%s", r.code, want, r.out)
				}
				w.mustApply()
				w.assertNoChanges()
				if got := contractState(w); got != string(contracts.StateLive) {
					t.Errorf("after apply it is %q", got)
				}
				w.assertOneTenant()
			})
		})
	}

	t.Run("NoDriftBeforeExpiry", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, clinic)
			w.mustApply()
			w.advanceLedgers(100 * ledgersPerDay) // A running worker would have extended it by now.
			w.assertNoChanges()
		})
	})

	t.Run("MismatchedCode", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, clinic)
			w.mustApply()
			w.upgradeContract(fmt.Sprint(w.state("healthcare_tenant.clinic")["id"]))
			r := w.run("plan", "-no-color")
			for _, words := range []string{"Contract mismatch", "it runs code", "Nothing was changed"} {
				if r.code == 0 || !strings.Contains(collapseSpace(r.out), words) {
					t.Errorf("exit code %d, want %q in:\n%s", r.code, words, r.out)
				}
			}
			if r := w.run("destroy", "-auto-approve", "-no-color", "-refresh=false"); r.code != 0 || m == databaseMode && !strings.Contains(r.out, "Contract status not updated") {
				t.Errorf("exit code %d: %s", r.code, r.out)
			}
		})
	})

	t.Run("NetworkOutageIsNotDrift", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, clinic)
			w.mustApply()
			if err := w.net.Faults().Down(); err != nil {
				t.Fatal(err)
			}
			w.assertNoChanges()
			if got := contractState(w); got != string(contracts.StateLive) {
				t.Errorf("it is %q", got)
			}
			r := w.run("destroy", "-auto-approve", "-no-color")
			if r.code != 0 || m == databaseMode && !strings.Contains(r.out, "Contract status not updated") {
				t.Errorf("exit code %d: %s", r.code, r.out)
			}
			if got := w.text(`SELECT status::text FROM tenants`); got != "ARCHIVED" {
				t.Errorf("the tenant is %s", got)
			}
		})
	})

	t.Run("DestroyUpdatesContractStatus", func(t *testing.T) {
		w := setup(t, databaseMode, clinic)
		w.mustApply()
		r := w.run("destroy", "-auto-approve", "-no-color")
		if r.code != 0 || strings.Contains(r.out, "Contract status not updated") {
			t.Errorf("exit code %d: %s", r.code, r.out)
		}
		if got := w.text(`SELECT contract_status FROM tenant_contracts`); got != "ARCHIVED" {
			t.Errorf("contract_status is %s", got)
		}
	})

	t.Run("ProvisionsOnChannelAccounts", func(t *testing.T) {
		w := setup(t, databaseMode, strings.Replace(clinic, `name             = "St. Mary's Clinic"`, "count = 12\n  name = \"Clinic ${count.index}\"", 1))
		w.env["SOROBAN_CHANNELS"] = "6"
		w.mustApply("-parallelism=12")
		w.assertNoChanges()
		if n := w.count(`SELECT count(DISTINCT source) FROM stellar_transactions WHERE purpose = 'CREATE'`); n < 4 {
			t.Errorf("%d accounts carried the contracts", n)
		}
		if n := w.count(`SELECT count(*) FROM tenants WHERE status = 'ACTIVE'`); n != 12 {
			t.Errorf("%d tenants", n)
		}
	})
}

// advanceLedgers closes ledgers on the local network.
func (w *testEnv) advanceLedgers(ledgers uint32) {
	w.t.Helper()
	if _, err := w.net.CloseLedgers(w.t.Context(), ledgers); err != nil {
		w.t.Fatal(err)
	}
}

// upgradeContract upgrades a contract as a newer release would.
func (w *testEnv) upgradeContract(tenantID string) {
	w.t.Helper()
	db, err := postgres.Open(w.t.Context(), pgdb.Options{URL: w.env["DATABASE_URL"]})
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	d, err := soroban.New(soroban.Options{
		Passphrase: w.net.Passphrase(), RPCURL: w.net.RPCURL(), DeployerSecret: w.seed,
		Code: soroban.Code{Wasm: append(contract.Wasm(), 0, 3, 1, 'x', 'y'), Predecessors: [][32]byte{contract.Hash()}},
	})
	if err == nil {
		_, err = d.ChangeContract(w.t.Context(), db.SystemLog(), uuid.MustParse(tenantID), contracts.Change{Purpose: txlog.PurposeUpgrade})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// collapseSpace replaces line breaks and alignment with single spaces.
func collapseSpace(s string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(s, "│", " ")), " ")
}
