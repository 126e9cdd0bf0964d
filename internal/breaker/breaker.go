// Package breaker has a circuit breaker: it stops calls to a server that does not
// answer, and lets one call through after a pause.
package breaker

import (
	"sync"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
)

// openTimeout is how long an open CircuitBreaker refuses calls unless set otherwise.
const openTimeout = time.Minute

// CircuitBreaker stops calls to a server that does not answer. It opens after a number of
// consecutive failures. When the pause is over it lets one call through, the probe (it is
// half-open then): if that succeeds the breaker closes, else it opens again. The zero
// value is closed. It may be used concurrently.
type CircuitBreaker struct {
	Clock       clock.Clock   // Nil: System.
	Threshold   int           // Consecutive failures that open it. 0: one.
	OpenTimeout time.Duration // How long it stays open. 0: a minute.

	mu        sync.Mutex
	failures  int       // Consecutive.
	openUntil time.Time // Zero: it is closed. In the past: it is half-open.
}

// Allow reports whether a call may be made now. After the call the caller reports
// Success, Failure or Abandon. In the half-open state Allow reserves the probe; a
// probe that is never reported counts as failed.
func (b *CircuitBreaker) Allow() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.openUntil.IsZero() {
		return true
	}
	now := b.now()
	if now.Before(b.openUntil) {
		return false
	}
	b.openUntil = now.Add(b.openTimeoutOrDefault()) // One probe at a time.
	return true
}

// Open reports whether calls are refused now. It reserves nothing.
func (b *CircuitBreaker) Open() bool { return b.OpenFor() > 0 }

// OpenFor is the time until the next call is allowed; 0: now.
func (b *CircuitBreaker) OpenFor() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.openUntil.IsZero() {
		return 0
	}
	return max(0, b.openUntil.Sub(b.now()))
}

// Success closes the breaker.
func (b *CircuitBreaker) Success() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.openUntil = 0, time.Time{}
}

// Failure counts a failed call, and opens the breaker at Threshold.
func (b *CircuitBreaker) Failure() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failures++; b.failures >= max(b.Threshold, 1) {
		b.openUntil = b.now().Add(b.openTimeoutOrDefault())
	}
}

// Trip opens the breaker at once.
func (b *CircuitBreaker) Trip() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures = max(b.failures, b.Threshold)
	b.openUntil = b.now().Add(b.openTimeoutOrDefault())
}

// Abandon ends a call without a result, because the caller was cancelled. If it was the
// probe, the next call is the probe.
func (b *CircuitBreaker) Abandon() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.openUntil.IsZero() {
		b.openUntil = b.now()
	}
}

func (b *CircuitBreaker) openTimeoutOrDefault() time.Duration {
	if b.OpenTimeout == 0 {
		return openTimeout
	}
	return b.OpenTimeout
}

func (b *CircuitBreaker) now() time.Time {
	if b.Clock == nil {
		return clock.System{}.Now()
	}
	return b.Clock.Now()
}
