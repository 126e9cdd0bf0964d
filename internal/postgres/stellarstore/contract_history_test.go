package stellarstore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// contractHistory returns the history of the contract that signed derives from a hash.
func (b fixture) contractHistory(hash string) txlog.ContractHistory {
	b.T.Helper()
	history, err := b.SystemLog().ContractHistory(b.T.Context(), networkID, "C"+hash)
	b.Must(err)
	return history
}

func TestTxLog_ContractHistory(t *testing.T) {
	t.Parallel()

	t.Run("ListsTransactionsOfAllAccounts", func(t *testing.T) {
		b := setup(t)
		b.addChannels(2)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		first, second := b.leaseChannel(b.TransactionLog(run), 2), b.leaseChannel(b.SystemLog(), 2)
		tx := signedTx(first, "aa", 1001, txlog.PurposeCreate)
		b.Must(first.Store(t.Context(), tx))
		if h := b.contractHistory("aa"); len(h.Open) != 1 || h.Ledger != 0 || h.Open[0].Source != first.Address() || h.Open[0].TenantID != run.Tenant.ID {
			t.Fatalf("%+v", h)
		}
		b.Must(first.Resolve(t.Context(), "aa", succeeded(100)))
		later := signedTx(second, "bb", 1001, txlog.PurposeStatus)
		later.ContractID, later.TenantID = tx.ContractID, run.Tenant.ID
		b.Must(second.Store(t.Context(), later))
		h := b.contractHistory("aa")
		if len(h.Open) != 1 || h.Ledger != 10 || h.Open[0].Hash != "bb" || h.Open[0].Source != second.Address() ||
			h.Open[0].Purpose != txlog.PurposeStatus || h.Open[0].TenantID != run.Tenant.ID {
			t.Errorf("%+v", h)
		}
		if h := b.contractHistory("zz"); len(h.Open) != 0 || h.Ledger != 0 {
			t.Errorf("another contract: %+v", h)
		}
		if h, err := b.SystemLog().ContractHistory(t.Context(), "cd", tx.ContractID); err != nil || len(h.Open) != 0 || h.Ledger != 0 {
			t.Errorf("another network: %+v, %v", h, err)
		}
	})

	t.Run("TransactionWithoutTenant", func(t *testing.T) {
		b := setup(t)
		l := b.leaseAccount(b.SystemLog(), "GA")
		b.Must(l.Store(t.Context(), signedTx(l, "aa", 1, txlog.PurposeExtend)))
		if h := b.contractHistory("aa"); len(h.Open) != 1 || h.Open[0].TenantID != uuid.Nil {
			t.Errorf("%+v", h)
		}
	})

	t.Run("ResolvedByOtherRun", func(t *testing.T) { // Another run holds the account by then.
		b := setup(t)
		b.addChannels(1)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		l := b.leaseChannel(b.SystemLog(), 1)
		b.Must(l.Store(t.Context(), signedTx(l, "aa", 1001, txlog.PurposeCreate)))
		b.Must(b.TransactionLog(run).Resolve(t.Context(), "aa", succeeded(123)))
		if h := b.contractHistory("aa"); len(h.Open) != 0 || h.Ledger != 10 {
			t.Errorf("%+v", h)
		}
		if got := b.channels()[0]; got.Balance != 50_000_000-123 || got.Applied != 1 {
			t.Errorf("%+v", got)
		}
		// A resolved transaction does not change, and its fee is counted once.
		b.Must(b.TransactionLog(run).Resolve(t.Context(), "aa", txlog.Outcome{State: txlog.StateExpired}))
		b.Must(l.Resolve(t.Context(), "aa", succeeded(999)))
		b.Must(b.SystemLog().Resolve(t.Context(), "unheard of", succeeded(999)))
		if got := b.channels()[0]; got.Balance != 50_000_000-123 || got.Applied != 1 {
			t.Errorf("%+v", got)
		}
		if state := value[string](b, `SELECT state::text || ' ' || fee_charged FROM stellar_transactions`); state != "SUCCEEDED 123" {
			t.Error(state)
		}
	})

	// The leaseholder and the next run of the tenant resolve the transaction at the same
	// time; they must not deadlock.
	t.Run("ResolvedByTwoConcurrently", func(t *testing.T) {
		b := setup(t)
		b.addChannels(1)
		l := b.leaseChannel(b.SystemLog(), 1)
		const rounds = 200
		b.openConnections(4)
		for i := range rounds {
			hash := fmt.Sprint(i)
			b.Must(l.Store(t.Context(), signedTx(l, hash, 1001, txlog.PurposeCreate)))
			var wg sync.WaitGroup
			for _, resolve := range []func(context.Context, string, txlog.Outcome) error{l.Resolve, b.SystemLog().Resolve} {
				wg.Go(func() {
					if err := resolve(t.Context(), hash, succeeded(7)); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		}
		if got := b.channels()[0]; got.Balance != 50_000_000-7*rounds || got.Applied != rounds || got.Open != 0 {
			t.Errorf("%+v", got)
		}
	})

	t.Run("RejectsSupersededRun", func(t *testing.T) {
		b := setup(t)
		l := b.leaseAccount(b.SystemLog(), "GA")
		b.Must(l.Store(t.Context(), signedTx(l, "aa", 1, txlog.PurposeCreate)))
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		_, err := b.Abort(t.Context(), run.Tenant.ID, postgrestest.LeaseRequest("x", 1<<40))
		b.Must(err)
		postgrestest.WantKind(t, b.TransactionLog(run).Resolve(t.Context(), "aa", succeeded(1)), errs.KindFenced)
		if h := b.contractHistory("aa"); len(h.Open) != 1 {
			t.Errorf("%+v", h)
		}
	})
}

// TestAccountLease_Store_RefusesSecondOpenTxOfContract: two channels can submit for two
// tenants, but not for one contract.
func TestAccountLease_Store_RefusesSecondOpenTxOfContract(t *testing.T) {
	b := setup(t)
	b.addChannels(2)
	one, two := b.leaseChannel(b.SystemLog(), 2), b.leaseChannel(b.SystemLog(), 2)
	first := signedTx(one, "aa", 1001, txlog.PurposeCreate)
	b.Must(one.Store(t.Context(), first))
	b.Must(one.Store(t.Context(), first)) // Repeated after a lost response.

	second := signedTx(two, "bb", 1001, txlog.PurposeStatus)
	second.ContractID = first.ContractID
	err := two.Store(t.Context(), second)
	postgrestest.WantKind(t, err, errs.KindTransient)
	if n := value[int](b, `SELECT count(*) FROM stellar_transactions`); n != 1 {
		t.Errorf("%d transactions are stored", n)
	}
	otherNetworkTx := second // The same address on another network is another contract.
	otherNetworkLease, err := b.SystemLog().Account(t.Context(), "cd", "GA")
	b.Must(err)
	defer b.release(otherNetworkLease, txlog.AccountRelease{})
	otherNetworkTx.Hash, otherNetworkTx.NetworkID = "cc", "cd"
	b.Must(otherNetworkLease.Store(t.Context(), otherNetworkTx))
	b.Must(two.Store(t.Context(), signedTx(two, "dd", 1001, txlog.PurposeCreate))) // Another contract.
	withoutContract := signedTx(one, "ee", 1002, txlog.PurposeExtend)
	withoutContract.ContractID = ""
	b.Must(one.Store(t.Context(), withoutContract)) // Belongs to no single contract.
	withoutContract.Hash, withoutContract.Sequence = "ff", 1003
	b.Must(one.Store(t.Context(), withoutContract))

	b.Must(one.Resolve(t.Context(), "aa", txlog.Outcome{State: txlog.StateExpired}))
	b.Must(two.Store(t.Context(), second))
	// A rejected transaction is reopened by a rebuild, unless another one is open.
	b.Must(two.Resolve(t.Context(), "bb", txlog.Outcome{State: txlog.StateRejected, Detail: "txBAD_SEQ"}))
	third := signedTx(one, "gg", 1004, txlog.PurposeStatus)
	third.ContractID = first.ContractID
	b.Must(one.Store(t.Context(), third))
	postgrestest.WantKind(t, two.Store(t.Context(), second), errs.KindTransient)
}
