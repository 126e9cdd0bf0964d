package rpc

import (
	"context"
	"sync"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
)

// cacheTTL is how long a response is cached that is the same for all callers: current
// inclusion fees and the latest ledger. It is a fraction of a public network's ledger
// time.
const cacheTTL = 2 * time.Second

// ttlCache stores one response for a time, for all callers.
type ttlCache[A any] struct {
	clock clock.Clock
	ttl   time.Duration
	call  sharedCall[A]

	mu    sync.Mutex
	value A
	at    time.Time // Zero: no value.
}

func newTTLCache[A any](clock clock.Clock, ttl time.Duration, fetch func(ctx context.Context) (A, error)) *ttlCache[A] {
	c := &ttlCache[A]{clock: clock, ttl: ttl}
	c.call.slowAfter = SlowAfter
	c.call.fetch = func(ctx context.Context) (A, error) {
		if value, ok := c.known(); ok { // The call before has just ended.
			return value, nil
		}
		value, err := fetch(ctx)
		if err == nil {
			c.put(value)
		}
		return value, err
	}
	return c
}

// get returns the value, and fetches it when the cached one is too old.
func (c *ttlCache[A]) get(ctx context.Context) (A, error) {
	if value, ok := c.known(); ok {
		return value, nil
	}
	return c.call.do(ctx, "call the Stellar RPC server")
}

func (c *ttlCache[A]) known() (A, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.value, !c.at.IsZero() && c.clock.Now().Sub(c.at) < c.ttl
}

// last returns the newest value, however old; the zero value if there was none.
func (c *ttlCache[A]) last() A {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.value
}

// put stores a value that came with another response.
func (c *ttlCache[A]) put(value A) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.value, c.at = value, c.clock.Now()
}

// drop makes the next caller fetch again.
func (c *ttlCache[A]) drop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = time.Time{}
}
