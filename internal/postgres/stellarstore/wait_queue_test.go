package stellarstore_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/stellarstore"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// queryCounter counts the channel queries, and how many ran concurrently.
type queryCounter struct {
	total, current, max atomic.Int64
}

type queryCtxKey struct{}

func (a *queryCounter) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	if !strings.Contains(data.SQL, "SKIP LOCKED") {
		return ctx
	}
	a.total.Add(1)
	now := a.current.Add(1)
	for highest := a.max.Load(); now > highest && !a.max.CompareAndSwap(highest, now); highest = a.max.Load() {
	}
	return context.WithValue(ctx, queryCtxKey{}, true)
}

func (a *queryCounter) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryEndData) {
	if ctx.Value(queryCtxKey{}) != nil {
		a.current.Add(-1)
	}
}

// TestTxLog_Channel_ServesManyWaitersFairly: a hundred waiters send no more
// queries than one, and each is served.
func TestTxLog_Channel_ServesManyWaitersFairly(t *testing.T) {
	t.Parallel()
	const waiters, rounds = 100, 3
	var queries queryCounter
	b := fixture{postgrestest.Open(t, pgdb.Options{Tracer: &queries})}
	b.addChannels(1)
	held := b.leaseChannel(b.SystemLog(), 1)

	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		served  [waiters]int
		started = time.Now()
		before  = queries.total.Load()
	)
	for i := range waiters {
		wg.Go(func() {
			for range rounds {
				l, err := b.SystemLog().Channel(t.Context(), networkID, deployerAddress, 1, 0)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				served[i]++
				fewest := served[i]
				for _, n := range served {
					fewest = min(fewest, n)
				}
				if served[i]-fewest > 2 {
					t.Errorf("one waiter was served %d times and another only %d", served[i], fewest)
				}
				mu.Unlock()
				if err := l.Release(t.Context(), txlog.AccountRelease{Sequence: l.Sequence() + 1}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for queries.total.Load()-before < 12 { // All wait for the busy channel.
		time.Sleep(10 * time.Millisecond)
	}
	// No query within half the pause, for any number of waiters.
	if n, maxQueries := queries.total.Load()-before, int64(time.Since(started)/(50*time.Millisecond))+2; n > maxQueries {
		t.Errorf("%d waiters sent %d queries in %v", waiters, n, time.Since(started))
	}
	before = queries.total.Load()
	b.release(held, txlog.AccountRelease{Sequence: 1000})
	wg.Wait()
	// Each waiter sends one query, or two if the account was not released yet; a
	// release wakes the next waiter.
	if n := queries.total.Load() - before; n > 3*waiters*rounds {
		t.Errorf("%d turns took %d queries", waiters*rounds, n)
	}
	if maxQueries := queries.max.Load(); maxQueries != 1 {
		t.Errorf("%d queries ran concurrently", maxQueries)
	}
	if got := b.channels()[0].Sequence; got != 1000+waiters*rounds {
		t.Errorf("sequence %d", got)
	}
}

// TestTxLog_Channel_WakesOnRelease: a release in this process wakes the next waiter
// of this process without a poll.
func TestTxLog_Channel_WakesOnRelease(t *testing.T) {
	b := setup(t)
	stellarstore.DisablePolling(b.Transactions)
	b.addChannels(1)
	held := b.leaseChannel(b.SystemLog(), 1)
	const waiters = 5
	var wg sync.WaitGroup
	for range waiters {
		wg.Go(func() {
			l, err := b.SystemLog().Channel(t.Context(), networkID, deployerAddress, 1, 0)
			if err == nil {
				err = l.Release(t.Context(), txlog.AccountRelease{Sequence: l.Sequence() + 1})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	b.release(held, txlog.AccountRelease{Sequence: 1000})
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal("the release woke no waiter")
	}
	if got := b.channels()[0].Sequence; got != 1000+waiters {
		t.Errorf("sequence %d", got)
	}
}

// TestTxLog_Channel_ExcludesOtherProcesses: a channel is leased by one process
// at a time, and both processes finish.
func TestTxLog_Channel_ExcludesOtherProcesses(t *testing.T) {
	one, two := twoProcesses(t)
	const channels, usersPerProcess, rounds = 3, 10, 5
	one.addChannels(channels)
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		leased = map[int]bool{}
		leases = map[int]int{}
	)
	for i := range 2 * usersPerProcess {
		process := []fixture{one, two}[i%2]
		wg.Go(func() {
			for range rounds {
				l, err := process.SystemLog().Channel(t.Context(), networkID, deployerAddress, channels, 0)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if leased[l.Channel()] {
					t.Errorf("channel %d has two leaseholders", l.Channel())
				}
				leased[l.Channel()] = true
				leases[l.Channel()]++
				mu.Unlock()
				time.Sleep(time.Millisecond) // While the channel is leased.
				mu.Lock()
				leased[l.Channel()] = false
				mu.Unlock()
				if err := l.Release(t.Context(), txlog.AccountRelease{Sequence: l.Sequence() + 1}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, c := range one.channels() {
		if c.State() != txlog.ChannelFree || c.Sequence != 1000+int64(leases[c.Index]) || leases[c.Index] == 0 {
			t.Errorf("%+v, used %d times", c, leases[c.Index])
		}
	}
}
