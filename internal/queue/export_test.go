package queue

import (
	"time"
)

// DisablePolling makes the queue's workers look for jobs only when they are told.
func (q *Queue) DisablePolling() { q.pollInterval = time.Hour }

// RetryImmediately shortens the pause after an attempt that failed.
func (q *Queue) RetryImmediately() { q.retryBackoff = backoff(time.Millisecond) }

// RetryQuickly makes that pause as long as a small fault lasts.
func (q *Queue) RetryQuickly() { q.retryBackoff = backoff(300 * time.Millisecond) }

// ToRiverError translates the outcome of an attempt for River.
var ToRiverError = toRiverError

// RetryDelay is the pause after an attempt that failed.
func RetryDelay(attempt int) time.Duration { return backoff(backoffBase).delay(attempt) }
