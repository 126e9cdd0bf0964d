package telemetry

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// statsMaxAge is how long statistics are cached: reading them scans the whole
// transaction log.
const statsMaxAge = time.Minute

// contractStates are all states that a contract can have, once it was checked.
var contractStates = []contracts.State{contracts.StateLive, contracts.StateExpiring, contracts.StateExpired, contracts.StateMissing, contracts.StateMismatch}

// stellar are the metrics of contracts and of the accounts that pay for them.
type stellar struct {
	lowBalanceLimit int64

	transactions, fees, spend, deployer, lowBalance, channels, lowestChannelBalance, contracts, reconcileErrors, networkProtocol, knownProtocol *prometheus.Desc
}

// RegisterStellar registers the cost of contracts and the balances that pay for them:
//
//	healthcare_stellar_transactions_total{purpose}       applied, with or without success
//	healthcare_stellar_fee_stroops_total{purpose}        what they cost
//	healthcare_tenant_fee_stroops                        histogram of tenants by their total fees
//	healthcare_stellar_deployer_balance_stroops          as last read
//	healthcare_stellar_deployer_low_balance_stroops      the account needs funding below this
//	healthcare_stellar_channels{state}                   free, in_use, quarantined, disabled
//	healthcare_stellar_channel_lowest_balance_stroops    of the channels that are not disabled
//	healthcare_stellar_network_protocol_version          as last read
//	healthcare_stellar_known_protocol_version            the newest that this program can decode
//	healthcare_contracts{state}                          as of the last check of each
//	healthcare_contracts_reconcile_errors                whose last reconciliation failed
//
// Unknown values are omitted, not exported as zero. read returns the registry's statistics; low is
// the balance, in stroops, below which the deployer needs funding.
func RegisterStellar(r prometheus.Registerer, low int64, log *slog.Logger, read func(context.Context) (contracts.StellarStats, error)) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return desc("healthcare_"+name, help, labels...)
	}
	s := &stellar{
		lowBalanceLimit:      low,
		transactions:         desc("stellar_transactions_total", "Stellar transactions that were applied.", "purpose"),
		fees:                 desc("stellar_fee_stroops_total", "Fees charged for Stellar transactions.", "purpose"),
		spend:                desc("tenant_fee_stroops", "Tenants by the total fees of their transactions."),
		deployer:             desc("stellar_deployer_balance_stroops", "Balance of the deployer account."),
		lowBalance:           desc("stellar_deployer_low_balance_stroops", "Balance below which the deployer account needs funding."),
		channels:             desc("stellar_channels", "Channel accounts.", "state"),
		lowestChannelBalance: desc("stellar_channel_lowest_balance_stroops", "Lowest balance of the channel accounts that are not disabled."),
		networkProtocol:      desc("stellar_network_protocol_version", "Protocol version of the Stellar network."),
		knownProtocol:        desc("stellar_known_protocol_version", "Newest protocol version that this program can decode."),
		contracts:            desc("contracts", "Tenant contracts by on-chain state.", "state"),
		reconcileErrors:      desc("contracts_reconcile_errors", "Contracts whose last reconciliation failed."),
	}
	descriptions := []*prometheus.Desc{s.transactions, s.fees, s.spend, s.deployer, s.lowBalance, s.channels, s.lowestChannelBalance, s.contracts, s.reconcileErrors, s.networkProtocol, s.knownProtocol}
	r.MustRegister(&metricsOf[contracts.StellarStats]{newSource("stellar", statsMaxAge, log, read), descriptions, s.emit})
}

func (s *stellar) emit(stats contracts.StellarStats, to sink) {
	gauge := to.gauge
	for purpose, n := range stats.Transactions {
		to.count(s.transactions, float64(n), string(purpose))
		to.count(s.fees, float64(stats.Stroops[purpose]), string(purpose))
	}
	buckets := map[float64]uint64{}
	for i, bound := range stats.Spend.Bounds {
		buckets[bound] = stats.Spend.CumulativeCounts[i]
	}
	to.out <- prometheus.MustNewConstHistogram(s.spend, stats.Spend.Tenants, stats.Spend.Stroops, buckets)
	gauge(s.lowBalance, float64(s.lowBalanceLimit))
	if stats.DeployerBalance > 0 {
		gauge(s.deployer, float64(stats.DeployerBalance))
	}
	if stats.Protocol.Network > 0 {
		gauge(s.networkProtocol, float64(stats.Protocol.Network))
		gauge(s.knownProtocol, float64(stats.Protocol.Known))
	}
	s.collectChannels(stats.Channels, gauge)
	for _, state := range contractStates {
		gauge(s.contracts, float64(stats.Contracts[state]), string(state))
	}
	gauge(s.reconcileErrors, float64(stats.Failed))
}

func (s *stellar) collectChannels(channels []txlog.Channel, gauge func(*prometheus.Desc, float64, ...string)) {
	if len(channels) == 0 {
		return
	}
	states, lowest := map[txlog.ChannelState]int{}, int64(-1)
	for _, c := range channels {
		state := c.State()
		states[state]++
		if state != txlog.ChannelDisabled && (lowest < 0 || c.Balance < lowest) {
			lowest = c.Balance
		}
	}
	for _, state := range txlog.ChannelStates() {
		gauge(s.channels, float64(states[state]), string(state))
	}
	if lowest >= 0 {
		gauge(s.lowestChannelBalance, float64(lowest))
	}
}
