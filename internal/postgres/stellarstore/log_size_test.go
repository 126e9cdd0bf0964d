package stellarstore_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/runs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/stellarstore"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// TestTransactionLog_KeepsNothingInMemory: the transaction log frees the memory of its callers when
// they are done.
func TestTransactionLog_KeepsNothingInMemory(t *testing.T) {
	t.Parallel()
	t.Run("RemovesQueuesWithoutCallers", func(t *testing.T) {
		b := setup(t)
		for i := range 50 {
			l, err := b.SystemLog().Account(t.Context(), networkID, fmt.Sprint("G", i))
			b.Must(err)
			ctx, cancel := context.WithCancel(t.Context())
			waits := make(chan error)
			go func() {
				_, err := b.SystemLog().Account(ctx, networkID, fmt.Sprint("G", i))
				waits <- err
			}()
			cancel()
			if err := <-waits; errs.KindOf(err) != errs.KindCancelled {
				t.Errorf("%v", err)
			}
			b.Must(l.Release(t.Context(), txlog.AccountRelease{}))
		}
		if n := stellarstore.WaitQueues(b.Transactions); n != 0 {
			t.Errorf("%d queues without a caller", n)
		}
	})
	t.Run("RemovesRunsWithoutRenewal", func(t *testing.T) {
		b := setup(t)
		now := time.Now()
		uncertain := runs.NewUncertainLeases(func() time.Time { return now })
		b.Runs, b.Transactions = runs.New(b.DB.DB, uncertain), stellarstore.NewTransactions(b.DB.DB, uncertain)
		// lose creates a run that holds a lease without knowing it.
		lose := func(i int) provisioning.Run {
			t.Helper()
			r := b.ClaimNew(postgrestest.Inputs(fmt.Sprint("Clinic ", i)))
			l, err := b.TransactionLog(r).Account(t.Context(), networkID, fmt.Sprint("G", i))
			b.Must(err)
			b.Exec(`ALTER TABLE stellar_accounts RENAME TO away`)
			if err := l.Release(t.Context(), txlog.AccountRelease{}); err == nil {
				t.Fatal("the account was released")
			}
			b.Exec(`ALTER TABLE away RENAME TO stellar_accounts`)
			return r
		}
		alive := lose(0)
		for i := range 10 {
			lose(i + 1)
			if n := uncertain.Len(); n > 3 {
				t.Fatalf("%d runs are kept in memory after %d", n, i+2)
			}
			now = now.Add(40 * time.Second)
			b.Must(b.Renew(t.Context(), alive, time.Hour))
		}
		// The live run reacquires its own lease while others wait for it.
		b.Must(func() error {
			l, err := b.TransactionLog(alive).Account(t.Context(), networkID, "G0")
			if err == nil {
				err = l.Release(t.Context(), txlog.AccountRelease{})
			}
			return err
		}())
		if n := uncertain.Len(); n > 2 {
			t.Errorf("%d runs are kept in memory", n)
		}
	})
}
