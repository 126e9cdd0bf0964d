package rpc

import (
	"context"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// pauses is a clock whose pauses take no time and are recorded.
type pauses struct {
	clock.System
	all []time.Duration
}

func (p *pauses) Sleep(ctx context.Context, d time.Duration) error {
	p.all = append(p.all, d)
	return ctx.Err()
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	const interval = 400 * time.Millisecond
	begin := func() (*pauses, *Backoff) {
		clock := &pauses{}
		return clock, pacer{clock, interval, &ledgerInterval{}}.newBackoff()
	}
	wantAbout := func(t *testing.T, got, want time.Duration) {
		t.Helper()
		if got < want*3/4 || got > want*5/4+time.Nanosecond {
			t.Errorf("%v, want about %v", got, want)
		}
	}
	t.Run("DoublesUpToEightIntervals", func(t *testing.T) {
		t.Parallel()
		clock, b := begin()
		for range 7 {
			if err := b.Wait(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		for i, want := range []time.Duration{interval, 2 * interval, 4 * interval, 8 * interval, 8 * interval, 8 * interval, 8 * interval} {
			wantAbout(t, clock.all[i], want)
		}
	})
	t.Run("RestartsAfterReset", func(t *testing.T) {
		t.Parallel()
		clock, b := begin()
		for range 3 {
			if err := b.Wait(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		b.Reset()
		if err := b.Wait(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		wantAbout(t, clock.all[3], interval)
	})
	t.Run("WaitsForRetryAfter", func(t *testing.T) {
		t.Parallel()
		clock, b := begin()
		cause := errs.Wrap(&statusError{code: 429, after: 9 * time.Second}, errs.KindTransient, "call", "limits requests")
		if err := b.Wait(t.Context(), cause); err != nil || clock.all[0] != 9*time.Second {
			t.Errorf("%v, %v", clock.all, err)
		}
	})
	t.Run("StopsWithContext", func(t *testing.T) {
		t.Parallel()
		_, b := begin()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.Wait(ctx, nil); errs.KindOf(err) != errs.KindCancelled {
			t.Errorf("%v", err)
		}
	})
}
