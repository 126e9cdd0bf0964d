package stellarstore

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// waitQueues are the queues of this process for accounts that one caller can lease at a
// time. Only the first of a queue queries the database. A queue exists while it has
// callers.
type waitQueues struct {
	mu    sync.Mutex
	all   map[string]*waitQueue
	pause time.Duration // Between two queries, on average. 0: accountPollInterval.
}

// waitQueue is the queue for one account, or for any channel of a deployer.
type waitQueue struct {
	first   chan struct{} // Held by the first in the queue. Go wakes senders in their order.
	wakeup  chan struct{} // Something was released.
	callers int           // Guarded by waitQueues.mu.
}

// join returns the queue for a name. The caller must call leave when it is done.
func (q *waitQueues) join(what string) *waitQueue {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.all == nil {
		q.all = map[string]*waitQueue{}
	}
	if q.all[what] == nil {
		q.all[what] = &waitQueue{first: make(chan struct{}, 1), wakeup: make(chan struct{}, 1)}
	}
	q.all[what].callers++
	return q.all[what]
}

func (q *waitQueues) leave(what string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w := q.all[what]; w != nil {
		if w.callers--; w.callers == 0 {
			delete(q.all, what)
		}
	}
}

// signal wakes the first waiter of a queue after a release, if there is one.
func (q *waitQueues) signal(what string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w := q.all[what]; w != nil {
		select {
		case w.wakeup <- struct{}{}:
		default:
		}
	}
}

// interval is when the first of a queue queries again without a signal.
func (q *waitQueues) interval() time.Duration {
	pause := q.pause
	if pause == 0 {
		pause = accountPollInterval
	}
	return pause/2 + rand.N(pause) //nolint:gosec // jitter, not a secret
}

// acquire waits until the caller is first.
func (w *waitQueue) acquire(ctx context.Context) error {
	select {
	case w.first <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *waitQueue) release() { <-w.first }

// wait waits for a signal, for a limited time: a release by another process sends none.
func (w *waitQueue) wait(ctx context.Context, most time.Duration) error {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-w.wakeup:
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
