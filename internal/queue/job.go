package queue

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivertype"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// Job tells how far a job is. What the tenant says comes first: River notes the
// end of a job a moment late, and one that died with its worker not at all.
// KindNotFound for an id that is none, and for a job that ended days ago.
func (q *Queue) Job(ctx context.Context, id string) (provisioning.Job, error) {
	const op = "read job"
	missing := provisioning.Errorf(provisioning.KindNotFound, op, "there is no job %q; jobs are forgotten some days after their end", id)
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil || number < 1 || strconv.FormatInt(number, 10) != id {
		return provisioning.Job{}, missing
	}
	rows, err := q.pool.Query(ctx, lookQuery, number, provisionKind)
	if err != nil {
		return provisioning.Job{}, failure(err, op)
	}
	found, err := pgx.CollectExactlyOneRow(rows, scanLook)
	if errors.Is(err, pgx.ErrNoRows) {
		return provisioning.Job{}, missing
	}
	if err != nil {
		return provisioning.Job{}, failure(err, op)
	}
	return found.job(), nil
}

// lookQuery reads a job together with its tenant and, when the tenant has
// another job by now, the state of that one. The guard is for rows that were
// written by hand.
const lookQuery = `SELECT j.id, tenant.id, j.state::text, j.metadata ? 'cancel_attempted_at', j.attempt, j.max_attempts,
		coalesce(j.errors[array_upper(j.errors, 1)]->>'error', ''), j.created_at, j.scheduled_at, j.finalized_at,
		coalesce(t.status::text, ''), t.activated_at IS NOT NULL, coalesce(t.provisioning_error, ''), t.job_id, t.updated_at,
		coalesce(newer.state::text, ''), coalesce(newer.attempt, 0)
	FROM river_job j
	CROSS JOIN LATERAL (SELECT CASE WHEN j.args->>'tenant_id' ~ '^[0-9a-f-]{36}$' THEN (j.args->>'tenant_id')::uuid END AS id) AS tenant
	LEFT JOIN tenants t ON t.id = tenant.id
	LEFT JOIN river_job newer ON newer.id = t.job_id AND newer.id <> j.id
	WHERE j.id = $1 AND j.kind = $2`

// look is a job as River has it, and what the registry says about its tenant.
type look struct {
	id                   int64
	tenant               *uuid.UUID
	state                rivertype.JobState
	replaced             bool // Its worker had died, and Replace called it off.
	attempt, maxAttempts int
	err                  string
	created, scheduled   time.Time
	finalized            *time.Time

	status       provisioning.Status // Empty: the tenant is gone.
	wasLive      bool
	failed       string             // Why the tenant's last attempt failed.
	owed         *int64             // The job that owes the tenant an end.
	updated      *time.Time         // The tenant.
	newer        rivertype.JobState // Of that job, when it is another one.
	newerAttempt int
}

func scanLook(r pgx.CollectableRow) (l look, err error) {
	err = r.Scan(&l.id, &l.tenant, &l.state, &l.replaced, &l.attempt, &l.maxAttempts, &l.err, &l.created, &l.scheduled, &l.finalized,
		&l.status, &l.wasLive, &l.failed, &l.owed, &l.updated, &l.newer, &l.newerAttempt)
	return l, err
}

func (l look) job() provisioning.Job {
	job := provisioning.Job{
		ID: strconv.FormatInt(l.id, 10), State: stateOf(l.state, l.attempt), Attempt: l.attempt, MaxAttempts: l.maxAttempts,
		// River puts its own word before what cancelled a job.
		Error: strings.TrimPrefix(l.err, "JobCancelError: "), CreatedAt: l.created, ScheduledAt: l.scheduled,
	}
	if l.tenant != nil {
		job.TenantID = *l.tenant
	}
	if l.finalized != nil {
		job.FinishedAt = *l.finalized
	}
	switch {
	case l.status == "":
	case l.owed == nil:
		l.settle(&job)
	case *l.owed != l.id:
		// Another job took this one's place and owes the tenant its end.
		job.State, job.FinishedAt = stateOf(l.newer, l.newerAttempt), time.Time{}
	case l.finalized != nil:
		// River is done with it and the tenant is not: the reconciler will see to it
		// any moment.
		job.State, job.FinishedAt = provisioning.JobRetrying, time.Time{}
	}
	return job
}

// settle shows how a job ended whose tenant no job owes an end any more. What
// River says of a failure stands: the tenant may have had another job since. Of a
// success it only says that nothing was left to do. One that was replaced ended as
// the tenant did.
func (l look) settle(job *provisioning.Job) {
	switch {
	case job.State == provisioning.JobFailed && !l.replaced:
		return
	case l.wasLive:
		job.State, job.Error = provisioning.JobCompleted, ""
	case l.status.Resting():
		job.State = provisioning.JobFailed
		if job.Error == "" || l.replaced {
			job.Error = l.failed
		}
		if job.Error == "" {
			job.Error = "the tenant was given up before it was live"
		}
	default:
		return // In the hands of somebody in the foreground.
	}
	if job.FinishedAt.IsZero() && l.updated != nil {
		job.FinishedAt = *l.updated
	}
}

// stateOf is River's state in the words of the API.
func stateOf(state rivertype.JobState, attempt int) provisioning.JobState {
	switch state {
	case rivertype.JobStateRunning:
		return provisioning.JobRunning
	case rivertype.JobStateCompleted:
		return provisioning.JobCompleted
	case rivertype.JobStateCancelled, rivertype.JobStateDiscarded:
		return provisioning.JobFailed
	case rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateScheduled:
		if attempt > 0 {
			return provisioning.JobRetrying
		}
	}
	return provisioning.JobQueued
}
