package queue

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// work is what Start begins and Stop ends.
type work struct {
	client *river.Client[pgx.Tx]
	end    context.CancelFunc // Of the passes.
	passes sync.WaitGroup
}

// Start begins to work: jobs, and passes of the reconciler. It returns when the
// database has answered. The end of ctx ends the work as Stop does, without
// waiting. KindInvalid without a Runner, and when it works already.
func (q *Queue) Start(ctx context.Context) error {
	const op = "start worker"
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.opts.Runner == nil:
		return provisioning.Errorf(provisioning.KindInvalid, op, "Runner is missing; this queue was opened to enqueue only")
	case q.working != nil:
		return provisioning.Errorf(provisioning.KindInvalid, op, "the worker has been started already")
	}
	client, err := river.NewClient(q.driver, q.config())
	if err == nil {
		err = client.Start(ctx)
	}
	if err != nil {
		return failure(err, op)
	}
	passing, end := context.WithCancel(ctx)
	w := &work{client: client, end: end}
	q.working = w
	if q.opts.Reconcile != nil {
		w.passes.Go(func() { q.reconcile(passing, w) })
	}
	return nil
}

func (q *Queue) config() *river.Config {
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker{runner: q.opts.Runner, log: q.log})
	return &river.Config{
		Logger:  q.riverLog,
		Queues:  map[string]river.QueueConfig{queueName: {MaxWorkers: q.opts.Workers}},
		Workers: workers,

		FetchCooldown: fetchCooldown, FetchPollInterval: q.poll,
		JobTimeout: q.opts.JobTimeout, JobStuckThreshold: lastWords,
		// Past the last words of the attempt: what is rescued then is dead.
		RescueStuckJobsAfter: q.opts.JobTimeout + 2*lastWords,
		RetryPolicy:          q.retry,
	}
}

// reconcile begins a pass now and every while. A pass that takes long, with a
// mail server that does not answer, holds up none of the next.
func (q *Queue) reconcile(ctx context.Context, w *work) {
	for {
		w.passes.Go(func() {
			if err := q.opts.Reconcile(ctx); err != nil && ctx.Err() == nil {
				q.log.WarnContext(ctx, "a pass of the reconciler failed", slog.Any("error", err))
			}
		})
		every := q.opts.ReconcileEvery
		pause := every - rand.N(every/5+1) //nolint:gosec // jitter, not a secret
		if (provisioning.SystemClock{}).Sleep(ctx, pause) != nil {
			return
		}
	}
}

// Stop ends the work and leaves nothing half done: no job begins any more, the
// step that each job is at ends, and the rest of it is given back for another
// worker to take at once. When ctx ends first it returns ctx's error and the work
// goes on ending; Stop can be called again.
func (q *Queue) Stop(ctx context.Context) error {
	const op = "stop worker"
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.working
	if w == nil {
		return nil
	}
	w.end()
	if err := w.client.StopAndCancel(ctx); err != nil {
		return failure(err, op)
	}
	passed := make(chan struct{})
	go func() { w.passes.Wait(); close(passed) }()
	select {
	case <-passed:
	case <-ctx.Done():
		return failure(ctx.Err(), op)
	}
	q.working = nil
	q.handOver(ctx)
	return nil
}

// handOver tells other workers about what was given back; they would find it
// with their next poll.
func (q *Queue) handOver(ctx context.Context) {
	if err := pgx.BeginFunc(ctx, q.pool, func(tx pgx.Tx) error { return wake(ctx, tx) }); err != nil {
		q.log.DebugContext(ctx, "other workers were not told about jobs that were given back", slog.Any("error", err))
	}
}
