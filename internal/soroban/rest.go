package soroban

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
)

// maxDoublings is where the pauses between repetitions stop to grow: at eight
// times the interval.
const maxDoublings = 3

// rest is how a deployment waits.
type rest struct {
	clock    clock.Clock
	interval time.Duration
	tempo    *tempo
}

// pause waits for one interval, or less where ledgers close faster, give or take a
// quarter, so that those who started together do not ask together.
func (r rest) pause(ctx context.Context) error {
	return r.wait(ctx, jitter(r.tempo.interval(r.interval)))
}

// saw takes in the latest ledger of an answer.
func (r rest) saw(ledger uint32) { r.tempo.saw(ledger, r.clock.Now()) }

// backoff waits after the n-th fault in a row, n from 1, twice as long each
// time, and at least as long as the server asked for.
func (r rest) backoff(ctx context.Context, n int, cause error) error {
	d := jitter(r.interval << min(max(n-1, 0), maxDoublings))
	var status *statusError
	if errors.As(cause, &status) {
		d = max(d, status.after)
	}
	return r.wait(ctx, d)
}

func jitter(d time.Duration) time.Duration {
	return d*3/4 + rand.N(d/2+1) //nolint:gosec // not a secret
}

func (r rest) wait(ctx context.Context, d time.Duration) error {
	if err := r.clock.Sleep(ctx, d); err != nil {
		return stopped(ctx, "wait for the Stellar network", err)
	}
	return nil
}
