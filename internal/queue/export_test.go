package queue

import "time"

// Deaf makes the queue's workers look for jobs only when they are told.
func (q *Queue) Deaf() { q.poll = time.Hour }

// Quick shortens the pause after an attempt that failed.
func (q *Queue) Quick() { q.retry = backoff(time.Millisecond) }

// Brisk makes that pause as long as a small fault lasts.
func (q *Queue) Brisk() { q.retry = backoff(300 * time.Millisecond) }

// Verdict says what River shall do with a job after an attempt.
var Verdict = verdict

// Pause is the pause after an attempt that failed.
func Pause(attempt int) time.Duration { return backoff(backoffBase).pause(attempt) }
