package stellarstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// TestTxLog_RunReacquiresLeaseAfterLostRelease: a run that could not release its
// lease still renews it. The run must reacquire it before the other waiters;
// otherwise they deadlock.
func TestTxLog_RunReacquiresLeaseAfterLostRelease(t *testing.T) {
	t.Parallel()
	for name, leaseAccount := range map[string]func(ctx context.Context, j txlog.Log) (txlog.AccountLease, error){
		"Account": func(ctx context.Context, j txlog.Log) (txlog.AccountLease, error) {
			return j.Account(ctx, networkID, "GA")
		},
		"Channel": func(ctx context.Context, j txlog.Log) (txlog.AccountLease, error) {
			return j.Channel(ctx, networkID, deployerAddress, 1, 0)
		},
	} {
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
