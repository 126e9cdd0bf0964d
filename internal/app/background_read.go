package app

import (
	"context"
	"sync"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
)

// backgroundRead keeps the newest answer of a statement that is too slow for a request. A call returns an old answer at
// once and reads again meanwhile; a read goes on when its caller has gone.
type backgroundRead struct {
	read       func(context.Context) ([]monitoring.Attention, error)
	ttl        time.Duration // How old an answer may be before it is read again.
	timeout    time.Duration // Of a read.
	waitsFirst bool          // A call waits while there is no answer yet. Else it returns nothing.
	clock      clock.Clock

	mu      sync.Mutex // Guards the fields below.
	reading chan struct{}
	found   []monitoring.Attention
	err     error
	readAt  time.Time
}

// get returns the newest answer, or the error of the newest read.
func (b *backgroundRead) get(ctx context.Context) ([]monitoring.Attention, error) {
	b.mu.Lock()
	if b.reading == nil && (b.readAt.IsZero() || b.err != nil || b.clock.Now().Sub(b.readAt) >= b.ttl) {
		b.reading = make(chan struct{})
		go b.run(context.WithoutCancel(ctx), b.reading)
	}
	reading, known := b.reading, !b.readAt.IsZero() && b.err == nil
	b.mu.Unlock()
	if !known && reading != nil && b.waitsFirst {
		select {
		case <-reading:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.found, b.err
}

func (b *backgroundRead) run(ctx context.Context, done chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, b.timeout)
	defer cancel()
	found, err := b.read(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.found, b.err, b.readAt, b.reading = found, err, b.clock.Now(), nil
	close(done)
}
