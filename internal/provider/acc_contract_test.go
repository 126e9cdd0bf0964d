package provider_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

const ledgersPerDay = 17_280 // Ledgers.

// TestAccTenant_ContractDrift: a plan shows drift of a contract, and an apply repairs it
// in place, or reports why it cannot. TestCLITenant_DriftWarnings archives a tenant
// while the network is down.
func TestAccTenant_ContractDrift(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		unchanged := planned(clinic, plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionNoop))
		live := wantAttribute("soroban_contract_state", string(contracts.StateLive))
		w.test(
			applied(clinic, live),
			// A running worker would have extended the contract by now.
			after(func() { w.advanceLedgers(100 * ledgersPerDay) }, unchanged),
			after(func() { w.advanceLedgers(17 * ledgersPerDay) }, planned(clinic, wantChange("soroban_contract_state", "EXPIRING", "LIVE"))),
			after(func() { w.advanceLedgers(121 * ledgersPerDay) }, planned(clinic, wantChange("soroban_contract_state", "EXPIRED", "LIVE"))),
			between(w.assertStoredTenant), // A repair creates no other contract.
			after(func() { w.upgradeContract(fmt.Sprint(w.stored()["id"])) },
				w.refusedAtApply(clinic, "Contract mismatch", "it runs code", "Nothing was changed")),
			// The end of the test archives it nevertheless.
		)
	})
}

// stopNetwork makes the RPC server of the local network stop.
func (w *testEnv) stopNetwork() {
	w.t.Helper()
	if err := w.net.Faults().Down(); err != nil {
		w.t.Fatal(err)
	}
}

// TestAccTenant_DestroyUpdatesContract: the status in the contract follows the tenant's.
func TestAccTenant_DestroyUpdatesContract(t *testing.T) {
	w := framework(t, databaseMode)
	w.test(applied(clinic))
	if got := w.registry.ContractStatus(); got != "ARCHIVED" {
		t.Errorf("contract_status is %s", got)
	}
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
