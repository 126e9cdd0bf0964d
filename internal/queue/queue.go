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

// The name of the one queue, and its River settings. A job is noticed
// through a notification; the poll is for one that got lost, and for retries that
// fall due. The cooldown is what a burst of notifications waits for.
const (
	queueName         = "provisioning"
	fetchCooldown     = 2 * time.Millisecond
	fetchPollInterval = 500 * time.Millisecond
)

// River's own pace, which parts of this package count on.
const (
	// riverSchedulerInterval is River's: what falls due sooner stays available and is found
	// by the poll, what falls due later waits for River's leader.
	riverSchedulerInterval = 5 * time.Second
	// shutdownGrace is what a step may take after its job's time is over: the pipeline's
	// StepGrace twice, and a margin.
	shutdownGrace = 90 * time.Second
)

// Queue enqueues tenants, and works on them when it was given a Runner. It is
// safe for concurrent use.
type Queue struct {
	opts         Options
	log          *slog.Logger
	riverLog     *slog.Logger
	pool         *pgxpool.Pool
	driver       *riverpgxv5.Driver
	inserter     *river.Client[pgx.Tx]
	pollInterval time.Duration
	retryBackoff backoff

	changing *semaphore.Weighted // Held by who starts or stops the work, which takes its time.
	session  *session            // Nil: not started. Guarded by changing.
}

var _ provisioning.Jobs = (*Queue)(nil)

// Open reads the settings and prepares a pool. It does not connect: the first use
// does. KindInvalid when the settings cannot work.
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
	// This client only inserts. It sends no notification of its own for an hour at a
	// time, because Enqueue sends one for each job: see there.
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
	config.MaxConns = int32(o.MaxConnections) //nolint:gosec // validate has bounded it
	config.MaxConnIdleTime = time.Minute
	config.ConnConfig.ConnectTimeout = 5 * time.Second
	params := config.ConnConfig.RuntimeParams
	params["application_name"] = "healthcare-queue"
	params["search_path"] = "public"
	params["timezone"] = "UTC"
	params["synchronous_commit"] = "off" // The package comment says why.
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, classify(err, "open pool")
	}
	return pool, nil
}

// Close ends all connections. A queue that works has to be stopped before.
func (q *Queue) Close() { q.pool.Close() }
