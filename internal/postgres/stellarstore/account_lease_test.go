package stellarstore_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// leaseExpiry returns the end of an account's lease.
func (b fixture) leaseExpiry(address string) time.Time {
	b.T.Helper()
	return value[time.Time](b, `SELECT coalesce(expires_at, '-infinity') FROM stellar_accounts WHERE address = $1`, address)
}

// renewalCounter counts the renewals of leases.
type renewalCounter struct{ renewals atomic.Int64 }

func (c *renewalCounter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if strings.HasPrefix(data.SQL, "UPDATE stellar_accounts SET expires_at = clock_timestamp()") {
		c.renewals.Add(1)
	}
	return ctx
}

func (c *renewalCounter) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

func TestSystemLog_LeaseRenewal(t *testing.T) {
	t.Parallel()

	t.Run("RenewsItself", func(t *testing.T) {
		b := setup(t)
		b.leaseAccount(b.SystemLog(), "GA")
		for range 2 { // The first increase may come from the last renewal.
			before := b.leaseExpiry("GA")
			for !b.leaseExpiry("GA").After(before) {
				if value[bool](b, `SELECT expires_at < clock_timestamp() FROM stellar_accounts`) {
					t.Fatal("the lease ended although its holder is alive")
				}
				time.Sleep(50 * time.Millisecond) // Poll interval.
			}
		}
	})

	t.Run("IsNotRenewedAfterItsRelease", func(t *testing.T) {
		t.Parallel()
		url := testenv.Database(t)
		var counter renewalCounter
		one := fixture{postgrestest.Open(t, pgdb.Options{URL: url, Tracer: &counter})}
		two := fixture{postgrestest.Open(t, pgdb.Options{URL: url})}
		l := one.leaseAccount(one.SystemLog(), "GA")
		one.release(l, txlog.AccountRelease{Sequence: 5})
		if n := value[int](one, `SELECT count(*) FROM stellar_accounts WHERE expires_at IS NULL AND holder IS NULL AND last_used_at IS NOT NULL`); n != 1 {
			t.Error("the account was not released")
		}
		next := two.leaseAccount(two.SystemLog(), "GA")
		if next.Sequence() != 5 || next.Channel() != -1 || next.Address() != "GA" {
			t.Errorf("%s, channel %d, sequence %d", next.Address(), next.Channel(), next.Sequence())
		}
		one.release(l, txlog.AccountRelease{Sequence: 99}) // A second release does nothing.
		before := two.leaseExpiry("GA")
		for !two.leaseExpiry("GA").After(before) { // Wait for the heartbeat of the new lease.
			time.Sleep(50 * time.Millisecond)
		}
		time.Sleep(time.Second) // The old lease would have been renewed by now.
		if n := counter.renewals.Load(); n != 0 {
			t.Errorf("the lease was renewed %d times after its release", n)
		}
		two.release(next, txlog.AccountRelease{Sequence: 6})
	})

	t.Run("TakeoverFencesOldLease", func(t *testing.T) {
		one, two := twoProcesses(t)
		old := one.leaseAccount(one.SystemLog(), "GA")
		one.Must(old.Store(t.Context(), signedTx(old, "aa", 1, txlog.PurposeExtend)))
		one.Exec(`UPDATE stellar_accounts SET expires_at = now() - interval '1 second'`) // As after a suspended process.
		next := two.leaseAccount(two.SystemLog(), "GA")
		if unresolved := next.Unresolved(); len(unresolved) != 1 || unresolved[0].Hash != "aa" || unresolved[0].Purpose != txlog.PurposeExtend {
			t.Errorf("%+v", unresolved)
		}

		postgrestest.WantKind(t, old.Store(t.Context(), signedTx(old, "bb", 2, txlog.PurposeExtend)), errs.KindFenced)
		postgrestest.WantKind(t, old.StoreFeeBump(t.Context(), "aa", "BBBB", 9999), errs.KindFenced)
		postgrestest.WantKind(t, old.Resolve(t.Context(), "aa", succeeded(100)), errs.KindFenced)
		before := one.leaseExpiry("GA")
		one.release(old, txlog.AccountRelease{Sequence: 77, DisabledReason: "not mine to say"})
		if n := value[int](one, `SELECT count(*) FROM stellar_transactions WHERE state = 'SIGNED' AND envelope = 'AAAA' AND max_fee = 1000`); n != 1 {
			t.Error("the process that lost the lease changed a transaction")
		}
		if n := value[int](one, `SELECT count(*) FROM stellar_accounts WHERE holder IS NOT NULL AND sequence = 0 AND disabled_reason IS NULL`); n != 1 ||
			one.leaseExpiry("GA").Before(before) {
			t.Error("the process that lost the lease changed the account")
		}
		two.Must(next.Resolve(t.Context(), "aa", succeeded(100)))
		two.Must(next.Store(t.Context(), signedTx(next, "bb", 2, txlog.PurposeExtend)))
	})

	t.Run("ReleasesAfterCancel", func(t *testing.T) {
		b := setup(t)
		l := b.leaseAccount(b.SystemLog(), "GA")
		ctx, stop := context.WithCancel(t.Context())
		stop()
		b.Must(l.Release(ctx, txlog.AccountRelease{Sequence: 3}))
		if l := b.leaseAccount(b.SystemLog(), "GA"); l.Sequence() != 3 {
			t.Errorf("sequence %d", l.Sequence())
		}
	})

	t.Run("ExpiresWithRun", func(t *testing.T) {
		b := setup(t)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		b.leaseAccount(b.TransactionLog(run), "GA")
		if !value[bool](b, `SELECT a.expires_at = t.run_expires_at FROM stellar_accounts a JOIN tenants t ON t.id = a.lease_tenant`) {
			t.Error("the lease and its run end at different times")
		}
	})
}

// TestAccountLease_StartsAtAppliedSequence: a lease starts at the highest sequence known to
// be applied, from any source.
func TestAccountLease_StartsAtAppliedSequence(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rest              txlog.AccountRelease // Release of the previous lease; 1005 was applied by another process.
		sequence, applied int64                // Values of the next lease.
	}{
		"FoundOutByAnother":       {txlog.AccountRelease{Sequence: 1003, Quarantine: time.Millisecond}, 1005, 1005},
		"ToBeAskedFor":            {txlog.AccountRelease{Sequence: 0}, 0, 1005},
		"Higher":                  {txlog.AccountRelease{Sequence: 1006}, 1006, 1005},
		"OfANetworkThatBeganAnew": {txlog.AccountRelease{Sequence: 12}, 12, 12},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			l := b.leaseAccount(b.SystemLog(), "GA")
			b.Must(l.Store(t.Context(), signedTx(l, "aa", 1005, txlog.PurposeCreate)))
			b.Must(b.SystemLog().Resolve(t.Context(), "aa", succeeded(1)))
			b.release(l, c.rest)
			next := b.leaseAccount(b.SystemLog(), "GA")
			if next.Sequence() != c.sequence || next.AppliedSequence() != c.applied {
				t.Errorf("sequence %d, applied %d", next.Sequence(), next.AppliedSequence())
			}
		})
	}
	t.Run("CountsAppliedOnly", func(t *testing.T) {
		b := setup(t)
		b.addChannels(1)
		l := b.leaseChannel(b.SystemLog(), 1)
		for i, state := range []txlog.State{
			txlog.StateFailed, txlog.StateRejected, txlog.StateExpired,
		} {
			hash := string(state)
			b.Must(l.Store(t.Context(), signedTx(l, hash, 1001+int64(i), txlog.PurposeCreate)))
			b.Must(l.Resolve(t.Context(), hash, txlog.Outcome{State: state, Ledger: 10}))
		}
		b.release(l, txlog.AccountRelease{Sequence: 1001})
		if next := b.leaseChannel(b.SystemLog(), 1); next.AppliedSequence() != 1001 || next.Sequence() != 1001 {
			t.Errorf("sequence %d, applied %d", next.Sequence(), next.AppliedSequence())
		}
	})
}

func TestAccountLease_StoreFeeBump(t *testing.T) {
	b := setup(t)
	l := b.leaseAccount(b.SystemLog(), "GA")
	b.Must(l.Store(t.Context(), signedTx(l, "aa", 1, txlog.PurposeExtend)))
	b.Must(l.StoreFeeBump(t.Context(), "aa", "BBBB", 5000))
	b.release(l, txlog.AccountRelease{Sequence: 0})
	l = b.leaseAccount(b.SystemLog(), "GA")
	if unresolved := l.Unresolved(); len(unresolved) != 1 || unresolved[0].Envelope != "BBBB" || unresolved[0].MaxFee != 5000 || unresolved[0].Hash != "aa" {
		t.Errorf("%+v", unresolved)
	}
	b.Must(l.Resolve(t.Context(), "aa", succeeded(500)))
	// A resolved transaction takes no fee bump; the caller gets the error of a lost lease.
	postgrestest.WantKind(t, l.StoreFeeBump(t.Context(), "aa", "CCCC", 9000), errs.KindFenced)
}
