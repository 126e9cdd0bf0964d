package postgres

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// doors are where the callers of this process queue for something that the
// database gives to one of them at a time. Only the first of a queue asks it.
type doors struct {
	mu    sync.Mutex
	all   map[string]*door
	pause time.Duration // Between two questions, on average. 0: accountPoll.
}

// next is when the first of a queue asks again if it hears of nothing.
func (d *doors) next() time.Duration {
	pause := d.pause
	if pause == 0 {
		pause = accountPoll
	}
	return pause/2 + rand.N(pause) //nolint:gosec // jitter, not a secret
}

// at gives the door to a thing. Doors stay: there is one for each deployer.
func (d *doors) at(what string) *door {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.all == nil {
		d.all = map[string]*door{}
	}
	if d.all[what] == nil {
		d.all[what] = &door{first: make(chan struct{}, 1), bell: make(chan struct{}, 1)}
	}
	return d.all[what]
}

type door struct {
	first chan struct{} // Held by the first in the queue. Go wakes senders in their order.
	bell  chan struct{} // Something was given back.
}

// enter waits until the caller is first.
func (d *door) enter(ctx context.Context) error {
	select {
	case d.first <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *door) leave() { <-d.first }

// wait waits for the bell, and for that long at most: others may have given
// something back elsewhere.
func (d *door) wait(ctx context.Context, most time.Duration) error {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-d.bell:
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// knock tells the first in the queue that something was given back.
func (d *door) knock() {
	select {
	case d.bell <- struct{}{}:
	default:
	}
}
