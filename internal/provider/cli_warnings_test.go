package provider_test

import (
	"testing"

	"github.com/stellar/go-stellar-sdk/keypair"
)

// TestCLIProvider_LowDeployerBalanceWarns: the plan says that the deployer cannot pay.
func TestCLIProvider_LowDeployerBalanceWarns(t *testing.T) {
	w := setup(t, databaseMode, clinic)
	poor := keypair.MustRandom()
	if err := w.net.Fund(poor.Address(), 10_000_000); err != nil {
		t.Fatal(err)
	}
	w.env["SOROBAN_CONTRACT_DEPLOYER_SECRET"] = poor.Seed()
	r := w.run("plan", "-no-color")
	r.wantText(t, "Deployer cannot pay", "it can pay for no tenant; send it some XLM")
	if r.code != 0 {
		t.Errorf("plan ended with %d", r.code)
	}
}
