//go:build unix

package main

import (
	"context"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
)

// startNetwork starts a Stellar network that closes ten ledgers a second, with a
// deployer that has funds.
func (b *bench) startNetwork(ctx context.Context) (stop func(), err error) {
	network, err := stellarnet.Start(ctx, stellarnet.Options{LedgerClose: 100 * time.Millisecond})
	if err != nil {
		return nil, err
	}
	stop = func() { _ = network.Close() }
	deployer, err := keypair.Random()
	if err == nil {
		err = network.Fund(deployer.Address(), 1_000_000*10_000_000) //nolint:contextcheck // it takes none
	}
	if err != nil {
		stop()
		return nil, err
	}
	b.chain = []string{
		"SOROBAN_NETWORK=local", "SOROBAN_RPC_URL=" + network.RPCURL(), "SOROBAN_NETWORK_PASSPHRASE=" + network.Passphrase(),
		"SOROBAN_CONTRACT_DEPLOYER_SECRET=" + deployer.Seed(),
	}
	return stop, nil
}
