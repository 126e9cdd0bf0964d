package stellarstore_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

func TestTxLog_Channel(t *testing.T) {
	t.Parallel()

	t.Run("LeasesAnyFreeChannel", func(t *testing.T) {
		b := setup(t)
		b.addChannels(3)
		seen := map[string]int{}
		for range 3 {
			l := b.leaseChannel(b.SystemLog(), 3)
			seen[l.Address()] = l.Channel()
			if l.Sequence() != 1000 || l.Balance() != 50_000_000 || len(l.Unresolved()) != 0 {
				t.Errorf("sequence %d, balance %d, %+v", l.Sequence(), l.Balance(), l.Unresolved())
			}
		}
		if len(seen) != 3 || seen["GCHANNEL2"] != 2 {
			t.Errorf("%v", seen)
		}
		for _, c := range b.channels() {
			if c.State() != txlog.ChannelInUse || c.LeasedUntil.Before(time.Now()) {
				t.Errorf("%+v", c)
			}
		}
	})

	t.Run("LeasesLeastRecentlyUsed", func(t *testing.T) {
		b := setup(t)
		b.addChannels(3)
		var order []int
		for range 6 {
			l := b.leaseChannel(b.SystemLog(), 3)
			order = append(order, l.Channel())
			b.release(l, txlog.AccountRelease{Sequence: l.Sequence() + 1})
		}
		if want := []int{0, 1, 2, 0, 1, 2}; !slices.Equal(order, want) {
			t.Errorf("order %v, want %v", order, want)
		}
	})

	t.Run("PrefersChannelsWithoutOpenTx", func(t *testing.T) {
		b := setup(t)
		b.addChannels(3)
		var leases []txlog.AccountLease
		for range 3 {
			leases = append(leases, b.leaseChannel(b.SystemLog(), 3))
		}
		b.Must(leases[0].Store(t.Context(), signedTx(leases[0], "aa", 1001, txlog.PurposeCreate)))
		for _, l := range leases { // The channel with the open transaction is the least recently used.
			b.release(l, txlog.AccountRelease{Sequence: 1000})
		}
		var order []int
		for range 3 {
			order = append(order, b.leaseChannel(b.SystemLog(), 3).Channel())
		}
		if want := []int{1, 2, 0}; !slices.Equal(order, want) {
			t.Errorf("order %v, want %v", order, want)
		}
		if all := b.channels(); all[0].Open != 1 || all[1].Open != 0 {
			t.Errorf("%+v", all)
		}
	})

	t.Run("SkipsQuarantinedChannel", func(t *testing.T) {
		b := setup(t)
		b.addChannels(2)
		l := b.leaseChannel(b.SystemLog(), 2)
		b.Must(l.Store(t.Context(), signedTx(l, "aa", 1001, txlog.PurposeCreate)))
		b.release(l, txlog.AccountRelease{Sequence: 1000, Quarantine: 50 * time.Second})
		if all := b.channels(); all[0].State() != txlog.ChannelQuarantined || time.Until(all[0].QuarantinedUntil) < 20*time.Second {
			t.Errorf("%+v", all[0])
		}
		other := b.leaseChannel(b.SystemLog(), 2)
		if other.Channel() != 1 {
			t.Errorf("channel %d", other.Channel())
		}
		b.assertNoFreeChannel(b.SystemLog(), 2)
		b.Exec(`UPDATE stellar_accounts SET quarantined_until = now() - interval '1 millisecond' WHERE channel = 0`)
		if again := b.leaseChannel(b.SystemLog(), 2); again.Channel() != 0 || len(again.Unresolved()) != 1 {
			t.Errorf("channel %d, %+v", again.Channel(), again.Unresolved())
		}
		if !b.channels()[0].QuarantinedUntil.IsZero() {
			t.Error("the channel is still quarantined")
		}
	})

	t.Run("SkipsDisabledChannel", func(t *testing.T) {
		b := setup(t)
		b.addChannels(2)
		l := b.leaseChannel(b.SystemLog(), 2)
		b.release(l, txlog.AccountRelease{DisabledReason: "its key was taken away " + strings.Repeat("and so on ", 40)})
		all := b.channels()
		if all[0].State() != txlog.ChannelDisabled || !strings.HasPrefix(all[0].DisabledReason, "its key was") || all[0].Sequence != 0 {
			t.Errorf("%+v", all[0])
		}
		if l := b.leaseChannel(b.SystemLog(), 2); l.Channel() != 1 {
			t.Errorf("channel %d", l.Channel())
		}
	})

	t.Run("LeasesOnlyChannelsBelowCount", func(t *testing.T) {
		b := setup(t)
		b.addChannels(5)
		for range 2 {
			if l := b.leaseChannel(b.SystemLog(), 2); l.Channel() >= 2 {
				t.Errorf("channel %d of 2", l.Channel())
			}
		}
		b.assertNoFreeChannel(b.SystemLog(), 2)
		if n := len(b.channels()); n != 5 {
			t.Errorf("%d channels are listed; those above the count are missing", n)
		}
	})

	t.Run("ReturnsNotFoundWithoutEnabledChannels", func(t *testing.T) {
		b := setup(t)
		_, err := b.SystemLog().Channel(t.Context(), networkID, deployerAddress, 3, 0)
		postgrestest.WantKind(t, err, errs.KindNotFound)
		b.addChannels(1)
		_, err = b.SystemLog().Channel(t.Context(), networkID, "GOTHER", 3, 0)
		postgrestest.WantKind(t, err, errs.KindNotFound)
		_, err = b.SystemLog().Channel(t.Context(), "cd", deployerAddress, 3, 0)
		postgrestest.WantKind(t, err, errs.KindNotFound)
		b.release(b.leaseChannel(b.SystemLog(), 1), txlog.AccountRelease{DisabledReason: "poor"})
		_, err = b.SystemLog().Channel(t.Context(), networkID, deployerAddress, 1, 0)
		postgrestest.WantKind(t, err, errs.KindNotFound)
	})

	t.Run("RejectsSupersededRun", func(t *testing.T) {
		b := setup(t)
		b.addChannels(1)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		leases := b.leaseChannel(b.TransactionLog(run), 1)
		_, err := b.Abort(t.Context(), run.Tenant.ID, postgrestest.LeaseRequest("x", time.Minute))
		b.Must(err)
		postgrestest.WantKind(t, leases.Store(t.Context(), signedTx(leases, "aa", 1001, txlog.PurposeCreate)), errs.KindFenced)
		_, err = b.TransactionLog(run).Channel(t.Context(), networkID, deployerAddress, 1, 0)
		postgrestest.WantKind(t, err, errs.KindFenced)
	})

	t.Run("FencedRunStopsWaiting", func(t *testing.T) {
		b := setup(t)
		b.addChannels(1)
		leases := b.leaseChannel(b.SystemLog(), 1)
		run := b.ClaimNew(postgrestest.Inputs("Clinic"))
		ended := make(chan error, 1)
		go func() {
			_, err := b.TransactionLog(run).Channel(t.Context(), networkID, deployerAddress, 1, 0)
			ended <- err
		}()
		select {
		case err := <-ended:
			t.Fatalf("the call did not wait: %v", err)
		case <-time.After(300 * time.Millisecond):
		}
		_, err := b.Abort(t.Context(), run.Tenant.ID, postgrestest.LeaseRequest("x", time.Minute))
		b.Must(err)
		postgrestest.WantKind(t, <-ended, errs.KindFenced) // The channel is still busy.
		b.Must(leases.Store(t.Context(), signedTx(leases, "aa", 1001, txlog.PurposeExtend)))
	})
}

// assertNoFreeChannel fails the test if a channel can be leased.
func (b fixture) assertNoFreeChannel(log txlog.Log, count int) {
	b.T.Helper()
	ctx, cancel := context.WithTimeout(b.T.Context(), 300*time.Millisecond)
	defer cancel()
	l, err := log.Channel(ctx, networkID, deployerAddress, count, 0)
	if err == nil {
		b.T.Errorf("channel %d was leased", l.Channel())
		b.release(l, txlog.AccountRelease{})
		return
	}
	postgrestest.WantKind(b.T, err, errs.KindTransient)
}

func TestTxLog_StoreChannels(t *testing.T) {
	t.Parallel()

	t.Run("SequenceNeverDecreases", func(t *testing.T) { // A balance read may lag behind the leaseholder.
		b := setup(t)
		b.addChannels(1)
		for _, c := range []struct{ seen, want int64 }{{1005, 1005}, {1001, 1005}} {
			put := notifyChannel(0)
			put.Sequence = c.seen
			b.storeChannels(put)
			if got := b.channels()[0].Sequence; got != c.want {
				t.Errorf("sequence %d after a read that returned %d, want %d", got, c.seen, c.want)
			}
		}
	})

	t.Run("KeepsSequenceOfLeasedChannel", func(t *testing.T) {
		b := setup(t)
		b.addChannels(1)
		l := b.leaseChannel(b.SystemLog(), 1)
		put := notifyChannel(0)
		put.Sequence, put.Balance = 1009, 7
		b.storeChannels(put)
		if got := b.channels()[0]; got.Sequence != 1000 || got.Balance != 7 {
			t.Errorf("%+v", got)
		}
		b.release(l, txlog.AccountRelease{Sequence: 1003})
		if got := b.channels()[0].Sequence; got != 1003 {
			t.Errorf("sequence %d", got)
		}
	})

	t.Run("KeepsUnknownSequence", func(t *testing.T) {
		b := setup(t)
		b.addChannels(1)
		b.release(b.leaseChannel(b.SystemLog(), 1), txlog.AccountRelease{Sequence: 0})
		b.addChannels(1)
		if got := b.channels()[0].Sequence; got != 0 {
			t.Errorf("sequence %d", got)
		}
	})

	t.Run("EnablesChannelAgain", func(t *testing.T) { // A recreated account may have a lower sequence; it is read from the network.
		b := setup(t)
		b.addChannels(1)
		b.release(b.leaseChannel(b.SystemLog(), 1), txlog.AccountRelease{Sequence: 5000, DisabledReason: "gone"})
		b.addChannels(1)
		if got := b.channels()[0]; got.State() != txlog.ChannelFree || got.Sequence != 0 || got.CheckedAt.IsZero() {
			t.Errorf("%+v", got)
		}
	})

	t.Run("DisablesChannel", func(t *testing.T) {
		b := setup(t)
		b.addChannels(2)
		put := notifyChannel(1)
		put.DisabledReason = "it has too little"
		b.storeChannels(put)
		all := b.channels()
		if all[0].State() != txlog.ChannelFree || all[1].State() != txlog.ChannelDisabled || all[1].DisabledReason != "it has too little" {
			t.Errorf("%+v", all)
		}
	})

	t.Run("SeparatesDeployers", func(t *testing.T) {
		b := setup(t)
		b.addChannels(1)
		other := notifyChannel(0)
		other.Address = "GOTHERS"
		b.Must(b.SystemLog().StoreChannels(t.Context(), networkID, "GOTHER", []txlog.Channel{other}))
		if all := b.channels(); len(all) != 1 || all[0].Address != "GCHANNEL0" {
			t.Errorf("%+v", all)
		}
	})
}
