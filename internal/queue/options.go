package queue

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// The defaults and minimums of Options.
const (
	DefaultMaxConnections = 4
	MinMaxConnections     = 2 // A fetch must not wait for the end of another statement.
	DefaultWorkers        = 8
	DefaultJobTimeout     = 15 * time.Minute
	DefaultReconcileEvery = 5 * time.Second
)

// Runner provisions a tenant; *provisioning.Pipeline is one.
type Runner interface {
	Run(ctx context.Context, id uuid.UUID, o provisioning.RunOptions) (provisioning.Outcome, error)
}

// Options are the settings of a Queue.
type Options struct {
	// URL is the registry's connection string, as pgx reads it.
	URL string
	// Role is the role that each session sets. "": the user's own.
	Role string
	// MaxConnections is the size of the queue's own pool, at least
	// MinMaxConnections. 0 is DefaultMaxConnections.
	MaxConnections int
	// Runner runs the jobs. Nil: this process only enqueues and reads jobs, and Start
	// returns an error.
	Runner Runner
	// Mover runs the moves that servers without a worker queue. Nil: this process runs none.
	Mover Mover
	// Retention is the least time between archiving and purging a tenant. The job of a purge
	// can only have a longer one: the servers that write the jobs are trusted less.
	Retention time.Duration
	// AllowEarlyPurge permits purges that skip it.
	AllowEarlyPurge bool
	// Reconcile is called when the work starts and then every ReconcileEvery. Calls can
	// overlap: a call does not wait for the one before. Nil: no reconciling.
	Reconcile func(ctx context.Context) error
	// ReconcileEvery is the longest time between two calls of Reconcile; jitter shortens it
	// by up to a fifth. 0 is DefaultReconcileEvery.
	ReconcileEvery time.Duration
	// Background is work that goes on as long as jobs are run: each function runs from the
	// start until its context ends.
	Background []func(ctx context.Context)
	// Workers is how many jobs run at once. 0 is DefaultWorkers.
	Workers int
	// JobTimeout limits one attempt. The step that runs at the timeout may still end. 0 is
	// DefaultJobTimeout.
	JobTimeout time.Duration
	// JobEnded is called at the end of each attempt of a job; it must not block. Nil: nothing.
	JobEnded func(JobEnd)
	// Logger logs errors and warnings. Nil is slog.Default().
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.MaxConnections == 0 {
		o.MaxConnections = DefaultMaxConnections
	}
	if o.Workers == 0 {
		o.Workers = DefaultWorkers
	}
	if o.JobTimeout == 0 {
		o.JobTimeout = DefaultJobTimeout
	}
	if o.ReconcileEvery == 0 {
		o.ReconcileEvery = DefaultReconcileEvery
	}
	if o.JobEnded == nil {
		o.JobEnded = func(JobEnd) {}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

func (o Options) validate() error {
	const op = "set up queue"
	refuse := func(format string, args ...any) error {
		return errs.Errorf(errs.KindInvalid, op, format, args...)
	}
	switch {
	case o.MaxConnections < MinMaxConnections || o.MaxConnections > 1000:
		return refuse("MaxConnections is %d; give %d to 1000", o.MaxConnections, MinMaxConnections)
	case o.Workers < 1 || o.Workers > 1000:
		return refuse("Workers is %d; give 1 to 1000", o.Workers)
	case o.JobTimeout < time.Second:
		return refuse("JobTimeout is %v; give a second or more", o.JobTimeout)
	case o.ReconcileEvery < 0:
		return refuse("ReconcileEvery is %v; it cannot be negative", o.ReconcileEvery)
	}
	return nil
}

// String keeps the password in the settings out of logs.
func (o Options) String() string {
	return fmt.Sprintf("queue.Options{MaxConnections: %d, Workers: %d}", o.MaxConnections, o.Workers)
}

// GoString keeps the settings out of %#v.
func (o Options) GoString() string { return o.String() }
