package telemetry

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// figuresGood is how long one reading of the registry serves: it goes through the
// whole transaction log.
const figuresGood = time.Minute

// Stellar tells what contracts cost and what is left to pay for more:
//
//	healthcare_stellar_transactions_total{purpose}       applied, with or without success
//	healthcare_stellar_fee_stroops_total{purpose}        what they cost
//	healthcare_tenant_fee_stroops                        histogram of tenants by what each has cost
//	healthcare_stellar_deployer_balance_stroops          as of the last look
//	healthcare_stellar_deployer_low_balance_stroops      below that somebody should act
//	healthcare_stellar_channels{state}                   free, busy, set_aside, out_of_use
//	healthcare_stellar_channel_lowest_balance_stroops    of the channels in use
//	healthcare_contracts{life}                           as of the last look at each
//	healthcare_contracts_undone                          something was left undone for them
//
// What is not known is left out, and no zero is made up for it.
type Stellar struct {
	read func(context.Context) (provisioning.StellarFigures, error)
	low  int64

	mu    sync.Mutex
	known provisioning.StellarFigures
	at    time.Time

	transactions, fees, spend, deployer, lowBalance, channels, lowest, contracts, undone *prometheus.Desc
}

// NewStellar makes the metrics and registers them. read is the registry's; low is
// the balance, in stroops, below which the deployer needs more.
func NewStellar(r prometheus.Registerer, low int64, read func(context.Context) (provisioning.StellarFigures, error)) *Stellar {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("healthcare_"+name, help, labels, nil)
	}
	s := &Stellar{
		read: read, low: low,
		transactions: desc("stellar_transactions_total", "Stellar transactions that were applied.", "purpose"),
		fees:         desc("stellar_fee_stroops_total", "What Stellar transactions have cost.", "purpose"),
		spend:        desc("tenant_fee_stroops", "Tenants by what the transactions of each have cost."),
		deployer:     desc("stellar_deployer_balance_stroops", "Balance of the deployer account."),
		lowBalance:   desc("stellar_deployer_low_balance_stroops", "Balance below which the deployer account needs more."),
		channels:     desc("stellar_channels", "Channel accounts.", "state"),
		lowest:       desc("stellar_channel_lowest_balance_stroops", "Lowest balance of the channel accounts in use."),
		contracts:    desc("contracts", "Contracts of tenants, as they were found.", "life"),
		undone:       desc("contracts_undone", "Contracts for which something was left undone."),
	}
	r.MustRegister(s)
	return s
}

// Describe is part of prometheus.Collector.
func (s *Stellar) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.transactions, s.fees, s.spend, s.deployer, s.lowBalance, s.channels, s.lowest, s.contracts, s.undone} {
		out <- d
	}
}

// Collect is part of prometheus.Collector.
func (s *Stellar) Collect(out chan<- prometheus.Metric) {
	f, ok := s.figures()
	if !ok {
		return
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	for purpose, n := range f.Transactions {
		out <- prometheus.MustNewConstMetric(s.transactions, prometheus.CounterValue, float64(n), string(purpose))
		out <- prometheus.MustNewConstMetric(s.fees, prometheus.CounterValue, float64(f.Stroops[purpose]), string(purpose))
	}
	buckets := map[float64]uint64{}
	for i, bound := range f.Spend.Bounds {
		buckets[bound] = f.Spend.Below[i]
	}
	out <- prometheus.MustNewConstHistogram(s.spend, f.Spend.Tenants, f.Spend.Stroops, buckets)
	gauge(s.lowBalance, float64(s.low))
	if f.Deployer > 0 {
		gauge(s.deployer, float64(f.Deployer))
	}
	s.collectChannels(f.Channels, gauge)
	for life, n := range f.Contracts {
		gauge(s.contracts, float64(n), string(life))
	}
	gauge(s.undone, float64(f.Undone))
}

func (s *Stellar) collectChannels(channels []provisioning.Channel, gauge func(*prometheus.Desc, float64, ...string)) {
	if len(channels) == 0 {
		return
	}
	states, lowest := map[provisioning.ChannelState]int{}, int64(-1)
	for _, c := range channels {
		state := c.State()
		states[state]++
		if state != provisioning.ChannelOutOfUse && (lowest < 0 || c.Balance < lowest) {
			lowest = c.Balance
		}
	}
	for _, state := range provisioning.ChannelStates() {
		gauge(s.channels, float64(states[state]), string(state))
	}
	if lowest >= 0 {
		gauge(s.lowest, float64(lowest))
	}
}

func (s *Stellar) figures() (provisioning.StellarFigures, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.at.IsZero() && time.Since(s.at) < figuresGood {
		return s.known, true
	}
	ctx, cancel := context.WithTimeout(context.Background(), scrapePatience)
	defer cancel()
	f, err := s.read(ctx)
	if err != nil {
		return f, false
	}
	s.known, s.at = f, time.Now()
	return f, true
}
