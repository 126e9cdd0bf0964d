package postgres_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// leaseEnds is when the lease of an account ends.
func (b bundle) leaseEnds(address string) time.Time {
	b.t.Helper()
	return value[time.Time](b, `SELECT coalesce(expires_at, '-infinity') FROM stellar_accounts WHERE address = $1`, address)
}

// told counts the renewals of leases.
type told struct{ renewals atomic.Int64 }

func (c *told) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.HasPrefix(data.SQL, "UPDATE stellar_accounts SET expires_at = clock_timestamp()") {
		c.renewals.Add(1)
	}
	return ctx
}

func (c *told) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestUpkeep_Lease(t *testing.T) {
	t.Parallel()

	t.Run("RenewsItself", func(t *testing.T) {
		b := setup(t)
		b.account(b.Upkeep(), "GA")
		for range 2 { // Once may have been the last time.
			before := b.leaseEnds("GA")
			for !b.leaseEnds("GA").After(before) {
				if value[bool](b, `SELECT expires_at < clock_timestamp() FROM stellar_accounts`) {
					t.Fatal("the lease ended although its holder lives")
				}
				time.Sleep(50 * time.Millisecond) // Between two looks.
			}
		}
	})

	t.Run("IsNotRenewedAfterItsRelease", func(t *testing.T) {
		one, two := pair(t)
		var renewed told
		postgres.Trace(t, one.DB, &renewed)
		l := one.account(one.Upkeep(), "GA")
		one.release(l, provisioning.AccountRest{Sequence: 5})
		if n := value[int](one, `SELECT count(*) FROM stellar_accounts WHERE expires_at IS NULL AND holder IS NULL AND used_at IS NOT NULL`); n != 1 {
			t.Error("the account was not given back")
		}
		next := two.account(two.Upkeep(), "GA")
		if next.Sequence() != 5 || next.Channel() != -1 || next.Address() != "GA" {
			t.Errorf("%s, channel %d, sequence %d", next.Address(), next.Channel(), next.Sequence())
		}
		one.release(l, provisioning.AccountRest{Sequence: 99}) // A second time it is nothing.
		before := two.leaseEnds("GA")
		for !two.leaseEnds("GA").After(before) { // Until the next one's renewal: a beat.
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(time.Second) // The one before would have been due earlier.
		if n := renewed.renewals.Load(); n != 0 {
			t.Errorf("the lease was renewed %d times after its release", n)
		}
		two.release(next, provisioning.AccountRest{Sequence: 6})
	})

	t.Run("IsLostToWhoTakesOver", func(t *testing.T) {
		one, two := pair(t)
		old := one.account(one.Upkeep(), "GA")
		one.must(old.Store(t.Context(), signed(old, "aa", 1, provisioning.PurposeExtend)))
		one.exec(`UPDATE stellar_accounts SET expires_at = now() - interval '1 second'`) // As if it had slept.
		next := two.account(two.Upkeep(), "GA")
		if left := next.Unresolved(); len(left) != 1 || left[0].Hash != "aa" || left[0].Purpose != provisioning.PurposeExtend {
			t.Errorf("%+v", left)
		}

		wantKind(t, old.Store(t.Context(), signed(old, "bb", 2, provisioning.PurposeExtend)), provisioning.KindFenced)
		wantKind(t, old.Outbid(t.Context(), "aa", "BBBB", 9999), provisioning.KindFenced)
		wantKind(t, old.Resolve(t.Context(), "aa", applied(100)), provisioning.KindFenced)
		before := one.leaseEnds("GA")
		one.release(old, provisioning.AccountRest{Sequence: 77, OutOfUse: "not mine to say"})
		if n := value[int](one, `SELECT count(*) FROM stellar_transactions WHERE state = 'SIGNED' AND envelope = 'AAAA' AND max_fee = 1000`); n != 1 {
			t.Error("who lost the lease has changed a transaction")
		}
		if n := value[int](one, `SELECT count(*) FROM stellar_accounts WHERE holder IS NOT NULL AND sequence = 0 AND out_of_use IS NULL`); n != 1 ||
			one.leaseEnds("GA").Before(before) {
			t.Error("who lost the lease has changed the account")
		}
		two.must(next.Resolve(t.Context(), "aa", applied(100)))
		two.must(next.Store(t.Context(), signed(next, "bb", 2, provisioning.PurposeExtend)))
	})

	t.Run("IsGivenBackAlsoWhenStopped", func(t *testing.T) {
		b := setup(t)
		l := b.account(b.Upkeep(), "GA")
		ctx, stop := context.WithCancel(t.Context())
		stop()
		b.must(l.Release(ctx, provisioning.AccountRest{Sequence: 3}))
		if l := b.account(b.Upkeep(), "GA"); l.Sequence() != 3 {
			t.Errorf("sequence %d", l.Sequence())
		}
	})

	t.Run("OfARunGoesWithTheRun", func(t *testing.T) {
		b := setup(t)
		run := b.begin(inputs("Clinic"))
		b.account(b.Journal(run), "GA")
		if !value[bool](b, `SELECT a.expires_at = t.run_expires_at FROM stellar_accounts a JOIN tenants t ON t.id = a.lease_tenant`) {
			t.Error("the lease has another end than the run's")
		}
	})
}

// TestAccountLease_Applied: a lease begins where the ledger is known to be, whoever
// found that out.
func TestAccountLease_Applied(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rest              provisioning.AccountRest // How the one before gave it back, after 1005 was applied without it.
		sequence, applied int64                    // As the next one has them.
	}{
		"FoundOutByAnother":       {provisioning.AccountRest{Sequence: 1003, SetAside: time.Millisecond}, 1005, 1005},
		"ToBeAskedFor":            {provisioning.AccountRest{Sequence: 0}, 0, 1005},
		"Higher":                  {provisioning.AccountRest{Sequence: 1006}, 1006, 1005},
		"OfANetworkThatBeganAnew": {provisioning.AccountRest{Sequence: 12}, 12, 12},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			l := b.account(b.Upkeep(), "GA")
			b.must(l.Store(t.Context(), signed(l, "aa", 1005, provisioning.PurposeCreate)))
			b.must(b.Upkeep().Resolve(t.Context(), "aa", applied(1)))
			b.release(l, c.rest)
			next := b.account(b.Upkeep(), "GA")
			if next.Sequence() != c.sequence || next.Applied() != c.applied {
				t.Errorf("sequence %d, applied %d", next.Sequence(), next.Applied())
			}
		})
	}
	t.Run("OnlyWhatWasApplied", func(t *testing.T) {
		b := setup(t)
		b.haveChannels(1)
		l := b.lease(b.Upkeep(), 1)
		for i, state := range []provisioning.TransactionState{
			provisioning.TransactionFailed, provisioning.TransactionRejected, provisioning.TransactionExpired,
		} {
			hash := string(state)
			b.must(l.Store(t.Context(), signed(l, hash, 1001+int64(i), provisioning.PurposeCreate)))
			b.must(l.Resolve(t.Context(), hash, provisioning.TransactionOutcome{State: state, Ledger: 10}))
		}
		b.release(l, provisioning.AccountRest{Sequence: 1001})
		if next := b.lease(b.Upkeep(), 1); next.Applied() != 1001 || next.Sequence() != 1001 {
			t.Errorf("sequence %d, applied %d", next.Sequence(), next.Applied())
		}
	})
}

func TestAccountLease_Outbid(t *testing.T) {
	b := setup(t)
	l := b.account(b.Upkeep(), "GA")
	b.must(l.Store(t.Context(), signed(l, "aa", 1, provisioning.PurposeExtend)))
	b.must(l.Outbid(t.Context(), "aa", "BBBB", 5000))
	b.release(l, provisioning.AccountRest{Sequence: 0})
	l = b.account(b.Upkeep(), "GA")
	if left := l.Unresolved(); len(left) != 1 || left[0].Envelope != "BBBB" || left[0].MaxFee != 5000 || left[0].Hash != "aa" {
		t.Errorf("%+v", left)
	}
	b.must(l.Resolve(t.Context(), "aa", applied(500)))
	// What has ended cannot be outbid any more; the caller is told as if it had lost it.
	wantKind(t, l.Outbid(t.Context(), "aa", "CCCC", 9000), provisioning.KindFenced)
}
