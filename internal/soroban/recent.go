package soroban

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// recentTime is how long an answer serves that is the same for everybody: what
// a place in a ledger costs, and which ledger is the latest. It is a part of a
// public network's ledger.
const recentTime = 2 * time.Second

// recent keeps an answer for all who ask within a moment.
type recent[A any] struct {
	clock provisioning.Clock
	fetch func(ctx context.Context) (A, error)
	calls singleflight.Group

	mu    sync.Mutex
	value A
	at    time.Time // Zero: there is none.
}

// get gives the answer, asking for it if there is none that is recent.
func (r *recent[A]) get(ctx context.Context) (A, error) {
	if value, ok := r.known(); ok {
		return value, nil
	}
	done := r.calls.DoChan("", func() (any, error) {
		if value, ok := r.known(); ok { // The call before has just ended.
			return value, nil
		}
		// Others wait for it as well; each of them gives up by itself.
		value, err := r.fetch(context.WithoutCancel(ctx))
		if err == nil {
			r.put(value)
		}
		return value, err
	})
	select {
	case got := <-done:
		value, _ := got.Val.(A)
		return value, got.Err
	case <-ctx.Done():
		var none A
		return none, stopped(ctx, "call the Stellar RPC server", ctx.Err())
	}
}

func (r *recent[A]) known() (A, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.value, !r.at.IsZero() && r.clock.Now().Sub(r.at) < recentTime
}

// put takes in an answer that came along with another one.
func (r *recent[A]) put(value A) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.value, r.at = value, r.clock.Now()
}

// drop has the next caller ask anew.
func (r *recent[A]) drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at = time.Time{}
}
