//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
)

// chainRun configures one measurement with real contracts.
type chainRun struct {
	channels, tenants int
	ledger            time.Duration
}

// Limits of the deployer in the last run.
const (
	maxRPCCalls = 6.0 // RPC calls for each tenant.
	maxLedgers  = 12  // For 500 tenants on 50 channels.
)

// runChain provisions with real contracts and prints how many tenants fit in a ledger and
// how many RPC calls each takes. The last run has the ledger interval of the public
// network: a laptop's disk cannot commit fifty tenants a second.
func (b *bench) runChain(ctx context.Context) (withinLimits bool, err error) {
	fmt.Printf("\n%-9s %8s %8s %8s %12s %12s %12s %14s\n", "channels", "tenants", "ledger", "ledgers", "per ledger", "per second", "RPC calls", "XLM a tenant")
	withinLimits = true
	for _, r := range []chainRun{{0, 8, time.Second}, {10, 100, time.Second}, {50, 500, 5 * time.Second}} {
		ok, err := b.measureChain(ctx, r)
		if err != nil {
			return false, err
		}
		withinLimits = withinLimits && ok
	}
	fmt.Printf("\nledgers: from the first contract to the last; RPC calls: for each tenant, shared ones included\n")
	fmt.Printf("limits: 500 tenants on 50 channels in at most %d ledgers, less than %.0f calls for each\n", maxLedgers, maxRPCCalls)
	return withinLimits, nil
}

func (b *bench) measureChain(ctx context.Context, r chainRun) (bool, error) {
	network, deployer, err := startNetwork(ctx, r.ledger)
	if err != nil {
		return false, err
	}
	defer func() { _ = network.Close() }()
	url, drop, err := b.database(ctx)
	if err != nil {
		return false, err
	}
	defer drop()
	db, err := postgres.Open(ctx, pgdb.Options{URL: url, MaxConnections: 16})
	if err != nil {
		return false, err
	}
	defer db.Close()
	chain, err := soroban.New(soroban.Options{
		Passphrase: network.Passphrase(), RPCURL: network.RPCURL(), DeployerSecret: deployer.Seed(), Channels: r.channels,
	})
	if err != nil {
		return false, err
	}
	pipeline, err := provisioning.NewPipeline(db, chain, discardMailer{}, provisioning.PipelineOptions{})
	if err != nil {
		return false, err
	}
	service, err := provisioning.NewService(db, pipeline)
	if err != nil {
		return false, err
	}
	if err := b.provision(ctx, service, "First tenant", 1); err != nil { // Uploads the code and creates the channels.
		return false, err
	}
	network.Faults().Reset()
	began := time.Now()
	if err := b.provisionConcurrently(ctx, service, r.tenants, max(2*r.channels, 8)); err != nil {
		return false, err
	}
	return reportChainRun(ctx, db, network, r, time.Since(began))
}

// provisionConcurrently provisions tenants from a number of concurrent callers.
func (b *bench) provisionConcurrently(ctx context.Context, service *provisioning.Service, tenants, callers int) error {
	var wg sync.WaitGroup
	callers = min(callers, tenants)
	errs := make([]error, callers)
	for c := range callers {
		share := tenants / callers
		if c < tenants%callers {
			share++
		}
		wg.Go(func() { errs[c] = b.provision(ctx, service, fmt.Sprintf("Tenant %d", c), share) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func reportChainRun(ctx context.Context, db *postgres.DB, network *stellarnet.Network, r chainRun, took time.Duration) (bool, error) {
	var (
		ledgers int
		stroops float64
	)
	// LIMIT excludes the first tenant's contract, which was created before the measurement.
	err := db.Pool().QueryRow(ctx, `SELECT max(ledger) - min(ledger) + 1, avg(fee_charged)::float8 FROM (
			SELECT ledger, fee_charged FROM stellar_transactions WHERE purpose = 'CREATE' AND state = 'SUCCEEDED' ORDER BY ledger DESC LIMIT $1) x`,
		r.tenants).Scan(&ledgers, &stroops)
	if err != nil {
		return false, err
	}
	calls := 0
	for _, method := range []string{
		protocol.SendTransactionMethodName, protocol.GetTransactionMethodName, protocol.SimulateTransactionMethodName,
		protocol.GetLedgerEntriesMethodName, protocol.GetFeeStatsMethodName, protocol.GetNetworkMethodName,
	} {
		calls += network.Faults().Calls(method)
	}
	each := float64(calls) / float64(r.tenants)
	fmt.Printf("%-9d %8d %8s %8d %12.1f %12.1f %12.1f %14.4f\n", r.channels, r.tenants, r.ledger, ledgers, float64(r.tenants)/float64(ledgers),
		float64(r.tenants)/took.Seconds(), each, stroops/10_000_000)
	return r.tenants < 500 || ledgers <= maxLedgers && each < maxRPCCalls, nil
}
