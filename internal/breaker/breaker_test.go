package breaker_test

import (
	"sync"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/breaker"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
)

func TestCircuitBreaker(t *testing.T) {
	t.Parallel()
	const pause = time.Minute
	type breakerRow struct {
		*breaker.CircuitBreaker
		clock *stoppedClock
	}
	// open returns a breaker that three failures have opened.
	open := func(t *testing.T) breakerRow {
		t.Helper()
		clock := &stoppedClock{now: time.Unix(1_700_000_000, 0)}
		b := breakerRow{&breaker.CircuitBreaker{Clock: clock, Threshold: 3, OpenTimeout: pause}, clock}
		for range 3 {
			if !b.Allow() || b.Open() {
				t.Fatal("it is open before the threshold is reached")
			}
			b.Failure()
		}
		if b.Allow() || !b.Open() || b.OpenFor() != pause {
			t.Fatalf("it is not open after three failures: %v", b.OpenFor())
		}
		return b
	}
	// halfOpen returns a breaker whose pause is over.
	halfOpen := func(t *testing.T) breakerRow {
		t.Helper()
		b := open(t)
		b.clock.now = b.clock.now.Add(pause)
		if b.Open() || b.OpenFor() != 0 {
			t.Fatal("it is open after its pause")
		}
		return b
	}
	t.Run("ZeroValueOpensOnFirstFailure", func(t *testing.T) {
		t.Parallel()
		var b breaker.CircuitBreaker
		if !b.Allow() || b.Open() {
			t.Error("it is open")
		}
		b.Failure()
		if b.Allow() || b.OpenFor() > time.Minute {
			t.Errorf("open for %v", b.OpenFor())
		}
	})
	t.Run("SuccessResetsTheCount", func(t *testing.T) {
		t.Parallel()
		b := breaker.CircuitBreaker{Threshold: 2}
		for range 5 {
			b.Failure()
			b.Success()
		}
		if !b.Allow() {
			t.Error("it is open")
		}
	})
	t.Run("HalfOpenLetsOneProbeThrough", func(t *testing.T) {
		t.Parallel()
		b := halfOpen(t)
		var (
			all sync.WaitGroup
			mu  sync.Mutex
			n   int
		)
		for range 20 {
			all.Go(func() {
				if b.Allow() {
					mu.Lock()
					n++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		if n != 1 {
			t.Errorf("%d probes", n)
		}
	})
	t.Run("SuccessfulProbeCloses", func(t *testing.T) {
		t.Parallel()
		b := halfOpen(t)
		b.Allow()
		b.Success()
		b.Failure() // One failure is below the threshold again.
		for range 2 {
			if !b.Allow() {
				t.Error("it is open")
			}
		}
	})
	t.Run("FailedProbeOpens", func(t *testing.T) {
		t.Parallel()
		b := halfOpen(t)
		b.Allow()
		b.Failure()
		if b.Allow() || b.OpenFor() != pause {
			t.Errorf("open for %v", b.OpenFor())
		}
		b.clock.now = b.clock.now.Add(pause)
		if !b.Allow() {
			t.Error("no second probe")
		}
	})
	t.Run("UnreportedProbeCountsAsFailed", func(t *testing.T) {
		t.Parallel()
		b := halfOpen(t)
		b.Allow()
		if b.Allow() {
			t.Error("a second probe beside the first")
		}
		b.clock.now = b.clock.now.Add(pause)
		if !b.Allow() {
			t.Error("no other probe after a pause")
		}
	})
	t.Run("AbandonedProbeAllowsNext", func(t *testing.T) {
		t.Parallel()
		b := halfOpen(t)
		b.Allow()
		b.Abandon()
		if !b.Allow() {
			t.Error("it is open")
		}
		if b.Allow() {
			t.Error("it is closed")
		}
	})
	t.Run("TripOpensAtOnce", func(t *testing.T) {
		t.Parallel()
		b := breaker.CircuitBreaker{Threshold: 3}
		b.Trip()
		if b.Allow() {
			t.Error("it is closed")
		}
		b.Success()
		if !b.Allow() {
			t.Error("it is open")
		}
	})
}

// stoppedClock returns the time that the test sets.
type stoppedClock struct {
	clock.System
	now time.Time
}

func (c *stoppedClock) Now() time.Time { return c.now }
