package queue

import (
	"time"

	"github.com/riverqueue/river/rivertype"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
)

// backoff is the pause after the first failed attempt; it doubles with each attempt: 5, 10,
// 20, 40 seconds. Jitter makes each pause up to a fifth shorter or longer, so that jobs
// that failed together are not retried together.
type backoff struct {
	base  time.Duration
	clock *databaseClock
}

const backoffBase = 5 * time.Second

// NextRetry returns the time of the next attempt to River.
func (b backoff) NextRetry(job *rivertype.JobRow) time.Time {
	return b.clock.Now().Add(b.delay(job.Attempt))
}

func (b backoff) delay(attempt int) time.Duration {
	return retry.Backoff(b.base, b.base<<(MaxAttempts-1), 0.2, attempt)
}
