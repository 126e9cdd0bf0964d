// Package batch combines the reads of many concurrent callers into few calls.
package batch

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Batcher combines concurrent reads. Reads that arrive while a call is in flight are
// collected for the next one. A slow call delays only its own callers: the next batch is
// sent in parallel. Set the exported fields before the first Get; K is the type of a key, R
// of the result of one call.
type Batcher[K comparable, R any] struct {
	// Fetch reads the keys of a batch. All callers of the batch get its result, and each
	// takes its own keys from it.
	Fetch func(ctx context.Context, keys []K) (R, error)
	// MaxKeys limits the keys of one call.
	MaxKeys int
	// MaxInFlight limits the calls in parallel.
	MaxInFlight int
	// Window waits while a batch is collected. Nil: a batch is sent as soon as no call is
	// in flight, or all calls in flight are slow.
	Window func(ctx context.Context) error
	// SlowAfter is the time after which a call counts as slow. 0: no call does.
	SlowAfter time.Duration

	mu       sync.Mutex
	queue    []*call[K, R] // Not sent yet, oldest first. Only the last one accepts more keys.
	inFlight int           // Calls in flight,
	slow     int           // and how many of them are slow.
}

// call is one batch, from its first caller to its result.
type call[K comparable, R any] struct {
	ctx     context.Context //nolint:containedctx // It ends when its last caller leaves, not its first.
	cancel  context.CancelFunc
	keys    map[K]bool
	callers int
	ready   bool // Its window is over, or it is full.
	slow    bool
	done    chan struct{} // Closed once result and err are set.

	result R
	err    error
}

// Get returns the result of a call that includes the keys, at most MaxKeys. It returns the
// error of ctx at once when ctx ends. A call ends when all its callers have left.
func (b *Batcher[K, R]) Get(ctx context.Context, keys ...K) (R, error) {
	c := b.join(ctx, keys)
	defer b.leave(c)
	select {
	case <-c.done:
		return c.result, c.err
	case <-ctx.Done():
		var none R
		return none, ctx.Err()
	}
}

// Waiting is the number of callers whose batch was not sent yet.
func (b *Batcher[K, R]) Waiting() (callers int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.queue {
		callers += c.callers
	}
	return callers
}

// join adds keys to the batch that is being collected, or starts a new batch.
func (b *Batcher[K, R]) join(ctx context.Context, keys []K) *call[K, R] {
	b.mu.Lock()
	defer b.mu.Unlock()
	var batch *call[K, R]
	if n := len(b.queue); n > 0 {
		if batch = b.queue[n-1]; len(batch.keys)+len(keys) > b.MaxKeys {
			batch.ready, batch = true, nil
		}
	}
	if batch == nil {
		batch = &call[K, R]{keys: map[K]bool{}, done: make(chan struct{}), ready: b.Window == nil}
		batch.ctx, batch.cancel = context.WithCancel(context.WithoutCancel(ctx)) //nolint:gosec // leave calls it
		b.queue = append(b.queue, batch)
		if b.Window != nil {
			go b.collect(batch)
		}
	}
	batch.callers++
	for _, key := range keys {
		batch.keys[key] = true
	}
	b.dispatch()
	return batch
}

// collect waits for the batch's window.
func (b *Batcher[K, R]) collect(batch *call[K, R]) {
	err := b.Window(batch.ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil && b.remove(batch) {
		batch.err = err
		close(batch.done)
		return
	}
	batch.ready = true
	b.dispatch()
}

// leave cancels a batch without callers.
func (b *Batcher[K, R]) leave(batch *call[K, R]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if batch.callers--; batch.callers == 0 {
		batch.cancel()
		b.remove(batch)
	}
}

// remove removes a batch from the queue, and reports whether it was there. The caller
// holds mu.
func (b *Batcher[K, R]) remove(batch *call[K, R]) bool {
	i := slices.Index(b.queue, batch)
	if i < 0 {
		return false
	}
	b.queue = slices.Delete(b.queue, i, i+1)
	return true
}

// dispatch sends the batches that are ready. The caller holds mu.
func (b *Batcher[K, R]) dispatch() {
	for len(b.queue) > 0 && b.queue[0].ready && b.inFlight < b.MaxInFlight {
		// Without a window a batch collects while another call is in flight, unless it
		// is full: then another batch is queued behind it.
		if b.Window == nil && len(b.queue) == 1 && b.inFlight > b.slow {
			return
		}
		batch := b.queue[0]
		b.queue = b.queue[1:]
		b.inFlight++
		go b.send(batch)
	}
}

func (b *Batcher[K, R]) send(batch *call[K, R]) {
	if b.SlowAfter > 0 {
		timer := time.AfterFunc(b.SlowAfter, func() { b.markSlow(batch) })
		defer timer.Stop()
	}
	keys := make([]K, 0, len(batch.keys))
	for key := range batch.keys {
		keys = append(keys, key)
	}
	batch.result, batch.err = b.Fetch(batch.ctx, keys)
	close(batch.done)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inFlight--; batch.slow {
		b.slow--
	}
	b.dispatch()
}

// markSlow marks a call as slow, so that other batches do not wait for it.
func (b *Batcher[K, R]) markSlow(batch *call[K, R]) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-batch.done:
	default:
		batch.slow = true
		b.slow++
		b.dispatch()
	}
}
