package queue

import (
	"context"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"golang.org/x/sync/semaphore"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// The name of the only queue, and its River settings. Workers learn of jobs through
// notifications; the poll finds jobs whose notification was lost, and retries that become
// due. The cooldown is the minimum time between two notifications of River.
const (
	queueName         = "provisioning"
	fetchCooldown     = 2 * time.Millisecond
	fetchPollInterval = 500 * time.Millisecond
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
	driver       *riverpgxv5.Driver
	inserter     *river.Client[pgx.Tx]
	pollInterval time.Duration
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
	driver, riverLog := riverpgxv5.New(pool), slog.New(demoteInfoHandler{o.Logger.Handler()})
	// This client only inserts. With the cooldown of an hour it sends almost no
	// notifications: Enqueue sends one for each job.
	inserter, err := river.NewClient(driver, &river.Config{
		Logger: riverLog, FetchCooldown: time.Hour, FetchPollInterval: time.Hour,
	})
	if err != nil {
		pool.Close()
		return nil, classify(err, "set up queue")
	}
	return &Queue{
		opts: o, log: o.Logger, riverLog: riverLog, pool: pool, driver: driver, inserter: inserter, pollInterval: fetchPollInterval, retryBackoff: backoff(backoffBase),
		changing: semaphore.NewWeighted(1),
	}, nil
}

func openPool(ctx context.Context, o Options) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		// The parser's own message can quote the password.
		return nil, errs.Errorf(errs.KindInvalid, "read database settings",
			"the database settings cannot be read; give DATABASE_URL as postgres://user:password@host:5432/name?sslmode=require, or DB_HOST and the other DB_ variables")
	}
	config.MaxConns = int32(o.MaxConnections) //nolint:gosec // Bounded by validate.
	config.MaxConnIdleTime = time.Minute
	config.ConnConfig.ConnectTimeout = 5 * time.Second
	config.PingTimeout = 5 * time.Second // See pgdb.Open.
	params := config.ConnConfig.RuntimeParams
	params["application_name"] = "healthcare-queue"
	params["search_path"] = "public"
	params["timezone"] = "UTC"
	params["synchronous_commit"] = "off" // See the package comment.
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, classify(err, "open pool")
	}
	return pool, nil
}

// Close ends all connections. A started queue must be stopped first.
func (q *Queue) Close() { q.pool.Close() }
