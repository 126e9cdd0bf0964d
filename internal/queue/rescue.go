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

// The methods for the reconciler. River rescues the job of a dead worker only after the
// maximum duration of a job; the tenant's lease shows within seconds that a worker is dead.

// heartbeatMissing is the condition that the start of an attempt is longer ago than the timeout in
// parameter 2. One that lies as far ahead began before the database's clock was set back.
func heartbeatMissing(attemptedAt string) string {
	return attemptedAt + ` NOT BETWEEN now() - $2::interval AND now() + $2::interval`
}

// leaseMargin is how long after the end of a lease a pass begins, and the shortest pause between two
// passes.
const leaseMargin = 100 * time.Millisecond

// untilLeaseEnd is how long the lease lasts that ends next, of those that jobs hold; 0: there is
// none. Living runs renew theirs each second, so it is mostly that of a dead one.
func (q *Queue) untilLeaseEnd(ctx context.Context) time.Duration {
	var end *time.Duration
	err := q.pool.QueryRow(ctx, `SELECT min(run_expires_at) - clock_timestamp() FROM tenants
		WHERE (status IN ('PENDING', 'PROVISIONING') OR rollback_target IS NOT NULL) AND job_id IS NOT NULL AND run_expires_at > clock_timestamp()`).Scan(&end)
	if err != nil || end == nil { // An error is that of the pass, too.
		return 0
	}
	return *end + leaseMargin
}

// OrphanedJobs returns those of the jobs that no worker will run: River has no row of the
// job, has finished it, or has it as running for longer than heartbeatTimeout. A job of the
// last group may still run; the caller must know that the tenant's lease has expired.
func (q *Queue) OrphanedJobs(ctx context.Context, jobIDs []int64, heartbeatTimeout time.Duration) ([]int64, error) {
	const op = "list lost jobs"
	rows, err := q.pool.Query(ctx, `SELECT wanted.id FROM unnest($1::bigint[]) AS wanted (id)
		LEFT JOIN river_job j ON j.id = wanted.id
		WHERE j.id IS NULL OR j.finalized_at IS NOT NULL
		   OR j.state = 'running' AND `+heartbeatMissing("j.attempted_at"), jobIDs, heartbeatTimeout)
	if err != nil {
		return nil, classify(err, op)
	}
	orphaned, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	return orphaned, classify(err, op)
}

// RescueJob replaces an orphaned job in the caller's transaction and returns the id of the
// new one. It returns the same id if the job will be run after all, and 0 if its attempts
// are used up: then the caller must end the tenant's attempt. It returns the driver's
// errors.
func (q *Queue) RescueJob(ctx context.Context, tx pgx.Tx, job int64, tenantID uuid.UUID, heartbeatTimeout time.Duration) (int64, error) {
	var (
		state    rivertype.JobState
		timedOut bool
	)
	err := tx.QueryRow(ctx, `SELECT state::text, coalesce(`+heartbeatMissing("attempted_at")+`, false) FROM river_job WHERE id = $1 FOR UPDATE`,
		job, heartbeatTimeout).Scan(&state, &timedOut)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return q.Enqueue(ctx, tx, tenantID)
	case err != nil:
		return 0, fmt.Errorf("read job %d: %w", job, err)
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
		// Marked as cancelled, as River does it, so that River does not rescue it later. If its
		// worker was only paused, it finds the mark within two seconds and stops.
		if _, err := tx.Exec(ctx, `UPDATE river_job SET metadata = jsonb_set(metadata, '{cancel_attempted_at}', to_jsonb(now())) WHERE id = $1`, job); err != nil {
			return 0, fmt.Errorf("cancel job %d: %w", job, err)
		}
		return q.Enqueue(ctx, tx, tenantID)
	case rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateScheduled:
		return job, nil
	}
	return 0, errs.Errorf(errs.KindPermanent, "replace job",
		"the queue has job %d in a state %q that this program does not know; use the newer release that wrote it", job, state)
}
