package ledger

import (
	"context"
	"slices"
	"sync"
	"time"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/rpc"
)

const (
	// MaxKeys is how many entries one getLedgerEntries call may read.
	MaxKeys = 200
	// maxBatchesInFlight limits the parallel calls of one batcher. Two batchers stay
	// well below the client's limit, so calls that hang leave room for all other methods.
	maxBatchesInFlight = 4
)

// entryBatcher combines the reads of many callers into few calls. Reads that arrive
// while a call is in flight are collected for the next one. A slow call delays only its
// own callers: the next batch is sent in parallel.
type entryBatcher struct {
	fetch func(ctx context.Context, keys []string) (protocol.GetLedgerEntriesResponse, error)
	// window waits while a batch is collected. Nil: a batch is sent as soon as no call
	// is in flight, or all calls in flight are slow.
	window func(ctx context.Context) error
	// slowAfter is the time after which a call counts as slow. Use rpc.SlowAfter.
	slowAfter time.Duration

	mu       sync.Mutex
	queue    []*entryBatch // Not sent yet, oldest first. Only the last one accepts more keys.
	inFlight int           // Calls in flight,
	slow     int           // and how many of them are slow.
}

// entryBatch is one call, from its first caller to its response.
type entryBatch struct {
	ctx     context.Context //nolint:containedctx // It ends when its last caller leaves, not its first.
	cancel  context.CancelFunc
	keys    map[string]bool
	callers int
	ready   bool // Its window is over, or it is full.
	slow    bool
	done    chan struct{}

	entries map[string]protocol.LedgerEntryResult
	ledger  uint32
	err     error
}

// entries returns the existing entries by key, and the ledger of the read. keys are at
// most MaxKeys. It returns at once when ctx ends.
func (b *entryBatcher) entries(ctx context.Context, keys []string) (map[string]protocol.LedgerEntryResult, uint32, error) {
	batch := b.join(ctx, keys)
	defer b.leave(batch)
	select {
	case <-batch.done:
		return batch.entries, batch.ledger, batch.err
	case <-ctx.Done():
		return nil, 0, rpc.ContextError(ctx, "read ledger entries", ctx.Err())
	}
}

// join adds keys to the batch that is being collected, or starts a new batch.
func (b *entryBatcher) join(ctx context.Context, keys []string) *entryBatch {
	b.mu.Lock()
	defer b.mu.Unlock()
	var batch *entryBatch
	if n := len(b.queue); n > 0 {
		if batch = b.queue[n-1]; len(batch.keys)+len(keys) > MaxKeys {
			batch.ready, batch = true, nil
		}
	}
	if batch == nil {
		batch = &entryBatch{keys: map[string]bool{}, done: make(chan struct{}), ready: b.window == nil}
		batch.ctx, batch.cancel = context.WithCancel(context.WithoutCancel(ctx))
		b.queue = append(b.queue, batch)
		if b.window != nil {
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
func (b *entryBatcher) collect(batch *entryBatch) {
	err := b.window(batch.ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err != nil && b.remove(batch) {
		batch.finish(protocol.GetLedgerEntriesResponse{}, err)
		return
	}
	batch.ready = true
	b.dispatch()
}

// leave cancels a batch without callers.
func (b *entryBatcher) leave(batch *entryBatch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if batch.callers--; batch.callers == 0 {
		batch.cancel()
		b.remove(batch)
	}
}

// remove removes a batch from the queue, and reports whether it was there. The caller
// holds mu.
func (b *entryBatcher) remove(batch *entryBatch) bool {
	i := slices.Index(b.queue, batch)
	if i < 0 {
		return false
	}
	b.queue = slices.Delete(b.queue, i, i+1)
	return true
}

// dispatch sends the batches that are ready. The caller holds mu.
func (b *entryBatcher) dispatch() {
	for len(b.queue) > 0 && b.queue[0].ready && b.inFlight < maxBatchesInFlight {
		// Without a window a batch collects while another call is in flight, unless it
		// is full: then another batch is queued behind it.
		if b.window == nil && len(b.queue) == 1 && b.inFlight > b.slow {
			return
		}
		batch := b.queue[0]
		b.queue = b.queue[1:]
		b.inFlight++
		go b.call(batch)
	}
}

func (b *entryBatcher) call(batch *entryBatch) {
	timer := time.AfterFunc(b.slowAfter, func() { b.markSlow(batch) })
	defer timer.Stop()
	keys := make([]string, 0, len(batch.keys))
	for key := range batch.keys {
		keys = append(keys, key)
	}
	batch.finish(b.fetch(batch.ctx, keys))
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inFlight--; batch.slow {
		b.slow--
	}
	b.dispatch()
}

// markSlow marks a call as slow, so that other batches do not wait for it.
func (b *entryBatcher) markSlow(batch *entryBatch) {
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

func (e *entryBatch) finish(got protocol.GetLedgerEntriesResponse, err error) {
	e.entries, e.ledger, e.err = make(map[string]protocol.LedgerEntryResult, len(got.Entries)), got.LatestLedger, err
	for _, entry := range got.Entries {
		e.entries[entry.KeyXDR] = entry
	}
	close(e.done)
}
