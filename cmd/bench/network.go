//go:build unix

package main

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
)

// startNetwork starts a local Stellar network with a funded deployer account.
func startNetwork(ctx context.Context, ledgerInterval time.Duration) (*stellarnet.Network, *keypair.Full, error) {
	network, err := stellarnet.Start(ctx, stellarnet.Options{LedgerClose: ledgerInterval})
	if err != nil {
		return nil, nil, err
	}
	deployer, err := keypair.Random()
	if err == nil {
		err = network.Fund(deployer.Address(), 1_000_000*10_000_000) //nolint:contextcheck // Fund takes no context
	}
	if err != nil {
		return nil, nil, errors.Join(err, network.Close())
	}
	return network, deployer, nil
}

// apiChannels is the number of channel accounts in measurements of tenant-api and the
// provider.
const apiChannels = 50

// startChain starts the network that measured servers use: ten ledgers a second.
func (b *bench) startChain(ctx context.Context) (stop func(), err error) {
	network, deployer, err := startNetwork(ctx, 100*time.Millisecond)
	if err != nil {
		return nil, err
	}
	b.networkSettings = chainSettings(network, deployer)
	return func() { _ = network.Close() }, nil
}

func chainSettings(network *stellarnet.Network, deployer *keypair.Full) []string {
	return []string{
		"SOROBAN_NETWORK=local", "SOROBAN_RPC_URL=" + network.RPCURL(), "SOROBAN_NETWORK_PASSPHRASE=" + network.Passphrase(),
		"SOROBAN_CONTRACT_DEPLOYER_SECRET=" + deployer.Seed(), "SOROBAN_CHANNELS=" + strconv.Itoa(apiChannels),
	}
}
