package stellarstore_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

func (b fixture) stellarStats() contracts.StellarStats {
	b.T.Helper()
	stats, err := b.StellarStats(b.T.Context(), networkID, deployerAddress, deployerAddress)
	b.Must(err)
	return stats
}

func TestDB_StellarStats(t *testing.T) {
	t.Parallel()

	t.Run("EmptyRegistry", func(t *testing.T) {
		b := setup(t)
		f := b.stellarStats()
		if f.DeployerBalance != 0 || len(f.Channels)+len(f.Transactions)+len(f.Contracts) != 0 || f.Failed != 0 || f.Spend.Tenants != 0 || len(f.Spend.CumulativeCounts) != len(f.Spend.Bounds) {
			t.Errorf("%+v", f)
		}
	})

	t.Run("CountsAppliedTransactions", func(t *testing.T) {
		b := setup(t)
		b.addChannels(1)
		tenantID := b.ClaimNew(postgrestest.Inputs("Clinic")).Tenant.ID
		l := b.leaseChannel(b.SystemLog(), 1)
		b.storeAndResolve(l, "aa", txlog.PurposeCreate, tenantID, succeeded(1000))
		b.storeAndResolve(l, "bb", txlog.PurposeCreate, tenantID, txlog.Outcome{State: txlog.StateFailed, Ledger: 11, FeeCharged: 300})
		b.storeAndResolve(l, "cc", txlog.PurposeCreate, tenantID, txlog.Outcome{State: txlog.StateRejected, Detail: "txBAD_SEQ"})
		b.storeAndResolve(l, "dd", txlog.PurposeStatus, tenantID, txlog.Outcome{State: txlog.StateExpired})
		b.storeAndResolve(l, "ee", txlog.PurposeExtend, uuid.Nil, succeeded(70))
		f := b.stellarStats()
		if len(f.Transactions) != 2 || f.Transactions[txlog.PurposeCreate] != 2 || f.Stroops[txlog.PurposeCreate] != 1300 ||
			f.Transactions[txlog.PurposeExtend] != 1 || f.Stroops[txlog.PurposeExtend] != 70 {
			t.Errorf("%v, %v", f.Transactions, f.Stroops)
		}
		if c := f.Channels[0]; c.Balance != 50_000_000-1370 || c.Applied != 3 || c.Open != 0 {
			t.Errorf("%+v", c)
		}
		if stroops, n, err := b.TenantSpend(t.Context(), tenantID); stroops != 1300 || n != 2 || err != nil { // A transaction without a tenant does not count for one.
			t.Errorf("%d stroops in %d transactions, %v", stroops, n, err)
		}
		if stroops, n, err := b.TenantSpend(t.Context(), uuid.New()); stroops != 0 || n != 0 || err != nil {
			t.Errorf("%d stroops in %d transactions, %v", stroops, n, err)
		}
	})

	// A transaction that serves all tenants does not count for the first tenant.
	t.Run("SharedUploadHasNoTenant", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		l := b.leaseAccount(b.TransactionLog(run), deployerAddress)
		upload := signedTx(l, "aa", 1, txlog.PurposeUpload)
		upload.ContractID = ""
		b.Must(l.Store(t.Context(), upload))
		b.Must(l.Resolve(t.Context(), "aa", succeeded(300_000_000)))
		b.Must(l.Store(t.Context(), signedTx(l, "bb", 2, txlog.PurposeCreate))) // The contract of the run's tenant.
		b.Must(l.Resolve(t.Context(), "bb", succeeded(700)))
		if stroops, n, err := b.TenantSpend(t.Context(), run.Tenant.ID); stroops != 700 || n != 1 || err != nil {
			t.Errorf("%d stroops in %d transactions, %v", stroops, n, err)
		}
		if f := b.stellarStats(); f.Stroops[txlog.PurposeUpload] != 300_000_000 || f.Spend.Stroops != 700 {
			t.Errorf("%+v", f)
		}
	})

	// The first process that resolves a transaction counts it; later ones do not.
	t.Run("CountsOnce", func(t *testing.T) {
		b := setup(t)
		b.addChannels(1)
		l := b.leaseChannel(b.SystemLog(), 1)
		b.Must(l.Store(t.Context(), signedTx(l, "aa", 1001, txlog.PurposeAnchor)))
		var all sync.WaitGroup
		for i := range 12 {
			all.Go(func() {
				resolve := l.Resolve
				if i%2 == 0 {
					resolve = b.SystemLog().Resolve
				}
				if err := resolve(t.Context(), "aa", succeeded(500)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		f := b.stellarStats()
		if f.Transactions[txlog.PurposeAnchor] != 1 || f.Stroops[txlog.PurposeAnchor] != 500 || f.Channels[0].Balance != 50_000_000-500 || f.Channels[0].Applied != 1 {
			t.Errorf("%+v", f)
		}
	})

	t.Run("DeployerBalance", func(t *testing.T) {
		b := setup(t)
		b.Must(b.RecordDeployerBalance(t.Context(), networkID, deployerAddress, 5_000_000_000))
		l := b.leaseAccount(b.SystemLog(), deployerAddress)
		b.storeAndResolve(l, "aa", txlog.PurposeUpload, uuid.Nil, succeeded(300_000_000))
		if got := b.stellarStats().DeployerBalance; got != 4_700_000_000 {
			t.Errorf("%d stroops after a fee", got)
		}
		b.Must(b.RecordDeployerBalance(t.Context(), networkID, deployerAddress, 9_000_000_000))
		if got := b.stellarStats().DeployerBalance; got != 9_000_000_000 {
			t.Errorf("%d stroops", got)
		}
		if n := value[int](b, `SELECT count(*) FROM stellar_accounts WHERE holder IS NOT NULL`); n != 1 {
			t.Error("the lease is missing")
		}
		other, err := b.StellarStats(t.Context(), "cd", deployerAddress, deployerAddress)
		b.Must(err)
		if other.DeployerBalance != 0 {
			t.Errorf("another network: %+v", other)
		}
	})

	t.Run("CountsContractsByState", func(t *testing.T) {
		b := setup(t)
		all := b.registerContracts(5)
		items := b.claimContracts(contracts.ClaimQuery{})
		for i, state := range []contracts.State{contracts.StateLive, contracts.StateLive, contracts.StateExpired, contracts.StateMismatch} {
			r := inspected(items[i])
			if r.State = state; state == contracts.StateMismatch {
				r.LastError = "another deployer's"
			}
			b.recordContracts(r)
		}
		f := b.stellarStats()
		if len(f.Contracts) != 3 || f.Contracts[contracts.StateLive] != 2 || f.Contracts[contracts.StateExpired] != 1 || f.Failed != 1 {
			t.Errorf("%v, %d failed", f.Contracts, f.Failed)
		}
		_, err := b.Archive(t.Context(), all[3])
		b.Must(err)
		_, err = b.Purge(t.Context(), all[3], 0)
		b.Must(err)
		if f := b.stellarStats(); f.Contracts[contracts.StateMismatch] != 0 || f.Failed != 0 {
			t.Errorf("a purged tenant counts: %v, %d failed", f.Contracts, f.Failed)
		}
	})

	t.Run("SpendHistogram", func(t *testing.T) {
		b := setup(t)
		l := b.leaseAccount(b.SystemLog(), deployerAddress)
		// The bounds are 1e5, 5e5, 1e6, ...; a tenant's transactions are summed.
		for i, fees := range [][]int64{{100_000}, {100_001}, {400_000, 100_000}, {999_999}, {2_000_000_000}, {0}} {
			tenantID := uuid.New()
			for j, fee := range fees {
				b.storeAndResolve(l, fmt.Sprintf("%d-%d", i, j), txlog.PurposeCreate, tenantID, succeeded(fee))
			}
		}
		b.storeAndResolve(l, "nobody", txlog.PurposeExtend, uuid.Nil, succeeded(10))
		s := b.stellarStats().Spend
		want := []uint64{1, 3, 4}
		for len(want) < len(s.Bounds) {
			want = append(want, 4)
		}
		if !slices.Equal(s.CumulativeCounts, want) || s.Tenants != 5 || s.Stroops != 100_000+100_001+500_000+999_999+2_000_000_000 {
			t.Errorf("%+v, want %v below", s, want)
		}
	})
}
