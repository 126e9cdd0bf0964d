package notify

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestLimitRate: however many signals arrive, calls are an interval apart; the last signal
// is followed by a call.
func TestLimitRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s, began := newSignal(), time.Now()
		var calls []time.Duration
		done := make(chan struct{})
		go func() {
			defer close(done)
			limitRate(ctx, s, lookInterval, func(context.Context) { calls = append(calls, time.Since(began)) })
		}()
		for range 10_000 { // For a second.
			s.set()
			time.Sleep(100 * time.Microsecond) // Fake time.
		}
		time.Sleep(time.Minute) // Fake time.
		cancel()
		<-done
		if len(calls) != 51 || calls[50]-calls[0] != time.Second {
			t.Errorf("%d calls, the last after %v", len(calls), calls[len(calls)-1])
		}
		for i := range calls[1:] {
			if calls[i+1]-calls[i] < lookInterval {
				t.Errorf("call %d comes %v after the one before", i+1, calls[i+1]-calls[i])
			}
		}
	})
}
