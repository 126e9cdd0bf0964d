package queue

import (
	"time"
)

// RetryImmediately shortens the pause after a failed attempt.
func (q *Queue) RetryImmediately() { q.retryBackoff = backoff(time.Millisecond) }

// RetryQuickly sets the pause to the duration of a short fault.
func (q *Queue) RetryQuickly() { q.retryBackoff = backoff(300 * time.Millisecond) }

// ToRiverError translates the outcome of an attempt for River.
var ToRiverError = toRiverError

// RetryDelay is the pause after a failed attempt.
func RetryDelay(attempt int) time.Duration { return backoff(backoffBase).delay(attempt) }
