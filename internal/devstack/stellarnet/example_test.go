package stellarnet_test

import (
	"context"
	"fmt"
	"log"

	"github.com/stellar/go-stellar-sdk/clients/rpcclient"
	"github.com/stellar/go-stellar-sdk/keypair"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
)

// A network for tests of a client of Stellar RPC: it has the real Soroban host, and closes
// ledgers when it is told to.
func ExampleStart() {
	ctx := context.Background()
	network, err := stellarnet.Start(ctx, stellarnet.Options{Manual: true})
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = network.Close() }()

	account := keypair.MustRandom()
	if err := network.Fund(account.Address(), 100*10_000_000); err != nil { // Stroops: 100 XLM.
		log.Fatal(err)
	}
	client := rpcclient.NewClient(network.RPCURL(), nil)
	health, err := client.GetHealth(ctx)
	if err != nil {
		log.Fatal(err)
	}
	before := health.LatestLedger
	if _, err := network.CloseLedgers(ctx, 3); err != nil {
		log.Fatal(err)
	}
	health, err = client.GetHealth(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(health.Status, health.LatestLedger-before)
	// Output: healthy 3
}
