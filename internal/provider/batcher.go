package provider

import (
	"context"
	"sync"
	"time"
)

// batchWindow is how long requests are collected after a fetch, before the next one.
// Terraform reads ten or more resources in parallel: the wait delays no read while others
// run, and combines many reads into a few queries.
const batchWindow = 5 * time.Millisecond

// batcher combines concurrent requests into few fetches. With no fetch in flight a request
// is sent immediately; requests that arrive during a fetch, and within batchWindow after
// it, share the next one.
type batcher[Q, A any] struct {
	maxBatch int                                              // Keys in one fetch.
	fetch    func(ctx context.Context, keys []Q) ([]A, error) // The answers are in the order of keys.

	mu      sync.Mutex
	pending []*batchRequest[Q, A]
	running bool
}

type batchRequest[Q, A any] struct {
	key   Q
	done  chan struct{} // Closed once value and err are set.
	value A
	err   error
}

// get returns the value of one key. It ends early, with the context's error, when ctx ends.
func (b *batcher[Q, A]) get(ctx context.Context, key Q) (A, error) {
	req := &batchRequest[Q, A]{key: key, done: make(chan struct{})}
	b.mu.Lock()
	b.pending = append(b.pending, req)
	if !b.running {
		b.running = true
		// The fetch also serves other callers, so it must not end with this caller's context.
		go b.run(context.WithoutCancel(ctx))
	}
	b.mu.Unlock()
	select {
	case <-req.done:
		return req.value, req.err
	case <-ctx.Done():
		var zero A
		return zero, ctx.Err()
	}
}

// run fetches batches until no request is pending.
func (b *batcher[Q, A]) run(ctx context.Context) {
	for {
		b.mu.Lock()
		size := min(len(b.pending), b.maxBatch)
		batch := b.pending[:size:size]
		b.pending = b.pending[size:]
		remaining := len(b.pending)
		b.running = size > 0
		b.mu.Unlock()
		if size == 0 {
			return
		}
		b.fetchBatch(ctx, batch)
		if remaining == 0 {
			time.Sleep(batchWindow)
		}
	}
}

func (b *batcher[Q, A]) fetchBatch(ctx context.Context, batch []*batchRequest[Q, A]) {
	keys := make([]Q, len(batch))
	for i, req := range batch {
		keys[i] = req.key
	}
	values, err := b.fetch(ctx, keys)
	for i, req := range batch {
		if req.err = err; err == nil {
			req.value = values[i]
		}
		close(req.done)
	}
}
