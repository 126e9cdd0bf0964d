package telemetry_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/telemetry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// newStellarRegistry registers the metrics of a registry with these statistics.
func newStellarRegistry(stats contracts.StellarStats, err error) (*prometheus.Registry, *int) {
	r, reads := prometheus.NewRegistry(), 0
	telemetry.RegisterStellar(r, 1_000_000_000, discard, func(context.Context) (contracts.StellarStats, error) {
		reads++
		return stats, err
	})
	return r, &reads
}

func TestStellar(t *testing.T) {
	t.Parallel()
	later := time.Now().Add(time.Hour)
	r, reads := newStellarRegistry(contracts.StellarStats{
		Protocol:        contracts.Protocol{Network: 29, Known: 28},
		DeployerBalance: 990_000_000_000,
		Channels: []txlog.Channel{
			{Index: 0, Balance: 50_000_000}, {Index: 1, Balance: 30_000_000, LeasedUntil: later},
			{Index: 2, Balance: 40_000_000, QuarantinedUntil: later}, {Index: 3, Balance: 1_000, DisabledReason: "too little"}, {Index: 4, Balance: 49_000_000},
		},
		Transactions: map[txlog.Purpose]int64{txlog.PurposeCreate: 12, txlog.PurposeExtend: 2},
		Stroops:      map[txlog.Purpose]int64{txlog.PurposeCreate: 12_000_000, txlog.PurposeExtend: 40},
		Contracts:    map[contracts.State]int64{contracts.StateLive: 11, contracts.StateExpired: 1},
		Failed:       1,
		Spend:        contracts.SpendHistogram{Bounds: []float64{1e5, 1e6}, CumulativeCounts: []uint64{2, 11}, Tenants: 12, Stroops: 13_000_000},
	}, nil)
	if err := testutil.GatherAndCompare(r, strings.NewReader(`
# HELP healthcare_contracts Tenant contracts by on-chain state.
# TYPE healthcare_contracts gauge
healthcare_contracts{state="EXPIRED"} 1
healthcare_contracts{state="EXPIRING"} 0
healthcare_contracts{state="LIVE"} 11
healthcare_contracts{state="MISMATCH"} 0
healthcare_contracts{state="MISSING"} 0
# HELP healthcare_contracts_reconcile_errors Contracts whose last reconciliation failed.
# TYPE healthcare_contracts_reconcile_errors gauge
healthcare_contracts_reconcile_errors 1
# HELP healthcare_stellar_channel_lowest_balance_stroops Lowest balance of the channel accounts that are not disabled.
# TYPE healthcare_stellar_channel_lowest_balance_stroops gauge
healthcare_stellar_channel_lowest_balance_stroops 3e+07
# HELP healthcare_stellar_channels Channel accounts.
# TYPE healthcare_stellar_channels gauge
healthcare_stellar_channels{state="disabled"} 1
healthcare_stellar_channels{state="free"} 2
healthcare_stellar_channels{state="in_use"} 1
healthcare_stellar_channels{state="quarantined"} 1
# HELP healthcare_stellar_deployer_balance_stroops Balance of the deployer account.
# TYPE healthcare_stellar_deployer_balance_stroops gauge
healthcare_stellar_deployer_balance_stroops 9.9e+11
# HELP healthcare_stellar_deployer_low_balance_stroops Balance below which the deployer account needs funding.
# TYPE healthcare_stellar_deployer_low_balance_stroops gauge
healthcare_stellar_deployer_low_balance_stroops 1e+09
# HELP healthcare_stellar_fee_stroops_total Fees charged for Stellar transactions.
# TYPE healthcare_stellar_fee_stroops_total counter
healthcare_stellar_fee_stroops_total{purpose="CREATE"} 1.2e+07
healthcare_stellar_fee_stroops_total{purpose="EXTEND"} 40
# HELP healthcare_stellar_known_protocol_version Newest protocol version that this program can decode.
# TYPE healthcare_stellar_known_protocol_version gauge
healthcare_stellar_known_protocol_version 28
# HELP healthcare_stellar_network_protocol_version Protocol version of the Stellar network.
# TYPE healthcare_stellar_network_protocol_version gauge
healthcare_stellar_network_protocol_version 29
# HELP healthcare_stellar_transactions_total Stellar transactions that were applied.
# TYPE healthcare_stellar_transactions_total counter
healthcare_stellar_transactions_total{purpose="CREATE"} 12
healthcare_stellar_transactions_total{purpose="EXTEND"} 2
# HELP healthcare_tenant_fee_stroops Tenants by the total fees of their transactions.
# TYPE healthcare_tenant_fee_stroops histogram
healthcare_tenant_fee_stroops_bucket{le="100000"} 2
healthcare_tenant_fee_stroops_bucket{le="1e+06"} 11
healthcare_tenant_fee_stroops_bucket{le="+Inf"} 12
healthcare_tenant_fee_stroops_sum 1.3e+07
healthcare_tenant_fee_stroops_count 12
# HELP healthcare_scrape_success Whether this source of metrics could be read.
# TYPE healthcare_scrape_success gauge
healthcare_scrape_success{source="stellar"} 1
`), withoutDuration(t, r)...); err != nil {
		t.Error(err)
	}
	if testutil.CollectAndCount(r); *reads != 1 { // A read scans the whole log.
		t.Errorf("the registry was read %d times within a minute", *reads)
	}
}

// TestStellar_OmitsUnknownValues: unknown values are omitted. A zero would raise the alert
// for an empty deployer account.
func TestStellar_OmitsUnknownValues(t *testing.T) {
	t.Parallel()
	t.Run("RegistryDown", func(t *testing.T) {
		t.Parallel()
		r, reads := newStellarRegistry(contracts.StellarStats{}, errors.New("down"))
		for range 2 {
			if names := withoutDuration(t, r); len(names) != 1 || names[0] != "healthcare_scrape_success" {
				t.Errorf("a registry that is down has the metrics %q", names)
			}
		}
		if *reads != 2 {
			t.Errorf("%d reads: a failed read was cached", *reads)
		}
	})
	t.Run("OmitsUnknownValues", func(t *testing.T) {
		t.Parallel()
		r, _ := newStellarRegistry(contracts.StellarStats{}, nil)
		families, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range families {
			if !strings.HasPrefix(f.GetName(), "healthcare_scrape_") {
				names = append(names, strings.TrimPrefix(f.GetName(), "healthcare_"))
			}
		}
		if got := strings.Join(names, " "); got != "contracts contracts_reconcile_errors stellar_deployer_low_balance_stroops tenant_fee_stroops" {
			t.Errorf("metrics %s", got)
		}
	})
	t.Run("AllChannelsDisabled", func(t *testing.T) {
		t.Parallel()
		r, _ := newStellarRegistry(contracts.StellarStats{Channels: []txlog.Channel{{DisabledReason: "gone"}}}, nil)
		if n, err := testutil.GatherAndCount(r, "healthcare_stellar_channel_lowest_balance_stroops"); n != 0 || err != nil {
			t.Errorf("%d lowest balances of none, %v", n, err)
		}
		if n, err := testutil.GatherAndCount(r, "healthcare_stellar_channels"); n != 4 || err != nil {
			t.Errorf("%d states, %v", n, err)
		}
	})
}

// TestStellar_SharesReads: concurrent scrapes share one read, and each waits no longer than
// that read takes.
func TestStellar_SharesReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var reads atomic.Int32
		r := prometheus.NewRegistry()
		telemetry.RegisterStellar(r, 1, discard, func(ctx context.Context) (contracts.StellarStats, error) {
			reads.Add(1)
			<-ctx.Done()
			return contracts.StellarStats{}, ctx.Err()
		})
		var scrapes sync.WaitGroup
		for range 5 {
			scrapes.Go(func() { _, _ = r.Gather() })
		}
		scrapes.Wait()
		if n := reads.Load(); n != 1 {
			t.Errorf("%d reads", n)
		}
	})
}
