package postgres_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver/pgtest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// asked counts how often a channel was asked for, and how many asked at once.
type asked struct {
	times, now, most atomic.Int64
}

type askKey struct{}

func (a *asked) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if !strings.Contains(data.SQL, "SKIP LOCKED") {
		return ctx
	}
	a.times.Add(1)
	now := a.now.Add(1)
	for most := a.most.Load(); now > most && !a.most.CompareAndSwap(most, now); most = a.most.Load() {
	}
	return context.WithValue(ctx, askKey{}, true)
}

func (a *asked) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	if ctx.Value(askKey{}) != nil {
		a.now.Add(-1)
	}
}

// TestJournal_Channel_ManyWait: a hundred that wait ask no more often than one, and
// each gets its turn.
func TestJournal_Channel_ManyWait(t *testing.T) {
	t.Parallel()
	const waiters, rounds = 100, 3
	db, err := postgres.Open(t.Context(), postgres.Options{URL: pgtest.Database(t)})
	if err != nil {
		t.Fatal(err)
	}
	var counted asked
	postgres.Trace(t, db, &counted)
	t.Cleanup(db.Close)
	b := bundle{db, t}
	b.haveChannels(1)
	held := b.lease(b.Upkeep(), 1)

	var (
		all    sync.WaitGroup
		mu     sync.Mutex
		turns  [waiters]int
		began  = time.Now()
		before = counted.times.Load()
	)
	for i := range waiters {
		all.Go(func() {
			for range rounds {
				l, err := b.Upkeep().Channel(t.Context(), netID, owner, 1, 0)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				turns[i]++
				behind := turns[i]
				for _, n := range turns {
					behind = min(behind, n)
				}
				if turns[i]-behind > 2 {
					t.Errorf("one has its turn %d while another had only %d", turns[i], behind)
				}
				mu.Unlock()
				if err := l.Release(t.Context(), provisioning.AccountRest{Sequence: l.Sequence() + 1}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for counted.times.Load()-before < 12 { // All wait, and see it busy.
		time.Sleep(10 * time.Millisecond)
	}
	// Nobody asks again within half the pause: the number of waiters plays no part.
	if n, most := counted.times.Load()-before, int64(time.Since(began)/(50*time.Millisecond))+2; n > most {
		t.Errorf("%d waiters asked %d times in %v", waiters, n, time.Since(began))
	}
	before = counted.times.Load()
	b.release(held, provisioning.AccountRest{Sequence: 1000})
	all.Wait()
	// Each turn is asked for once, or twice when the account was not back yet; what
	// comes back rings the bell, so nobody has to ask in vain for long.
	if n := counted.times.Load() - before; n > 3*waiters*rounds {
		t.Errorf("%d turns took %d questions", waiters*rounds, n)
	}
	if most := counted.most.Load(); most != 1 {
		t.Errorf("%d asked at once", most)
	}
	if got := b.channels()[0].Sequence; got != 1000+waiters*rounds {
		t.Errorf("sequence %d", got)
	}
}

// TestJournal_Channel_IsHeardOfAtOnce: what this process gives back nobody here has to
// ask for.
func TestJournal_Channel_IsHeardOfAtOnce(t *testing.T) {
	b := setup(t)
	postgres.Patient(b.DB)
	b.haveChannels(1)
	held := b.lease(b.Upkeep(), 1)
	const waiters = 5
	var all sync.WaitGroup
	for range waiters {
		all.Go(func() {
			l, err := b.Upkeep().Channel(t.Context(), netID, owner, 1, 0)
			if err == nil {
				err = l.Release(t.Context(), provisioning.AccountRest{Sequence: l.Sequence() + 1})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	b.release(held, provisioning.AccountRest{Sequence: 1000})
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("what was given back nobody heard of")
	}
	if got := b.channels()[0].Sequence; got != 1000+waiters {
		t.Errorf("sequence %d", got)
	}
}

// TestJournal_Channel_TwoProcesses: what one process has leased the other has not,
// and both come to an end.
func TestJournal_Channel_TwoProcesses(t *testing.T) {
	one, two := pair(t)
	const channels, users, rounds = 3, 10, 5
	one.haveChannels(channels)
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		busy = map[int]bool{}
		used = map[int]int{}
	)
	for i := range 2 * users {
		process := []bundle{one, two}[i%2]
		all.Go(func() {
			for range rounds {
				l, err := process.Upkeep().Channel(t.Context(), netID, owner, channels, 0)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if busy[l.Channel()] {
					t.Errorf("channel %d has two users", l.Channel())
				}
				busy[l.Channel()] = true
				used[l.Channel()]++
				mu.Unlock()
				time.Sleep(time.Millisecond) // While it is used.
				mu.Lock()
				busy[l.Channel()] = false
				mu.Unlock()
				if err := l.Release(t.Context(), provisioning.AccountRest{Sequence: l.Sequence() + 1}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for _, c := range one.channels() {
		if c.State() != provisioning.ChannelFree || c.Sequence != 1000+int64(used[c.Index]) || used[c.Index] == 0 {
			t.Errorf("%+v, used %d times", c, used[c.Index])
		}
	}
}
