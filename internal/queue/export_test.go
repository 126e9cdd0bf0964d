package queue

import (
	"context"
	"time"

	"github.com/riverqueue/river/riverdriver"
)

// RetryImmediately shortens the pause after a failed attempt.
func (q *Queue) RetryImmediately() { q.retryBackoff.base = time.Millisecond }

// RetryQuickly sets the pause to the duration of a short fault.
func (q *Queue) RetryQuickly() { q.retryBackoff.base = 300 * time.Millisecond }

// ToRiverError translates the outcome of an attempt for River.
var ToRiverError = toRiverError

// JobOutcome classifies the end of an attempt.
var JobOutcome = jobOutcome

// KindOfMove is the kind of a move's job.
var KindOfMove = kindOfMove

// RetryDelay is the pause after a failed attempt.
func RetryDelay(attempt int) time.Duration { return backoff{base: backoffBase}.delay(attempt) }

// StuckJobs counts the jobs that River would rescue, which computes the horizon by the host's
// clock.
func (q *Queue) StuckJobs(ctx context.Context, horizon time.Time) (int, error) {
	jobs, err := q.driver.GetExecutor().JobGetStuck(ctx, &riverdriver.JobGetStuckParams{Max: 10, StuckHorizon: horizon})
	return len(jobs), err
}
