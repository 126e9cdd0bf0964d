package postgres

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// waitQueues are where the callers of this process queue for something that the
// database gives to one of them at a time. Only the first of a queue asks it.
type waitQueues struct {
	mu           sync.Mutex
	byKey        map[string]*waitQueue
	pollInterval time.Duration // Between two questions, on average. 0: accountPollInterval.
}

// pollDelay is when the first of a queue asks again if it hears of nothing.
func (q *waitQueues) pollDelay() time.Duration {
	interval := q.pollInterval
	if interval == 0 {
		interval = accountPollInterval
	}
	return interval/2 + rand.N(interval) //nolint:gosec // jitter, not a secret
}

// get gives the door to a thing. Doors stay: there is one for each deployer.
func (q *waitQueues) get(key string) *waitQueue {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.byKey == nil {
		q.byKey = map[string]*waitQueue{}
	}
	if q.byKey[key] == nil {
		q.byKey[key] = &waitQueue{head: make(chan struct{}, 1), wakeup: make(chan struct{}, 1)}
	}
	return q.byKey[key]
}

type waitQueue struct {
	head   chan struct{} // Held by the first in the queue. Go wakes senders in their order.
	wakeup chan struct{} // Something was given back.
}

// acquire waits until the caller is first.
func (q *waitQueue) acquire(ctx context.Context) error {
	select {
	case q.head <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (q *waitQueue) release() { <-q.head }

// wait waits for the bell, and for that long at most: others may have given
// something back elsewhere.
func (q *waitQueue) wait(ctx context.Context, timeout time.Duration) error {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-q.wakeup:
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// signal tells the first in the queue that something was given back.
func (q *waitQueue) signal() {
	select {
	case q.wakeup <- struct{}{}:
	default:
	}
}
