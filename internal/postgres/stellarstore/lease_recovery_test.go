package stellarstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// leaseCalls are the two ways to lease an account.
var leaseCalls = map[string]func(ctx context.Context, j txlog.Log) (txlog.AccountLease, error){
	"Account": func(ctx context.Context, j txlog.Log) (txlog.AccountLease, error) {
		return j.Account(ctx, networkID, "GA")
	},
	"Channel": func(ctx context.Context, j txlog.Log) (txlog.AccountLease, error) {
		return j.Channel(ctx, networkID, deployerAddress, 1, 0)
	},
}

// TestTxLog_LostAnswerToLease: the caller gave up while its lease was being committed. The lease
// is released as soon as the commit is through: the run may never ask for it again, and its
// renewals would extend it.
func TestTxLog_LostAnswerToLease(t *testing.T) {
	t.Parallel()
	for name, leaseAccount := range leaseCalls {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.addChannels(1)
			first, second := b.ClaimNew(postgrestest.Inputs("One")), b.ClaimNew(postgrestest.Inputs("Two"))
			lease, err := leaseAccount(t.Context(), b.TransactionLog(second)) // The account's row exists.
			b.Must(err)
			b.Must(lease.Release(t.Context(), txlog.AccountRelease{}))
			b.Exec(`CREATE FUNCTION slow_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
					BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN PERFORM pg_sleep(0.3); END;
					RETURN NULL;
				END $$`)
			b.Exec(`CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON stellar_accounts DEFERRABLE INITIALLY DEFERRED
				FOR EACH ROW WHEN (new.holder IS NOT NULL) EXECUTE FUNCTION slow_commit()`)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := leaseAccount(ctx, b.TransactionLog(first)); err == nil {
				t.Fatal("the lease was not cancelled in its commit")
			}
			b.Exec(`DROP TRIGGER slow ON stellar_accounts`)
			ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			lease, err = leaseAccount(ctx, b.TransactionLog(second))
			b.Must(err)
			b.Must(lease.Release(t.Context(), txlog.AccountRelease{}))
		})
	}
}

// TestTxLog_RunReacquiresLeaseAfterLostRelease: a run that could not release its
// lease still renews it. The run must reacquire it before the other waiters;
// otherwise they deadlock.
func TestTxLog_RunReacquiresLeaseAfterLostRelease(t *testing.T) {
	t.Parallel()
	for name, leaseAccount := range leaseCalls {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.addChannels(1)
			first, second := b.ClaimNew(postgrestest.Inputs("One")), b.ClaimNew(postgrestest.Inputs("Two"))
			unreleased, err := leaseAccount(t.Context(), b.TransactionLog(first))
			b.Must(err)
			b.Exec(`ALTER TABLE stellar_accounts RENAME TO away`)
			if err := unreleased.Release(t.Context(), txlog.AccountRelease{}); err == nil {
				t.Fatal("the account was released")
			}
			b.Exec(`ALTER TABLE away RENAME TO stellar_accounts`)

			waiting := make(chan error, 1)
			go func() {
				lease, err := leaseAccount(t.Context(), b.TransactionLog(second))
				if err == nil {
					err = lease.Release(t.Context(), txlog.AccountRelease{})
				}
				waiting <- err
			}()
			time.Sleep(200 * time.Millisecond) // Until the run waits in the queue.
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			again, err := leaseAccount(ctx, b.TransactionLog(first))
			b.Must(err)
			b.Must(again.Release(t.Context(), txlog.AccountRelease{}))
			b.Must(<-waiting)
		})
	}
}
