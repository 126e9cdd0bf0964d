// Package orphans finds tenants whose run or job is gone, and deletes expired rows.
package orphans

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// Orphans finds what ended runs left behind, and deletes expired rows.
type Orphans struct {
	db      *pgdb.DB
	rescuer JobRescuer // Nil unless UseQueue was called.
}

// New returns the orphans of a database.
func New(db *pgdb.DB) *Orphans { return &Orphans{db: db} }

// UseQueue sets the queue whose lost jobs FindOrphans replaces. It must be called before it.
func (s *Orphans) UseQueue(q JobRescuer) { s.rescuer = q }

// JobRescuer is what the reconciler needs of the queue that was passed to UseQueue.
type JobRescuer interface {
	// OrphanedJobs returns the jobs that no worker will run, given that their tenants'
	// leases expired: missing, finished, or running without a heartbeat for that long.
	OrphanedJobs(ctx context.Context, jobs []int64, heartbeatTimeout time.Duration) ([]int64, error)
	// RescueJob reads a job again, in a transaction, and returns the id of its
	// replacement; the job's own id when a worker will run it after all; 0 when its
	// attempts are used up.
	RescueJob(ctx context.Context, tx pgx.Tx, job int64, tenantID uuid.UUID, heartbeatTimeout time.Duration) (int64, error)
}

// maxOrphansPerPass limits the tenants of one pass. Those whose run died come first,
// so a long queue of new ones does not hide them.
const maxOrphansPerPass = 10_000

// orphanPredicate matches unfinished tenants that no run holds; parameter 1 is the
// timeout. An expired lease means that its run died. Without a lease, a run has just
// released the tenant or is about to claim it: then the time of the newest step
// decides. A time far ahead is older than a step back of the clock.
const orphanPredicate = `(status IN ('PENDING', 'PROVISIONING') OR rollback_target IS NOT NULL) AND (
	run_expires_at IS NOT NULL AND NOT ` + tenantrow.LeaseHeld + `
	OR run_expires_at IS NULL AND updated_at NOT BETWEEN clock_timestamp() - $1::interval AND clock_timestamp() + $1::interval
	AND (status = 'PENDING' OR NOT EXISTS (SELECT FROM provisioning_logs l
		WHERE l.tenant_id = tenants.id AND l.attempt = tenants.attempt AND l.updated_at BETWEEN clock_timestamp() - $1::interval AND clock_timestamp() + $1::interval)))`

// undoPostponed matches tenants whose next request of an own step's undo is not due yet. The bound
// is longer than each pause: a clock that was set back holds no tenant.
const undoPostponed = `(rollback_target IS NOT NULL AND run_expires_at IS NULL AND EXISTS (SELECT FROM tenant_steps s
	WHERE s.tenant_id = tenants.id AND s.undo_sent_at IS NOT NULL AND s.due_at BETWEEN clock_timestamp() AND clock_timestamp() + interval '5 minutes'))`

// FindOrphans lists the tenants without a run, and replaces their lost jobs.
func (s *Orphans) FindOrphans(ctx context.Context, q provisioning.OrphanQuery) (provisioning.Orphans, error) {
	var orphans provisioning.Orphans
	tenantByJob, err := s.listOrphans(ctx, q, &orphans)
	if err != nil || len(tenantByJob) == 0 {
		return orphans, err
	}
	if s.rescuer == nil {
		return orphans, errs.Errorf(errs.KindPermanent, "list orphaned jobs", "no job queue is configured")
	}
	orphanedJobs, err := s.rescuer.OrphanedJobs(ctx, slices.Collect(maps.Keys(tenantByJob)), q.HeartbeatTimeout)
	if err != nil {
		return orphans, err
	}
	slices.Sort(orphanedJobs) // The longest waiting one comes first.
	var errs []error
	for _, job := range orphanedJobs[:min(len(orphanedJobs), q.Limit)] {
		errs = append(errs, s.rescueJob(ctx, q, job, tenantByJob[job], &orphans))
	}
	return orphans, errors.Join(errs...)
}

// listOrphans lists the unfinished tenants of foreground runs, and those of jobs by
// job id.
func (s *Orphans) listOrphans(ctx context.Context, q provisioning.OrphanQuery, orphans *provisioning.Orphans) (map[int64]uuid.UUID, error) {
	const op = "list orphaned tenants"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, `SELECT id, coalesce(job_id, 0), rollback_target IS NOT NULL,
			greatest(updated_at, run_expires_at) NOT BETWEEN clock_timestamp() - $2::interval AND clock_timestamp() + $2::interval
		FROM tenants WHERE `+orphanPredicate+` AND NOT `+undoPostponed+` ORDER BY run_expires_at NULLS LAST, updated_at LIMIT $3`,
		q.HeartbeatTimeout, q.AbandonAfter, maxOrphansPerPass)
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	tenantByJob := map[int64]uuid.UUID{}
	var (
		id                     uuid.UUID
		job                    int64
		rollingBack, abandoned bool
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &job, &rollingBack, &abandoned}, func() error {
		switch {
		case job != 0:
			tenantByJob[job] = id
		case rollingBack && len(orphans.Interrupted) < q.Limit:
			orphans.Interrupted = append(orphans.Interrupted, id)
		case !rollingBack && abandoned && len(orphans.Abandoned) < q.Limit:
			orphans.Abandoned = append(orphans.Abandoned, id)
		}
		return nil
	})
	return tenantByJob, pgdb.Classify(err, op)
}

// rescueJob queues another job for one tenant, unless another process is about to.
func (s *Orphans) rescueJob(ctx context.Context, q provisioning.OrphanQuery, job int64, tenantID uuid.UUID, orphans *provisioning.Orphans) error {
	var replacement int64
	err := s.db.InTx(ctx, "queue tenant again", func(tx pgx.Tx) error {
		var current int64
		replacement = job
		err := tx.QueryRow(ctx, `SELECT job_id FROM tenants WHERE id = $2 AND job_id = $3 AND `+orphanPredicate+` FOR UPDATE SKIP LOCKED`,
			q.HeartbeatTimeout, tenantID, job).Scan(&current)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if replacement, err = s.rescuer.RescueJob(ctx, tx, job, tenantID, q.HeartbeatTimeout); err != nil || replacement == job || replacement == 0 {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE tenants SET job_id = $2, last_job_id = $2 WHERE id = $1`, tenantID, replacement)
		return err
	})
	switch {
	case err != nil || replacement == job:
	case replacement == 0:
		orphans.Exhausted = append(orphans.Exhausted, tenantID)
	default:
		orphans.Requeued = append(orphans.Requeued, tenantID)
	}
	return err
}

// DeleteExpired deletes old rows. An invitation that was not replaced remains: its page can send
// another one.
func (s *Orphans) DeleteExpired(ctx context.Context, invitationRetention, keyRetention time.Duration, limit int) (provisioning.DeletedRows, error) {
	const op = "delete old rows"
	var deleted provisioning.DeletedRows
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return deleted, err
	}
	tag, err := pool.Exec(ctx, `DELETE FROM tenant_invitations WHERE token_hash IN (
			SELECT i.token_hash FROM tenant_invitations i WHERE i.used_at IS NULL AND i.expires_at < now() - $1::interval
				AND (i.revoked_at IS NOT NULL OR NOT EXISTS (SELECT FROM tenants WHERE id = i.tenant_id AND `+tenantrow.OpenInvitation+`))
			LIMIT $2 FOR UPDATE OF i SKIP LOCKED)`, invitationRetention, limit)
	if err != nil {
		return deleted, pgdb.Classify(err, op)
	}
	deleted.Invitations = tag.RowsAffected()
	tag, err = pool.Exec(ctx, `DELETE FROM idempotency_keys WHERE (scope, key) IN (
			SELECT scope, key FROM idempotency_keys WHERE created_at < now() - $1::interval
			ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)`, keyRetention, limit)
	if err != nil {
		return deleted, pgdb.Classify(err, op)
	}
	deleted.Keys = tag.RowsAffected()
	tag, err = pool.Exec(ctx, `DELETE FROM console_sessions WHERE token_hash IN (
			SELECT token_hash FROM console_sessions WHERE expires_at <= now() ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)`, limit)
	deleted.Sessions = tag.RowsAffected()
	return deleted, pgdb.Classify(err, op)
}
