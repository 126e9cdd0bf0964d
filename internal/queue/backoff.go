package queue

import (
	"time"

	"github.com/riverqueue/river/rivertype"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
)

// backoff is the pause after the first attempt that failed; it doubles with each:
// 5, 10, 20, 40 seconds. Each is up to a fifth shorter or longer, so that jobs that
// failed together do not return together.
type backoff time.Duration

const backoffBase = 5 * time.Second

// NextRetry tells River when the next attempt is due.
func (b backoff) NextRetry(job *rivertype.JobRow) time.Time {
	return time.Now().Add(b.delay(job.Attempt))
}

func (b backoff) delay(attempt int) time.Duration {
	base := time.Duration(b)
	return retry.Backoff(base, base<<(MaxAttempts-1), 0.2, attempt)
}
