package stellarstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// TestTxLog_ClockSetBack: leases and a quarantine of a process that died do not outlive a step
// back of the database's clock.
func TestTxLog_ClockSetBack(t *testing.T) {
	server := testenv.StartClockedServer(t)
	open := func() *postgres.DB {
		db, err := postgres.Open(t.Context(), pgdb.Options{URL: server.URL})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		return db
	}
	died := open()
	channels := []txlog.Channel{notifyChannel(0), notifyChannel(1)}
	if err := died.SystemLog().StoreChannels(t.Context(), networkID, deployerAddress, channels); err != nil {
		t.Fatal(err)
	}
	lease := func(db *postgres.DB, channel bool) txlog.AccountLease {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		var (
			l   txlog.AccountLease
			err error
		)
		if channel {
			l, err = db.SystemLog().Channel(ctx, networkID, deployerAddress, 2, 0)
		} else {
			l, err = db.SystemLog().Account(ctx, networkID, "GA")
		}
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	quarantined := lease(died, true)
	if err := quarantined.Release(t.Context(), txlog.AccountRelease{Quarantine: 6 * time.Second}); err != nil {
		t.Fatal(err)
	}
	lease(died, true)
	lease(died, false)
	died.Close() // The renewals end.
	server.Shift(-time.Hour)
	next := open()
	lease(next, false)
	if first, second := lease(next, true), lease(next, true); first.Channel() == second.Channel() {
		t.Errorf("channel %d twice", first.Channel())
	}
}
