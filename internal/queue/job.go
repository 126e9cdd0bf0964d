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

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Job tells how far a job is. What the tenant says comes first: River notes the
// end of a job a moment late, and one that died with its worker not at all.
// KindNotFound for an id that is none, and for a job that ended days ago.
func (q *Queue) Job(ctx context.Context, id string) (provisioning.Job, error) {
	const op = "read job"
	notFound := errs.Errorf(errs.KindNotFound, op, "there is no job %q; jobs are forgotten some days after their end", id)
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil || number < 1 || strconv.FormatInt(number, 10) != id {
		return provisioning.Job{}, notFound
	}
	rows, err := q.pool.Query(ctx, jobRowSQL, number, provisionKind)
	if err != nil {
		return provisioning.Job{}, classify(err, op)
	}
	row, err := pgx.CollectExactlyOneRow(rows, scanJobRow)
	if errors.Is(err, pgx.ErrNoRows) {
		return provisioning.Job{}, notFound
	}
	if err != nil {
		return provisioning.Job{}, classify(err, op)
	}
	return row.toJob(), nil
}

// jobRowSQL reads a job together with its tenant and, when the tenant has
// another job by now, the state of that one. The guard is for rows that were
// written by hand.
const jobRowSQL = `SELECT j.id, tenant.id, j.state::text, j.metadata ? 'cancel_attempted_at', j.attempt, j.max_attempts,
		coalesce(j.errors[array_upper(j.errors, 1)]->>'error', ''), j.created_at, j.scheduled_at, j.finalized_at,
		coalesce(t.status::text, ''), t.activated_at IS NOT NULL, coalesce(t.provisioning_error, ''), t.job_id, t.updated_at,
		coalesce(newer.state::text, ''), coalesce(newer.attempt, 0)
	FROM river_job j
	CROSS JOIN LATERAL (SELECT CASE WHEN j.args->>'tenant_id' ~ '^[0-9a-f-]{36}$' THEN (j.args->>'tenant_id')::uuid END AS id) AS tenant
	LEFT JOIN tenants t ON t.id = tenant.id
	LEFT JOIN river_job newer ON newer.id = t.job_id AND newer.id <> j.id
	WHERE j.id = $1 AND j.kind = $2`

// jobRow is a job as River has it, and what the registry says about its tenant.
type jobRow struct {
	id                     int64
	tenantID               *uuid.UUID
	state                  rivertype.JobState
	cancelled              bool // Its worker had died, and Replace called it off.
	attempt, maxAttempts   int
	err                    string
	createdAt, scheduledAt time.Time
	finalizedAt            *time.Time

	tenantStatus    tenant.Status // Empty: the tenant is gone.
	wasLive         bool
	tenantError     string             // Why the tenant's last attempt failed.
	currentJobID    *int64             // The job that owes the tenant an end.
	tenantUpdatedAt *time.Time         // The tenant.
	currentState    rivertype.JobState // Of that job, when it is another one.
	currentAttempt  int
}

func scanJobRow(r pgx.CollectableRow) (l jobRow, err error) {
	err = r.Scan(&l.id, &l.tenantID, &l.state, &l.cancelled, &l.attempt, &l.maxAttempts, &l.err, &l.createdAt, &l.scheduledAt, &l.finalizedAt,
		&l.tenantStatus, &l.wasLive, &l.tenantError, &l.currentJobID, &l.tenantUpdatedAt, &l.currentState, &l.currentAttempt)
	return l, err
}

func (l jobRow) toJob() provisioning.Job {
	job := provisioning.Job{
		ID: strconv.FormatInt(l.id, 10), State: jobStateOf(l.state, l.attempt), Attempt: l.attempt, MaxAttempts: l.maxAttempts,
		// River puts its own word before what cancelled a job.
		Error: strings.TrimPrefix(l.err, "JobCancelError: "), CreatedAt: l.createdAt, ScheduledAt: l.scheduledAt,
	}
	if l.tenantID != nil {
		job.TenantID = *l.tenantID
	}
	if l.finalizedAt != nil {
		job.FinishedAt = *l.finalizedAt
	}
	switch {
	case l.tenantStatus == "":
	case l.currentJobID == nil:
		l.finish(&job)
	case *l.currentJobID != l.id:
		// Another job took this one's place and owes the tenant its end.
		job.State, job.FinishedAt = jobStateOf(l.currentState, l.currentAttempt), time.Time{}
	case l.finalizedAt != nil:
		// River is done with it and the tenant is not: the reconciler will see to it
		// any moment.
		job.State, job.FinishedAt = provisioning.JobRetrying, time.Time{}
	}
	return job
}

// finish shows how a job ended whose tenant no job owes an end any more. What
// River says of a failure stands: the tenant may have had another job since. Of a
// success it only says that nothing was left to do. One that was replaced ended as
// the tenant did.
func (l jobRow) finish(job *provisioning.Job) {
	switch {
	case job.State == provisioning.JobFailed && !l.cancelled:
		return
	case l.wasLive:
		job.State, job.Error = provisioning.JobCompleted, ""
	case l.tenantStatus.Terminal():
		job.State = provisioning.JobFailed
		if job.Error == "" || l.cancelled {
			job.Error = l.tenantError
		}
		if job.Error == "" {
			job.Error = "the tenant was given up before it was live"
		}
	default:
		return // In the hands of somebody in the foreground.
	}
	if job.FinishedAt.IsZero() && l.tenantUpdatedAt != nil {
		job.FinishedAt = *l.tenantUpdatedAt
	}
}

// jobStateOf is River's state in the words of the API.
func jobStateOf(state rivertype.JobState, attempt int) provisioning.JobState {
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
