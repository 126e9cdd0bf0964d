package provisioning

import (
	"context"
	"math/rand/v2"
	"time"
)

// RetryPolicy says how often a transient fault is met with another try.
type RetryPolicy struct {
	Attempts int           // Tries in all; at least 1.
	Base     time.Duration // Pause before the second try; it doubles each time.
	Cap      time.Duration // The longest pause.
}

// DefaultRetry tries five times over about eight seconds.
func DefaultRetry() RetryPolicy {
	return RetryPolicy{Attempts: 5, Base: 500 * time.Millisecond, Cap: 10 * time.Second}
}

// Pause is the wait before try n+1, n from 1: exponential, between half and all
// of the nominal value, so that runs that failed together do not return together.
func (r RetryPolicy) Pause(n int) time.Duration {
	d := r.Base
	for i := 1; i < n && d < r.Cap; i++ {
		d *= 2
	}
	d = min(d, r.Cap)
	if d <= 0 {
		return 0
	}
	return d/2 + rand.N(d/2+1) //nolint:gosec // jitter, not a secret
}

// do calls f until it succeeds, fails for good, or the tries are used up; the
// last error is returned as it is. stop ends the waiting, not f.
func (r RetryPolicy) do(stop context.Context, clock Clock, f func() error, retrying func(try int, err error)) error {
	for try := 1; ; try++ {
		err := f()
		if err == nil || KindOf(err) != KindTransient || try >= r.Attempts {
			return err
		}
		if retrying != nil {
			retrying(try, err)
		}
		if clock.Sleep(stop, r.Pause(try)) != nil {
			return err
		}
	}
}
