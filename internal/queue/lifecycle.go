package queue

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// session is the state between Start and Stop.
type session struct {
	client         *river.Client[pgx.Tx]
	stopBackground context.CancelFunc // Stops the reconcile passes and other background work.
	background     sync.WaitGroup
}

// Start starts running jobs and reconcile passes. It returns when the database has
// answered. When ctx ends, the work ends as after Stop, but Start does not wait for it.
// KindInvalid without a Runner, and when already started.
func (q *Queue) Start(ctx context.Context) error {
	const op = "start worker"
	if err := q.change(ctx); err != nil {
		return classify(err, op)
	}
	defer q.changing.Release(1)
	switch {
	case q.opts.Runner == nil:
		return errs.Errorf(errs.KindInvalid, op, "Runner is missing; this queue was opened to enqueue only")
	case q.session != nil:
		return errs.Errorf(errs.KindInvalid, op, "the worker has been started already")
	}
	if err := q.clock.refresh(ctx, q.pool); err != nil {
		return classify(err, op)
	}
	client, err := river.NewClient(q.driver, q.riverConfig())
	if err == nil {
		err = client.Start(ctx)
	}
	if err != nil {
		return classify(err, op)
	}
	backgroundCtx, stop := context.WithCancel(ctx)
	s := &session{client: client, stopBackground: stop}
	q.session = s
	s.background.Go(func() { q.followClock(backgroundCtx) })
	if q.opts.Reconcile != nil {
		s.background.Go(func() { q.reconcile(backgroundCtx, s) })
	}
	for _, work := range q.opts.Background {
		s.background.Go(func() { work(backgroundCtx) })
	}
	return nil
}

// change waits while another call starts or stops the work. If no call does, it ignores
// ctx: a stop also begins when the caller can no longer wait for its end.
func (q *Queue) change(ctx context.Context) error {
	if q.changing.TryAcquire(1) {
		return nil
	}
	return q.changing.Acquire(ctx, 1)
}

func (q *Queue) riverConfig() *river.Config {
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker{runner: q.opts.Runner, clock: q.clock, log: q.log, ended: q.opts.JobEnded})
	queues := map[string]river.QueueConfig{queueName: {MaxWorkers: q.opts.Workers}}
	if q.opts.Mover != nil {
		river.AddWorker(workers, &moveWorker{mover: q.opts.Mover, retention: q.opts.Retention, earlyPurge: q.opts.AllowEarlyPurge, clock: q.clock, log: q.log, ended: q.opts.JobEnded})
		queues[moveQueueName] = river.QueueConfig{MaxWorkers: moveWorkers, FetchPollInterval: movePollInterval}
	}
	return &river.Config{
		Logger:  q.riverLog,
		Queues:  queues,
		Workers: workers,

		PollOnly: true, FetchCooldown: fetchCooldown, FetchPollInterval: fetchPollInterval,
		JobTimeout: q.opts.JobTimeout, JobStuckThreshold: shutdownGrace,
		// Later than the cleanup of the attempt: a job that River rescues after that time
		// is dead.
		RescueStuckJobsAfter: q.opts.JobTimeout + 2*shutdownGrace,
		RetryPolicy:          q.retryBackoff,
		Test:                 river.TestConfig{Time: workTime{q.clock}},
	}
}

// reconcile starts a pass now, after every interval, and when a lease ends, whose run may be
// dead. A slow pass, for example with a mail server that does not answer, does not delay the
// next one.
func (q *Queue) reconcile(ctx context.Context, s *session) {
	for {
		s.background.Go(func() {
			err := q.opts.Reconcile(ctx)
			if q.opts.Mover != nil {
				err = errors.Join(err, q.rescueMoves(ctx))
			}
			if err != nil && ctx.Err() == nil {
				q.log.WarnContext(ctx, "reconcile pass failed", slog.Any("error", err))
			}
		})
		interval := q.opts.ReconcileEvery
		delay := interval - rand.N(interval/5+1) //nolint:gosec // jitter, not a secret
		if end := q.untilLeaseEnd(ctx); end > 0 {
			delay = min(delay, end)
		}
		if (clock.System{}).Sleep(ctx, delay) != nil {
			return
		}
	}
}

// Stop ends the work and leaves nothing half done: no new job starts, the current step of
// each job ends, and the job is released for another worker. If ctx ends first, Stop
// returns the error of ctx while the work is still ending; Stop can be called again.
func (q *Queue) Stop(ctx context.Context) error {
	const op = "stop worker"
	if err := q.change(ctx); err != nil {
		return classify(err, op)
	}
	defer q.changing.Release(1)
	s := q.session
	if s == nil {
		return nil
	}
	s.stopBackground()
	if err := s.client.StopAndCancel(ctx); err != nil {
		return classify(err, op)
	}
	reconciled := make(chan struct{})
	go func() { s.background.Wait(); close(reconciled) }()
	select {
	case <-reconciled:
	case <-ctx.Done():
		return classify(ctx.Err(), op)
	}
	q.session = nil
	return nil
}
