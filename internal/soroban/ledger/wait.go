package ledger

import (
	"context"
	"time"
)

// lagTimeout is how long a server may be behind the known state.
const lagTimeout = 30 * time.Second

// WaitFor repeats a read until the result is not older than the known state. The
// servers behind one address may be at different ledgers. It returns false when the
// server stays behind for longer than lagTimeout; the caller decides what that means.
func (r *Reader) WaitFor(ctx context.Context, read func() (current bool, err error)) (bool, error) {
	start := r.clock.Now()
	for {
		current, err := read()
		if err != nil || current {
			return current, err
		}
		if r.clock.Now().Sub(start) > lagTimeout {
			return false, nil
		}
		if err := r.client.WaitPoll(ctx); err != nil {
			return false, err
		}
	}
}
