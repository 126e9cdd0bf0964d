package postgres_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// about gives what is known of the contract that signed names for a hash.
func (b bundle) about(hash string) provisioning.ContractHistory {
	b.t.Helper()
	h, err := b.Upkeep().About(b.t.Context(), netID, "C"+hash)
	b.must(err)
	return h
}

func TestJournal_About(t *testing.T) {
	t.Parallel()

	t.Run("WhicheverAccountCarriedThem", func(t *testing.T) {
		b := setup(t)
		b.haveChannels(2)
		run := b.begin(inputs("Clinic"))
		first, second := b.lease(b.Journal(run), 2), b.lease(b.Upkeep(), 2)
		tx := signed(first, "aa", 1001, provisioning.PurposeCreate)
		b.must(first.Store(t.Context(), tx))
		if h := b.about("aa"); len(h.Open) != 1 || h.Ledger != 0 || h.Open[0].Source != first.Address() || h.Open[0].TenantID != run.Tenant.ID {
			t.Fatalf("%+v", h)
		}
		b.must(first.Resolve(t.Context(), "aa", applied(100)))
		later := signed(second, "bb", 1001, provisioning.PurposeStatus)
		later.ContractID, later.TenantID = tx.ContractID, run.Tenant.ID
		b.must(second.Store(t.Context(), later))
		h := b.about("aa")
		if len(h.Open) != 1 || h.Ledger != 10 || h.Open[0].Hash != "bb" || h.Open[0].Source != second.Address() ||
			h.Open[0].Purpose != provisioning.PurposeStatus || h.Open[0].TenantID != run.Tenant.ID {
			t.Errorf("%+v", h)
		}
		if h := b.about("zz"); len(h.Open) != 0 || h.Ledger != 0 {
			t.Errorf("another contract: %+v", h)
		}
		if h, err := b.Upkeep().About(t.Context(), "cd", tx.ContractID); err != nil || len(h.Open) != 0 || h.Ledger != 0 {
			t.Errorf("another network: %+v, %v", h, err)
		}
	})

	t.Run("NobodysTenant", func(t *testing.T) {
		b := setup(t)
		l := b.account(b.Upkeep(), "GA")
		b.must(l.Store(t.Context(), signed(l, "aa", 1, provisioning.PurposeExtend)))
		if h := b.about("aa"); len(h.Open) != 1 || h.Open[0].TenantID != uuid.Nil {
			t.Errorf("%+v", h)
		}
	})

	t.Run("ResolvedByWhoeverLooks", func(t *testing.T) { // The account is somebody else's by then.
		b := setup(t)
		b.haveChannels(1)
		run := b.begin(inputs("Clinic"))
		l := b.lease(b.Upkeep(), 1)
		b.must(l.Store(t.Context(), signed(l, "aa", 1001, provisioning.PurposeCreate)))
		b.must(b.Journal(run).Resolve(t.Context(), "aa", applied(123)))
		if h := b.about("aa"); len(h.Open) != 0 || h.Ledger != 10 {
			t.Errorf("%+v", h)
		}
		if got := b.channels()[0]; got.Balance != 50_000_000-123 || got.Carried != 1 {
			t.Errorf("%+v", got)
		}
		// What is resolved stays as it is, and nothing is paid twice.
		b.must(b.Journal(run).Resolve(t.Context(), "aa", provisioning.TransactionOutcome{State: provisioning.TransactionExpired}))
		b.must(l.Resolve(t.Context(), "aa", applied(999)))
		b.must(b.Upkeep().Resolve(t.Context(), "unheard of", applied(999)))
		if got := b.channels()[0]; got.Balance != 50_000_000-123 || got.Carried != 1 {
			t.Errorf("%+v", got)
		}
		if state := value[string](b, `SELECT state::text || ' ' || fee_charged FROM stellar_transactions`); state != "SUCCEEDED 123" {
			t.Error(state)
		}
	})

	// The account's user settles it and the tenant's next run finds it, at the same
	// time; neither may wait for the other for ever.
	t.Run("ResolvedByTwoAtOnce", func(t *testing.T) {
		b := setup(t)
		b.haveChannels(1)
		l := b.lease(b.Upkeep(), 1)
		const rounds = 200
		b.warm(4)
		for i := range rounds {
			hash := fmt.Sprint(i)
			b.must(l.Store(t.Context(), signed(l, hash, 1001, provisioning.PurposeCreate)))
			var both sync.WaitGroup
			for _, resolve := range []func(context.Context, string, provisioning.TransactionOutcome) error{l.Resolve, b.Upkeep().Resolve} {
				both.Go(func() {
					if err := resolve(t.Context(), hash, applied(7)); err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
		}
		if got := b.channels()[0]; got.Balance != 50_000_000-7*rounds || got.Carried != rounds || got.Open != 0 {
			t.Errorf("%+v", got)
		}
	})

	t.Run("NotByARunThatWasOvertaken", func(t *testing.T) {
		b := setup(t)
		l := b.account(b.Upkeep(), "GA")
		b.must(l.Store(t.Context(), signed(l, "aa", 1, provisioning.PurposeCreate)))
		run := b.begin(inputs("Clinic"))
		_, err := b.Abort(t.Context(), run.Tenant.ID, lease("x", 1<<40))
		b.must(err)
		wantKind(t, b.Journal(run).Resolve(t.Context(), "aa", applied(1)), provisioning.KindFenced)
		if h := b.about("aa"); len(h.Open) != 1 {
			t.Errorf("%+v", h)
		}
	})
}

// TestAccountLease_Store_OnePerContract: two channels can carry two tenants, but not
// one contract twice.
func TestAccountLease_Store_OnePerContract(t *testing.T) {
	b := setup(t)
	b.haveChannels(2)
	one, two := b.lease(b.Upkeep(), 2), b.lease(b.Upkeep(), 2)
	first := signed(one, "aa", 1001, provisioning.PurposeCreate)
	b.must(one.Store(t.Context(), first))
	b.must(one.Store(t.Context(), first)) // Again, after a lost answer.

	second := signed(two, "bb", 1001, provisioning.PurposeStatus)
	second.ContractID = first.ContractID
	err := two.Store(t.Context(), second)
	wantKind(t, err, provisioning.KindTransient)
	if n := value[int](b, `SELECT count(*) FROM stellar_transactions`); n != 1 {
		t.Errorf("%d transactions are stored", n)
	}
	elsewhere := second // On another network there is another contract of that name.
	far, err := b.Upkeep().Account(t.Context(), "cd", "GA")
	b.must(err)
	defer b.release(far, provisioning.AccountRest{})
	elsewhere.Hash, elsewhere.NetworkID = "cc", "cd"
	b.must(far.Store(t.Context(), elsewhere))
	b.must(two.Store(t.Context(), signed(two, "dd", 1001, provisioning.PurposeCreate))) // Another contract.
	nobodys := signed(one, "ee", 1002, provisioning.PurposeExtend)
	nobodys.ContractID = ""
	b.must(one.Store(t.Context(), nobodys)) // About several.
	nobodys.Hash, nobodys.Sequence = "ff", 1003
	b.must(one.Store(t.Context(), nobodys))

	b.must(one.Resolve(t.Context(), "aa", provisioning.TransactionOutcome{State: provisioning.TransactionExpired}))
	b.must(two.Store(t.Context(), second))
	// One that was refused is open again when it is built again; not while another is.
	b.must(two.Resolve(t.Context(), "bb", provisioning.TransactionOutcome{State: provisioning.TransactionRejected, Detail: "txBAD_SEQ"}))
	third := signed(one, "gg", 1004, provisioning.PurposeStatus)
	third.ContractID = first.ContractID
	b.must(one.Store(t.Context(), third))
	wantKind(t, two.Store(t.Context(), second), provisioning.KindTransient)
}
