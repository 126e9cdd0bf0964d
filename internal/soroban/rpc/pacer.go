package rpc

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
)

const (
	// maxBackoffFactor limits the pauses between retries to eight poll intervals.
	maxBackoffFactor = 8
	// jitterFactor is the share by which a pause is longer or shorter, so that callers
	// that started together do not call together.
	jitterFactor = 0.25
)

// pacer computes the pauses between calls to the server.
type pacer struct {
	clock    clock.Clock
	interval time.Duration // The poll interval.
	ledgers  *ledgerInterval
}

// WaitPoll waits for one poll interval, or less where ledgers close faster.
func (c *Client) WaitPoll(ctx context.Context) error {
	p := c.pacer
	d := p.ledgers.timeOf(0.5, p.interval)
	jittered := d*3/4 + rand.N(d/2+1) //nolint:gosec // not a secret
	return p.wait(ctx, jittered)
}

// observe records the latest ledger of a response.
func (p pacer) observe(ledger uint32) { p.ledgers.observe(ledger, p.clock.Now()) }

// TimeOf is the duration of n ledgers, at most limit, which also applies while the
// interval of ledgers is unknown.
func (c *Client) TimeOf(n float64, limit time.Duration) time.Duration {
	return c.pacer.ledgers.timeOf(n, limit)
}

// NewBackoff starts a series of pauses between retries.
func (c *Client) NewBackoff() *Backoff { return c.pacer.newBackoff() }

func (p pacer) newBackoff() *Backoff {
	return &Backoff{pacer: p, exponential: backoff.ExponentialBackOff{
		InitialInterval: p.interval, MaxInterval: maxBackoffFactor * p.interval, Multiplier: 2, RandomizationFactor: jitterFactor,
	}}
}

// Backoff is a series of pauses between retries, each twice as long as the one
// before, up to maxBackoffFactor poll intervals.
type Backoff struct {
	pacer       pacer
	exponential backoff.ExponentialBackOff
}

// Wait waits for the next pause, and at least as long as the server requested in cause,
// the error of the last call; nil for none.
func (b *Backoff) Wait(ctx context.Context, cause error) error {
	d := b.exponential.NextBackOff()
	var status *statusError
	if errors.As(cause, &status) {
		d = max(d, status.after)
	}
	return b.pacer.wait(ctx, d)
}

// Reset starts the series again.
func (b *Backoff) Reset() { b.exponential.Reset() }

func (p pacer) wait(ctx context.Context, d time.Duration) error {
	if err := p.clock.Sleep(ctx, d); err != nil {
		return ContextError(ctx, "wait for the Stellar network", err)
	}
	return nil
}
