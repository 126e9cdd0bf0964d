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

// Job returns the state of a job. The tenant's state has precedence: River records the end
// of a job slightly late, and the end of a job that was lost with its worker never.
// KindNotFound for an invalid id, and for a job that ended days ago.
func (q *Queue) Job(ctx context.Context, id string) (provisioning.Job, error) {
	const op = "read job"
	notFound := errs.Errorf(errs.KindNotFound, op, "job %q does not exist; finished jobs are deleted after some days", id)
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil || number < 1 || strconv.FormatInt(number, 10) != id {
		return provisioning.Job{}, notFound
	}
	rows, err := q.pool.Query(ctx, jobRowSQL, number, provisionKind, moveKind)
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

// jobRowSQL reads a job, its tenant and, if the tenant has a newer job, the state of that
// job. The CASE guards against rows that were written by hand.
const jobRowSQL = `SELECT j.id, CASE WHEN j.kind = $3 THEN coalesce(j.args->>'move', '') ELSE '' END, tenant.id, j.state::text, j.metadata ? 'cancel_attempted_at', j.attempt, j.max_attempts,
		coalesce(j.errors[array_upper(j.errors, 1)]->>'error', ''), j.created_at, j.scheduled_at, j.finalized_at,
		coalesce(t.status::text, ''), t.activated_at IS NOT NULL, coalesce(t.provisioning_error, ''), t.job_id, t.updated_at,
		coalesce(newer.state::text, ''), coalesce(newer.attempt, 0)
	FROM river_job j
	CROSS JOIN LATERAL (SELECT CASE WHEN j.args->>'tenant_id' ~ '^[0-9a-f-]{36}$' THEN (j.args->>'tenant_id')::uuid END AS id) AS tenant
	LEFT JOIN tenants t ON t.id = tenant.id
	LEFT JOIN river_job newer ON newer.id = t.job_id AND newer.id <> j.id
	WHERE j.id = $1 AND j.kind IN ($2, $3)`

// jobRow is a job in River, with the registry's data about its tenant.
type jobRow struct {
	id                     int64
	move                   provisioning.Move // Empty: a provisioning.
	tenantID               *uuid.UUID
	state                  rivertype.JobState
	cancelled              bool // Its worker had died, and RescueJob cancelled it.
	attempt, maxAttempts   int
	err                    string
	createdAt, scheduledAt time.Time
	finalizedAt            *time.Time

	tenantStatus    tenant.Status // Empty: the tenant does not exist.
	wasLive         bool
	tenantError     string             // Why the tenant's last attempt failed.
	currentJobID    *int64             // The job that must still complete the tenant.
	tenantUpdatedAt *time.Time         // Last change of the tenant.
	currentState    rivertype.JobState // Of the current job, if it is another one.
	currentAttempt  int
}

func scanJobRow(r pgx.CollectableRow) (l jobRow, err error) {
	err = r.Scan(&l.id, &l.move, &l.tenantID, &l.state, &l.cancelled, &l.attempt, &l.maxAttempts, &l.err, &l.createdAt, &l.scheduledAt, &l.finalizedAt,
		&l.tenantStatus, &l.wasLive, &l.tenantError, &l.currentJobID, &l.tenantUpdatedAt, &l.currentState, &l.currentAttempt)
	return l, err
}

func (l jobRow) toJob() provisioning.Job {
	job := provisioning.Job{
		ID: strconv.FormatInt(l.id, 10), Move: l.move, State: jobStateOf(l.state, l.attempt), Attempt: l.attempt, MaxAttempts: l.maxAttempts,
		// River prefixes the error of a cancelled job.
		Error: strings.TrimPrefix(l.err, "JobCancelError: "), CreatedAt: l.createdAt, ScheduledAt: l.scheduledAt,
	}
	if l.tenantID != nil {
		job.TenantID = *l.tenantID
	}
	if l.finalizedAt != nil {
		job.FinishedAt = *l.finalizedAt
	}
	switch {
	case l.move != "": // The tenant's status is not that of a move.
	case l.tenantStatus == "":
	case l.currentJobID == nil:
		l.finish(&job)
	case *l.currentJobID != l.id:
		// Another job replaced this one and must still complete the tenant.
		job.State, job.FinishedAt = jobStateOf(l.currentState, l.currentAttempt), time.Time{}
	case l.finalizedAt != nil:
		// River has finished the job, but the tenant is not complete: the reconciler will
		// enqueue another job.
		job.State, job.FinishedAt = provisioning.JobRetrying, time.Time{}
	}
	return job
}

// finish sets the final state of a job whose tenant has no current job. A failure in River
// is kept: the tenant may have had another job since. A success in River only means that
// nothing was left to do. A replaced job ends as the tenant did.
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
			job.Error = "the provisioning was aborted before the tenant was live"
		}
	default:
		return // The tenant is provisioned in the foreground.
	}
	if job.FinishedAt.IsZero() && l.tenantUpdatedAt != nil {
		job.FinishedAt = *l.tenantUpdatedAt
	}
}

// jobStateOf converts River's state to the API's.
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
