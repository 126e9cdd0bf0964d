package queue

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
)

// clockInterval is how often the database's time is read.
const clockInterval = 5 * time.Second

// maxSchedule is longer than every pause of a job: one that is to run later was scheduled by a
// clock that was ahead.
const maxSchedule = `interval '5 minutes'`

// databaseClock is the database's time. River takes the host's for the times of jobs: a host that
// is ahead would delay its jobs by as much, for all workers, and one that is behind would ignore
// the backoff of retries.
type databaseClock struct {
	mu     sync.Mutex
	base   time.Time // The database's time at the last read; zero: none yet.
	readAt time.Time // The host's, whose monotonic part steps of the clock do not change.
}

// querier is a connection, a pool or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// refresh reads the database's time, unless that was done lately.
func (c *databaseClock) refresh(ctx context.Context, db querier) error {
	c.mu.Lock()
	fresh := !c.base.IsZero() && time.Since(c.readAt) < clockInterval
	c.mu.Unlock()
	if fresh {
		return nil
	}
	var now time.Time
	if err := db.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now); err != nil {
		return err
	}
	c.set(now)
	return nil
}

// set takes the time of a response that has just come. It is not ahead then, and a new job is due
// at once.
func (c *databaseClock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base, c.readAt = now, time.Now()
}

// followClock reads the database's time until ctx ends, and makes jobs due that a clock which
// was ahead has scheduled. While the database does not answer, its last time goes on.
func (q *Queue) followClock(ctx context.Context) {
	for (clock.System{}).Sleep(ctx, clockInterval) == nil {
		limited, cancel := context.WithTimeout(ctx, clockInterval)
		var now time.Time
		err := q.pool.QueryRow(limited, `WITH due AS (
				UPDATE river_job SET scheduled_at = now() WHERE kind IN ($1, $2) AND state IN ('available', 'retryable', 'scheduled') AND scheduled_at > now() + `+maxSchedule+`
			) SELECT clock_timestamp()`, provisionKind, moveKind).Scan(&now)
		if err == nil {
			q.clock.set(now)
		} else if ctx.Err() == nil {
			q.log.DebugContext(ctx, "the database's time was not read", slog.Any("error", err))
		}
		cancel()
	}
}

// Now is the database's time; before the first read the host's.
func (c *databaseClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.base.IsZero() {
		return time.Now()
	}
	return c.base.Add(time.Since(c.readAt))
}

// ahead is by how much the host's clock is ahead of the database's.
func (c *databaseClock) ahead() time.Duration { return time.Since(c.Now()) }

// The clocks of River's clients. River calls this a setting for tests; it is the only way to give
// it a time.
type (
	// insertTime is for inserts: River's driver takes the host's time otherwise.
	insertTime struct{ *databaseClock }
	// workTime is for workers. Its fetches use the database's own time.
	workTime struct{ *databaseClock }
)

var _, _ rivertype.TimeGenerator = insertTime{}, workTime{}

// NowOrNil is the time of a new job.
func (c insertTime) NowOrNil() *time.Time {
	now := c.Now()
	return &now
}

// NowOrNil leaves the time to the database.
func (workTime) NowOrNil() *time.Time { return nil }
