package provider

import (
	"context"
	"sync"
	"time"
)

// batchWindow is how long questions are gathered while others are being asked. Terraform
// asks about ten resources at once, or more: this costs it nothing as long as it has
// others to go on with, and makes a few questions of many.
const batchWindow = 5 * time.Millisecond

// batcher gathers what is asked at the same time into few questions. A question that
// comes when nobody asks goes out at once; those that come meanwhile, and for a moment
// after, go together in the next one.
type batcher[Q, A any] struct {
	maxBatch int // In one question.
	fetch    func(ctx context.Context, about []Q) ([]A, error)

	mu      sync.Mutex
	pending []*batchRequest[Q, A]
	running bool
}

type batchRequest[Q, A any] struct {
	key   Q
	done  chan struct{} // Closed once the rest is there.
	value A
	err   error
}

// get asks about one. The answers of ask are in the order of its questions.
func (b *batcher[Q, A]) get(ctx context.Context, key Q) (A, error) {
	req := &batchRequest[Q, A]{key: key, done: make(chan struct{})}
	b.mu.Lock()
	b.pending = append(b.pending, req)
	if !b.running {
		b.running = true
		// It asks for others too, who are not to suffer when this caller stops.
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

// run asks until nobody waits.
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
			time.Sleep(batchWindow) // See there.
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
