package retry

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

func TestRetryPolicy_Delay(t *testing.T) {
	t.Parallel()
	policy := Default()
	for i, nominal := range []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 10 * time.Second, 10 * time.Second} {
		seen := map[time.Duration]bool{}
		for range 100 {
			d := policy.Delay(i + 1)
			if d < nominal/2 || d > nominal {
				t.Errorf("pause %d is %v, want %v to %v", i+1, d, nominal/2, nominal)
			}
			seen[d] = true
		}
		if len(seen) < 50 {
			t.Errorf("pause %d has only %d values; runs that failed together would retry together", i+1, len(seen))
		}
	}
	if d := (Policy{Attempts: 2}).Delay(1); d != 0 {
		t.Errorf("pause %v without a base", d)
	}
}

func TestRetryPolicy_Do(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind  errs.Kind
		stop  bool // In the first try.
		calls int
	}{
		"TransientIsRepeated":     {errs.KindTransient, false, 5},
		"PermanentIsNot":          {errs.KindPermanent, false, 1},
		"FencedIsNot":             {errs.KindFenced, false, 1},
		"AStopEndsTheWaitAtOnce":  {errs.KindTransient, true, 1},
		"SuccessIsNotRepeated":    {"", false, 1},
		"ConflictIsNotATransient": {errs.KindConflict, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				calls, retries, began := 0, 0, time.Now()
				var err error
				for try := range Default().Tries(ctx, clock.System{}, &err, func(int, error) { retries++ }) {
					if calls++; try != calls {
						t.Errorf("try %d is numbered %d", calls, try)
					}
					if c.stop {
						stop()
					}
					if c.kind != "" {
						err = errs.Errorf(c.kind, "try", "no")
					}
				}
				if errs.KindOf(err) != c.kind || calls != c.calls || !c.stop && retries != calls-1 {
					t.Errorf("%d calls, %d retries, %v", calls, retries, err)
				}
				if took := time.Since(began); c.calls == 1 && took != 0 {
					t.Errorf("waited for %v", took)
				}
			})
		})
	}
}
