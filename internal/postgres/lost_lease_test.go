package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// TestJournal_LostRelease: a run whose lease could not be given back keeps it alive
// with its heartbeat. It must get it again, although others queue before it; else
// all would wait for each other for ever.
func TestJournal_LostRelease(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(ctx context.Context, j provisioning.Journal) (provisioning.AccountLease, error){
		"Account": func(ctx context.Context, j provisioning.Journal) (provisioning.AccountLease, error) {
			return j.Account(ctx, netID, "GA")
		},
		"Channel": func(ctx context.Context, j provisioning.Journal) (provisioning.AccountLease, error) {
			return j.Channel(ctx, netID, owner, 1, 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.haveChannels(1)
			first, second := b.begin(inputs("One")), b.begin(inputs("Two"))
			lost, err := take(t.Context(), b.Journal(first))
			b.must(err)
			b.exec(`ALTER TABLE stellar_accounts RENAME TO away`)
			if err := lost.Release(t.Context(), provisioning.AccountRest{}); err == nil {
				t.Fatal("it was given back")
			}
			b.exec(`ALTER TABLE away RENAME TO stellar_accounts`)

			waiting := make(chan error, 1)
			go func() {
				lease, err := take(t.Context(), b.Journal(second))
				if err == nil {
					err = lease.Release(t.Context(), provisioning.AccountRest{})
				}
				waiting <- err
			}()
			time.Sleep(200 * time.Millisecond) // Until it queues.
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			again, err := take(ctx, b.Journal(first))
			b.must(err)
			b.must(again.Release(t.Context(), provisioning.AccountRest{}))
			b.must(<-waiting)
		})
	}
}
