package stream

import (
	"context"
	"time"
)

// Follower waits, for a client, for what may have changed.
type Follower struct {
	Out *Writer
	// StillAuthorized reports whether the caller may continue: a stream can outlive its
	// key.
	StillAuthorized func(ctx context.Context) bool
	Notify          <-chan struct{} // Receives when there may be changes. Nil: none are notified.
	Draining        <-chan struct{} // Closed when the server stops.
	PollInterval    time.Duration   // For changes without a notification.
	KeepAlive       time.Duration   // Between two keep-alives.

	poll, keepAlive *time.Ticker
}

// start must be called before wait; the function that it returns ends the follower.
func (f *Follower) start() (stop func()) {
	f.poll, f.keepAlive = time.NewTicker(f.PollInterval), time.NewTicker(f.KeepAlive)
	return func() {
		f.poll.Stop()
		f.keepAlive.Stop()
	}
}

// wait returns true when there may be changes, and false when the stream is to end.
func (f *Follower) wait(ctx context.Context) bool {
	for {
		select {
		case <-f.Notify:
			return true
		case <-f.poll.C:
			return true
		case <-f.keepAlive.C:
			if !f.StillAuthorized(ctx) || f.Out.keepAlive() != nil {
				return false
			}
		case <-f.Draining:
			return false // An EventSource connects again, to another server.
		case <-ctx.Done():
			return false
		}
	}
}
