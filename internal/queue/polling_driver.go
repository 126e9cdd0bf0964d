package queue

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"
)

// pollingDriver is River's driver without LISTEN and NOTIFY. PostgreSQL lets every login of the
// database send on every channel and listen to it, so a notification is no authority: a tenant's
// login could pause the queues and cancel jobs. And a NOTIFY fails, with its transaction, while
// the server's notification queue is full, which any login can cause.
type pollingDriver struct {
	*riverpgxv5.Driver
	clock *databaseClock
}

var _ riverdriver.Driver[pgx.Tx] = pollingDriver{}

func newDriver(pool *pgxpool.Pool, clock *databaseClock) pollingDriver {
	return pollingDriver{riverpgxv5.New(pool), clock}
}

// SupportsListener is false: workers poll.
func (pollingDriver) SupportsListener() bool { return false }

// SupportsListenNotify is false: inserts send no notification.
func (pollingDriver) SupportsListenNotify() bool { return false }

// GetExecutor returns an executor that does not notify of the end of its leadership.
func (d pollingDriver) GetExecutor() riverdriver.Executor {
	return pollingExecutor{d.Driver.GetExecutor(), d.clock}
}

type pollingExecutor struct {
	riverdriver.Executor
	clock *databaseClock
}

// JobGetStuck finds the jobs of dead workers. River computes their time by the host's clock: one
// that is ahead would rescue jobs that run.
func (e pollingExecutor) JobGetStuck(ctx context.Context, p *riverdriver.JobGetStuckParams) ([]*rivertype.JobRow, error) {
	byDatabase := *p
	byDatabase.StuckHorizon = p.StuckHorizon.Add(-e.clock.ahead())
	return e.Executor.JobGetStuck(ctx, &byDatabase)
}

// LeaderResign ends a leadership. Another worker finds out when it next tries to lead, within
// five seconds.
func (e pollingExecutor) LeaderResign(ctx context.Context, p *riverdriver.LeaderResignParams) (bool, error) {
	err := e.Exec(ctx, `DELETE FROM river_leader WHERE elected_at = $1::timestamptz AND leader_id = $2`, p.ElectedAt, p.LeaderID)
	return err == nil, err
}
