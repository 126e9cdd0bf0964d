package queue

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"golang.org/x/sync/semaphore"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// The name of the only queue, and its River settings. Workers poll for jobs (see
// pollingDriver); River adds up to a tenth to the interval. The cooldown is the minimum time
// between two fetches: a worker that ends a job while more are waiting fetches at once.
const (
	queueName         = "provisioning"
	fetchCooldown     = 2 * time.Millisecond
	fetchPollInterval = 100 * time.Millisecond
)

// The times of River that this package depends on.
const (
	// riverSchedulerInterval is River's: a retry that is due sooner stays available and is
	// found by the poll; a later one waits for River's leader.
	riverSchedulerInterval = 5 * time.Second
	// shutdownGrace is the time for a step after the timeout of its job: twice the
	// pipeline's StepGrace, and a margin.
	shutdownGrace = 90 * time.Second
)

// Queue enqueues tenants, and runs their jobs if it has a Runner. It is safe for concurrent
// use.
type Queue struct {
	opts         Options
	log          *slog.Logger
	riverLog     *slog.Logger
	pool         *pgxpool.Pool
	driver       pollingDriver
	inserter     *river.Client[pgx.Tx]
	clock        *databaseClock
	retryBackoff backoff

	changing *semaphore.Weighted // Held during a start or stop of the work, which can take long.
	session  *session            // Nil: not started. Guarded by changing.
}

var _ provisioning.Jobs = (*Queue)(nil)

// Open reads the settings and prepares a pool. It does not connect before the first use.
// KindInvalid for invalid settings.
func Open(ctx context.Context, o Options) (*Queue, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	pool, err := openPool(ctx, o)
	if err != nil {
		return nil, err
	}
	clock := &databaseClock{}
	driver, riverLog := newDriver(pool, clock), slog.New(demoteInfoHandler{o.Logger.Handler()})
	inserter, err := river.NewClient(driver, &river.Config{ // Without workers it only inserts.
		Logger: riverLog, Test: river.TestConfig{Time: insertTime{clock}},
	})
	if err != nil {
		pool.Close()
		return nil, classify(err, "set up queue")
	}
	return &Queue{
		opts: o, log: o.Logger, riverLog: riverLog, pool: pool, driver: driver, inserter: inserter, clock: clock, retryBackoff: backoff{backoffBase, clock},
		changing: semaphore.NewWeighted(1),
	}, nil
}

// openPool opens the queue's own pool, whose commits do not wait for the disk: see the
// package comment.
func openPool(ctx context.Context, o Options) (*pgxpool.Pool, error) {
	return pgdb.NewPool(ctx, pgdb.PoolOptions{
		URL: o.URL, Role: o.Role, ApplicationName: "healthcare-queue", MaxConnections: o.MaxConnections,
		Settings: map[string]string{"synchronous_commit": "off"},
	})
}

// Close ends all connections. A started queue must be stopped first.
func (q *Queue) Close() { q.pool.Close() }
