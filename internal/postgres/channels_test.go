package postgres_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

func TestJournal_Channel(t *testing.T) {
	t.Parallel()

	t.Run("AnyThatIsFree", func(t *testing.T) {
		b := setup(t)
		b.haveChannels(3)
		seen := map[string]int{}
		for range 3 {
			l := b.lease(b.Upkeep(), 3)
			seen[l.Address()] = l.Channel()
			if l.Sequence() != 1000 || l.Balance() != 50_000_000 || len(l.Unresolved()) != 0 {
				t.Errorf("sequence %d, balance %d, %+v", l.Sequence(), l.Balance(), l.Unresolved())
			}
		}
		if len(seen) != 3 || seen["GCHANNEL2"] != 2 {
			t.Errorf("%v", seen)
		}
		for _, c := range b.channels() {
			if c.State() != provisioning.ChannelBusy || c.LeasedUntil.Before(time.Now()) {
				t.Errorf("%+v", c)
			}
		}
	})

	t.Run("TheLongestUnusedFirst", func(t *testing.T) {
		b := setup(t)
		b.haveChannels(3)
		var order []int
		for range 6 {
			l := b.lease(b.Upkeep(), 3)
			order = append(order, l.Channel())
			b.release(l, provisioning.AccountRest{Sequence: l.Sequence() + 1})
		}
		if want := []int{0, 1, 2, 0, 1, 2}; !slices.Equal(order, want) {
			t.Errorf("order %v, want %v", order, want)
		}
	})

	t.Run("ThoseWithOpenTransactionsLast", func(t *testing.T) {
		b := setup(t)
		b.haveChannels(3)
		var held []provisioning.AccountLease
		for range 3 {
			held = append(held, b.lease(b.Upkeep(), 3))
		}
		b.must(held[0].Store(t.Context(), signed(held[0], "aa", 1001, provisioning.PurposeCreate)))
		for _, l := range held { // The one with the open transaction is unused for the longest time.
			b.release(l, provisioning.AccountRest{Sequence: 1000})
		}
		var order []int
		for range 3 {
			order = append(order, b.lease(b.Upkeep(), 3).Channel())
		}
		if want := []int{1, 2, 0}; !slices.Equal(order, want) {
			t.Errorf("order %v, want %v", order, want)
		}
		if all := b.channels(); all[0].Open != 1 || all[1].Open != 0 {
			t.Errorf("%+v", all)
		}
	})

	t.Run("NotOneThatIsSetAside", func(t *testing.T) {
		b := setup(t)
		b.haveChannels(2)
		l := b.lease(b.Upkeep(), 2)
		b.must(l.Store(t.Context(), signed(l, "aa", 1001, provisioning.PurposeCreate)))
		b.release(l, provisioning.AccountRest{Sequence: 1000, SetAside: time.Hour})
		if all := b.channels(); all[0].State() != provisioning.ChannelSetAside || time.Until(all[0].SetAside) < 50*time.Minute {
			t.Errorf("%+v", all[0])
		}
		other := b.lease(b.Upkeep(), 2)
		if other.Channel() != 1 {
			t.Errorf("channel %d", other.Channel())
		}
		b.waits(b.Upkeep(), 2)
		b.exec(`UPDATE stellar_accounts SET set_aside = now() - interval '1 millisecond' WHERE channel = 0`)
		if again := b.lease(b.Upkeep(), 2); again.Channel() != 0 || len(again.Unresolved()) != 1 {
			t.Errorf("channel %d, %+v", again.Channel(), again.Unresolved())
		}
		if !b.channels()[0].SetAside.IsZero() {
			t.Error("it is still said to be set aside")
		}
	})

	t.Run("NotOneThatIsOutOfUse", func(t *testing.T) {
		b := setup(t)
		b.haveChannels(2)
		l := b.lease(b.Upkeep(), 2)
		b.release(l, provisioning.AccountRest{OutOfUse: "its key was taken away " + strings.Repeat("and so on ", 40)})
		all := b.channels()
		if all[0].State() != provisioning.ChannelOutOfUse || !strings.HasPrefix(all[0].OutOfUse, "its key was") || all[0].Sequence != 0 {
			t.Errorf("%+v", all[0])
		}
		if l := b.lease(b.Upkeep(), 2); l.Channel() != 1 {
			t.Errorf("channel %d", l.Channel())
		}
	})

	t.Run("OnlyBelowTheCount", func(t *testing.T) {
		b := setup(t)
		b.haveChannels(5)
		for range 2 {
			if l := b.lease(b.Upkeep(), 2); l.Channel() >= 2 {
				t.Errorf("channel %d of 2", l.Channel())
			}
		}
		b.waits(b.Upkeep(), 2)
		if n := len(b.channels()); n != 5 {
			t.Errorf("%d channels are listed, want those above the count, too", n)
		}
	})

	t.Run("NotFoundWhereNoneIsInUse", func(t *testing.T) {
		b := setup(t)
		_, err := b.Upkeep().Channel(t.Context(), netID, owner, 3, 0)
		wantKind(t, err, provisioning.KindNotFound)
		b.haveChannels(1)
		_, err = b.Upkeep().Channel(t.Context(), netID, "GOTHER", 3, 0)
		wantKind(t, err, provisioning.KindNotFound)
		_, err = b.Upkeep().Channel(t.Context(), "cd", owner, 3, 0)
		wantKind(t, err, provisioning.KindNotFound)
		b.release(b.lease(b.Upkeep(), 1), provisioning.AccountRest{OutOfUse: "poor"})
		_, err = b.Upkeep().Channel(t.Context(), netID, owner, 1, 0)
		wantKind(t, err, provisioning.KindNotFound)
	})

	t.Run("NotOfAnOvertakenRun", func(t *testing.T) {
		b := setup(t)
		b.haveChannels(1)
		run := b.begin(inputs("Clinic"))
		held := b.lease(b.Journal(run), 1)
		_, err := b.Abort(t.Context(), run.Tenant.ID, lease("x", time.Minute))
		b.must(err)
		wantKind(t, held.Store(t.Context(), signed(held, "aa", 1001, provisioning.PurposeCreate)), provisioning.KindFenced)
		_, err = b.Journal(run).Channel(t.Context(), netID, owner, 1, 0)
		wantKind(t, err, provisioning.KindFenced)
	})

	t.Run("ARunThatIsOvertakenWaitsNoLonger", func(t *testing.T) {
		b := setup(t)
		b.haveChannels(1)
		held := b.lease(b.Upkeep(), 1)
		run := b.begin(inputs("Clinic"))
		ended := make(chan error, 1)
		go func() {
			_, err := b.Journal(run).Channel(t.Context(), netID, owner, 1, 0)
			ended <- err
		}()
		select {
		case err := <-ended:
			t.Fatalf("it did not wait: %v", err)
		case <-time.After(300 * time.Millisecond):
		}
		_, err := b.Abort(t.Context(), run.Tenant.ID, lease("x", time.Minute))
		b.must(err)
		wantKind(t, <-ended, provisioning.KindFenced) // Although the channel is as busy as before.
		b.must(held.Store(t.Context(), signed(held, "aa", 1001, provisioning.PurposeExtend)))
	})
}

// waits makes sure that no channel is to be had.
func (b bundle) waits(journal provisioning.Journal, count int) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 300*time.Millisecond)
	defer cancel()
	l, err := journal.Channel(ctx, netID, owner, count, 0)
	if err == nil {
		b.t.Errorf("channel %d was given", l.Channel())
		b.release(l, provisioning.AccountRest{})
		return
	}
	wantKind(b.t, err, provisioning.KindTransient)
}

func TestJournal_PutChannels(t *testing.T) {
	t.Parallel()

	t.Run("NumbersOnlyGrow", func(t *testing.T) { // Who looks may be behind who uses.
		b := setup(t)
		b.haveChannels(1)
		for _, c := range []struct{ seen, want int64 }{{1005, 1005}, {1001, 1005}} {
			put := channel(0)
			put.Sequence = c.seen
			b.putChannels(put)
			if got := b.channels()[0].Sequence; got != c.want {
				t.Errorf("sequence %d after a look that showed %d, want %d", got, c.seen, c.want)
			}
		}
	})

	t.Run("ALeasedOnesNumberIsItsHolders", func(t *testing.T) {
		b := setup(t)
		b.haveChannels(1)
		l := b.lease(b.Upkeep(), 1)
		put := channel(0)
		put.Sequence, put.Balance = 1009, 7
		b.putChannels(put)
		if got := b.channels()[0]; got.Sequence != 1000 || got.Balance != 7 {
			t.Errorf("%+v", got)
		}
		b.release(l, provisioning.AccountRest{Sequence: 1003})
		if got := b.channels()[0].Sequence; got != 1003 {
			t.Errorf("sequence %d", got)
		}
	})

	t.Run("ANumberToAskForStaysOne", func(t *testing.T) {
		b := setup(t)
		b.haveChannels(1)
		b.release(b.lease(b.Upkeep(), 1), provisioning.AccountRest{Sequence: 0})
		b.haveChannels(1)
		if got := b.channels()[0].Sequence; got != 0 {
			t.Errorf("sequence %d", got)
		}
	})

	t.Run("ComesBackIntoUse", func(t *testing.T) { // Perhaps made anew, with lower numbers: to be asked for.
		b := setup(t)
		b.haveChannels(1)
		b.release(b.lease(b.Upkeep(), 1), provisioning.AccountRest{Sequence: 5000, OutOfUse: "gone"})
		b.haveChannels(1)
		if got := b.channels()[0]; got.State() != provisioning.ChannelFree || got.Sequence != 0 || got.CheckedAt.IsZero() {
			t.Errorf("%+v", got)
		}
	})

	t.Run("GoesOutOfUse", func(t *testing.T) {
		b := setup(t)
		b.haveChannels(2)
		put := channel(1)
		put.OutOfUse = "it has too little"
		b.putChannels(put)
		all := b.channels()
		if all[0].State() != provisioning.ChannelFree || all[1].State() != provisioning.ChannelOutOfUse || all[1].OutOfUse != "it has too little" {
			t.Errorf("%+v", all)
		}
	})

	t.Run("OfEachDeployerItsOwn", func(t *testing.T) {
		b := setup(t)
		b.haveChannels(1)
		other := channel(0)
		other.Address = "GOTHERS"
		b.must(b.Upkeep().PutChannels(t.Context(), netID, "GOTHER", []provisioning.Channel{other}))
		if all := b.channels(); len(all) != 1 || all[0].Address != "GCHANNEL0" {
			t.Errorf("%+v", all)
		}
	})
}
