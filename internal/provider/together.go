package provider

import (
	"context"
	"sync"
	"time"
)

// company is how long questions are gathered while others are being asked. Terraform
// asks about ten resources at once, or more: this costs it nothing as long as it has
// others to go on with, and makes a few questions of many.
const company = 5 * time.Millisecond

// together gathers what is asked at the same time into few questions. A question that
// comes when nobody asks goes out at once; those that come meanwhile, and for a moment
// after, go together in the next one.
type together[Q, A any] struct {
	most int // In one question.
	ask  func(ctx context.Context, about []Q) ([]A, error)

	mu      sync.Mutex
	waiting []*waiter[Q, A]
	asking  bool
}

type waiter[Q, A any] struct {
	about Q
	done  chan struct{} // Closed once the rest is there.
	found A
	err   error
}

// get asks about one. The answers of ask are in the order of its questions.
func (t *together[Q, A]) get(ctx context.Context, about Q) (A, error) {
	own := &waiter[Q, A]{about: about, done: make(chan struct{})}
	t.mu.Lock()
	t.waiting = append(t.waiting, own)
	if !t.asking {
		t.asking = true
		// It asks for others too, who are not to suffer when this caller stops.
		go t.run(context.WithoutCancel(ctx))
	}
	t.mu.Unlock()
	select {
	case <-own.done:
		return own.found, own.err
	case <-ctx.Done():
		var none A
		return none, ctx.Err()
	}
}

// run asks until nobody waits.
func (t *together[Q, A]) run(ctx context.Context) {
	for {
		t.mu.Lock()
		n := min(len(t.waiting), t.most)
		batch := t.waiting[:n:n]
		t.waiting = t.waiting[n:]
		left := len(t.waiting)
		t.asking = n > 0
		t.mu.Unlock()
		if n == 0 {
			return
		}
		t.answer(ctx, batch)
		if left == 0 {
			time.Sleep(company) // See there.
		}
	}
}

func (t *together[Q, A]) answer(ctx context.Context, batch []*waiter[Q, A]) {
	about := make([]Q, len(batch))
	for i, one := range batch {
		about[i] = one.about
	}
	found, err := t.ask(ctx, about)
	for i, one := range batch {
		if one.err = err; err == nil {
			one.found = found[i]
		}
		close(one.done)
	}
}
