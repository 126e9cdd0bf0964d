package queue

import (
	"math/rand/v2"
	"time"

	"github.com/riverqueue/river/rivertype"
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
	nominal := time.Duration(b) << (min(max(attempt, 1), MaxAttempts) - 1)
	return nominal*4/5 + rand.N(nominal*2/5) //nolint:gosec // jitter, not a secret
}
