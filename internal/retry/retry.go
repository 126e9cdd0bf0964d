// Package retry repeats operations that failed with a transient error, with exponential
// backoff and jitter.
package retry

import (
	"context"
	"iter"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// Policy defines how often and when an operation is retried after a transient error.
type Policy struct {
	Attempts int           // Tries in all; at least 1.
	Base     time.Duration // Pause before the second try; it doubles each time.
	Cap      time.Duration // The maximum pause.
}

// Default tries five times over about eight seconds.
func Default() Policy {
	return Policy{Attempts: 5, Base: 500 * time.Millisecond, Cap: 10 * time.Second}
}

// Delay is the pause before try n+1, n from 1: exponential, between half and all of the
// nominal value, so that runs that failed together do not retry together.
func (r Policy) Delay(n int) time.Duration {
	return Backoff(r.Base*3/4, r.Cap*3/4, 1.0/3, n)
}

// Backoff is the one formula for pauses between retries: base after the first failure,
// doubled after each, at most limit. jitter is the share of a pause, 0 to 1, by which it
// is shorter or longer at random. 0 without a base.
func Backoff(base, limit time.Duration, jitter float64, failures int) time.Duration {
	if base <= 0 {
		return 0
	}
	b := backoff.ExponentialBackOff{
		InitialInterval: min(base, limit), MaxInterval: limit, Multiplier: 2, RandomizationFactor: jitter,
	}
	b.Reset()
	pause := b.NextBackOff()
	for range min(failures, maxDoublings) - 1 {
		pause = b.NextBackOff()
	}
	return pause
}

// maxDoublings is the number of failures after which a pause no longer grows, whatever
// its limit.
const maxDoublings = 40

// Tries is for a range loop whose body makes one try and stores its error in err:
//
//	for range policy.Tries(ctx, clock, &err, nil) {
//		tenant, err = store.Get(ctx, id)
//	}
//
// The loop ends when a try succeeded or failed permanently, or when no tries are left; err
// is then the error of the last try. stop ends the pauses, not a try. retrying, if not nil,
// is called before each pause. The values are the numbers of the tries, from 1.
func (r Policy) Tries(stop context.Context, clock clock.Clock, err *error, retrying func(try int, err error)) iter.Seq[int] {
	return func(yield func(int) bool) {
		for try := 1; ; try++ {
			if !yield(try) || *err == nil || errs.KindOf(*err) != errs.KindTransient || try >= r.Attempts {
				return
			}
			if retrying != nil {
				retrying(try, *err)
			}
			if clock.Sleep(stop, r.Delay(try)) != nil {
				return
			}
		}
	}
}
