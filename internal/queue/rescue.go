package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// The part of a Queue that the reconciler needs. River rescues the job of a dead
// worker only after the longest time that a job may take; the tenant's lease
// tells within seconds.

// OrphanedJobs gives those of the jobs that no worker is going to take: River does
// not have them any more, is done with them, or has them as running since before
// that much silence. The last may well be running; the caller has to know that
// the tenant's lease is out.
func (q *Queue) OrphanedJobs(ctx context.Context, jobIDs []int64, heartbeatTimeout time.Duration) ([]int64, error) {
	const op = "list lost jobs"
	rows, err := q.pool.Query(ctx, `SELECT wanted.id FROM unnest($1::bigint[]) AS wanted (id)
		LEFT JOIN river_job j ON j.id = wanted.id
		WHERE j.id IS NULL OR j.finalized_at IS NOT NULL
		   OR j.state = 'running' AND j.attempted_at < now() - $2::interval`, jobIDs, heartbeatTimeout)
	if err != nil {
		return nil, classify(err, op)
	}
	orphaned, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	return orphaned, classify(err, op)
}

// RescueJob puts another job in the place of one that is unworked, in the caller's
// transaction, and gives its id. It gives the same id when that job is going to be
// worked after all, and 0 when its attempts are used up: then somebody has to end
// the tenant's attempt, which its worker could not. Errors are the driver's own.
func (q *Queue) RescueJob(ctx context.Context, tx pgx.Tx, job int64, tenantID uuid.UUID, heartbeatTimeout time.Duration) (int64, error) {
	var (
		state    rivertype.JobState
		timedOut bool
	)
	err := tx.QueryRow(ctx, `SELECT state::text, coalesce(attempted_at < now() - $2::interval, false) FROM river_job WHERE id = $1 FOR UPDATE`,
		job, heartbeatTimeout).Scan(&state, &timedOut)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return q.Enqueue(ctx, tx, tenantID)
	case err != nil:
		return 0, fmt.Errorf("look at job %d: %w", job, err)
	}
	switch state {
	case rivertype.JobStateDiscarded:
		return 0, nil
	case rivertype.JobStateCancelled, rivertype.JobStateCompleted:
		return q.Enqueue(ctx, tx, tenantID)
	case rivertype.JobStateRunning:
		if !timedOut {
			return job, nil
		}
		// River must not rescue it later. If its worker was only paused, the
		// cancellation stops it.
		if _, err := q.inserter.JobCancelTx(ctx, tx, job); err != nil {
			return 0, fmt.Errorf("cancel job %d: %w", job, err)
		}
		return q.Enqueue(ctx, tx, tenantID)
	case rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateScheduled:
		return job, nil
	}
	return 0, errs.Errorf(errs.KindPermanent, "replace job",
		"the queue has job %d in a state %q that this program does not know; use the newer release that wrote it", job, state)
}
