package rpc

import (
	"context"
	"sync"
	"time"
)

// SlowAfter is the time after which a call counts as slow: later callers start a second
// call.
const SlowAfter = time.Second

// maxSharedTries limits the parallel attempts of one shared call.
const maxSharedTries = 3

// sharedCall lets concurrent callers share one call. While the response is slow the call
// is started again in parallel, so one that hangs does not block all callers; the first
// response is used.
type sharedCall[A any] struct {
	fetch     func(ctx context.Context) (A, error)
	slowAfter time.Duration // The time between attempts. Use SlowAfter.

	mu      sync.Mutex
	current *sharedResult[A] // Nil: no call is in flight.
}

// sharedResult is what the callers of one shared call wait for.
type sharedResult[A any] struct {
	cancel  context.CancelFunc
	callers int
	done    chan struct{}
	value   A
	err     error
}

// do returns the call's response, and returns at once when ctx ends. op names the
// operation in errors.
func (s *sharedCall[A]) do(ctx context.Context, op string) (A, error) {
	r := s.join(ctx)
	defer s.leave(r)
	select {
	case <-r.done:
		return r.value, r.err
	case <-ctx.Done():
		var none A
		return none, ContextError(ctx, op, ctx.Err())
	}
}

func (s *sharedCall[A]) join(ctx context.Context) *sharedResult[A] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current == nil {
		// It ends when the last caller leaves, not the first.
		call, cancel := context.WithCancel(context.WithoutCancel(ctx)) //nolint:gosec // leave and run call it
		s.current = &sharedResult[A]{cancel: cancel, done: make(chan struct{})}
		go s.run(call, s.current)
	}
	s.current.callers++
	return s.current
}

// leave cancels the call when no callers are left.
func (s *sharedCall[A]) leave(r *sharedResult[A]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.callers--; r.callers == 0 {
		r.cancel()
		if s.current == r {
			s.current = nil
		}
	}
}

// run makes attempts until the first response, and cancels the others.
func (s *sharedCall[A]) run(ctx context.Context, r *sharedResult[A]) {
	type answer struct {
		value A
		err   error
	}
	answers := make(chan answer, maxSharedTries)
	try := func() {
		value, err := s.fetch(ctx)
		answers <- answer{value, err}
	}
	slow := time.NewTicker(s.slowAfter)
	defer slow.Stop()
	go try()
	for tries := 1; ; {
		select {
		case first := <-answers:
			s.mu.Lock()
			defer s.mu.Unlock()
			r.value, r.err = first.value, first.err
			r.cancel()
			close(r.done)
			if s.current == r {
				s.current = nil
			}
			return
		case <-slow.C:
			if tries < maxSharedTries {
				tries++
				go try()
			}
		}
	}
}
