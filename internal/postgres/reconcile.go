package postgres

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// LostJobs is what the reconciler needs of the queue that UseQueue was given.
type LostJobs interface {
	// Unworked gives those of the jobs that no worker is going to take, given that
	// their tenants' leases are out: gone, ended, or running without a sign of life
	// for that long.
	Unworked(ctx context.Context, jobs []int64, silence time.Duration) ([]int64, error)
	// Replace looks again at such a job, in a transaction, and gives the id of
	// another one in its place; the job's own when it will be worked after all; 0 when
	// its attempts are used up.
	Replace(ctx context.Context, tx pgx.Tx, job int64, tenant uuid.UUID, silence time.Duration) (int64, error)
}

var _ provisioning.Leftovers = (*DB)(nil)

// maxUnfinished bounds how many tenants one look goes through. Those whose run
// died come first, so a long queue of new ones does not hide them.
const maxUnfinished = 10_000

// leftover matches unfinished tenants that no run holds; parameter 1 is the
// silence. A lease that ran out says that its run is dead. Where there is none, a
// run has given the tenant back a moment ago, or is about to claim it: then the
// newest step tells.
const leftover = `(status IN ('PENDING', 'PROVISIONING') OR undo IS NOT NULL) AND (
	run_expires_at < clock_timestamp() OR run_expires_at IS NULL AND updated_at < clock_timestamp() - $1::interval
	AND (status = 'PENDING' OR NOT EXISTS (SELECT FROM provisioning_logs l
		WHERE l.tenant_id = tenants.id AND l.attempt = tenants.attempt AND l.updated_at >= clock_timestamp() - $1::interval)))`

// Unfinished sorts the tenants that nobody works on, and gives another job to
// those whose job is lost.
func (db *DB) Unfinished(ctx context.Context, q provisioning.UnfinishedQuery) (provisioning.Unfinished, error) {
	var found provisioning.Unfinished
	queued, err := db.lookUnfinished(ctx, q, &found)
	if err != nil || len(queued) == 0 {
		return found, err
	}
	lost, ok := db.queue.(LostJobs)
	if !ok {
		return found, provisioning.Errorf(provisioning.KindPermanent, "look for lost jobs", "this program has no queue; it was wired wrongly")
	}
	unworked, err := lost.Unworked(ctx, slices.Collect(maps.Keys(queued)), q.Silence)
	if err != nil {
		return found, err
	}
	slices.Sort(unworked) // Who waited longest comes first.
	var errs []error
	for _, job := range unworked[:min(len(unworked), q.Limit)] {
		errs = append(errs, db.replaceJob(ctx, lost, q, job, queued[job], &found))
	}
	return found, errors.Join(errs...)
}

// lookUnfinished lists what is left over of runs in the foreground, and gives the tenants of
// jobs by their job.
func (db *DB) lookUnfinished(ctx context.Context, q provisioning.UnfinishedQuery, found *provisioning.Unfinished) (map[int64]uuid.UUID, error) {
	const op = "look for unfinished tenants"
	pool, err := db.ready(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, `SELECT id, coalesce(job_id, 0), undo IS NOT NULL,
			greatest(updated_at, run_expires_at) < clock_timestamp() - $2::interval
		FROM tenants WHERE `+leftover+` ORDER BY run_expires_at NULLS LAST, updated_at LIMIT $3`,
		q.Silence, q.AbandonAfter, maxUnfinished)
	if err != nil {
		return nil, failure(err, op)
	}
	queued := map[int64]uuid.UUID{}
	var (
		id                uuid.UUID
		job               int64
		undoing, forsaken bool
	)
	_, err = pgx.ForEachRow(rows, []any{&id, &job, &undoing, &forsaken}, func() error {
		switch {
		case job != 0:
			queued[job] = id
		case undoing && len(found.Interrupted) < q.Limit:
			found.Interrupted = append(found.Interrupted, id)
		case !undoing && forsaken && len(found.Abandoned) < q.Limit:
			found.Abandoned = append(found.Abandoned, id)
		}
		return nil
	})
	return queued, failure(err, op)
}

// replaceJob gives one tenant another job, unless somebody else is about to.
func (db *DB) replaceJob(ctx context.Context, jobs LostJobs, q provisioning.UnfinishedQuery, job int64, tenant uuid.UUID, found *provisioning.Unfinished) error {
	var next int64
	err := db.inTx(ctx, "queue tenant again", func(tx pgx.Tx) error {
		var still int64
		next = job
		err := tx.QueryRow(ctx, `SELECT job_id FROM tenants WHERE id = $2 AND job_id = $3 AND `+leftover+` FOR UPDATE SKIP LOCKED`,
			q.Silence, tenant, job).Scan(&still)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if next, err = jobs.Replace(ctx, tx, job, tenant, q.Silence); err != nil || next == job || next == 0 {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE tenants SET job_id = $2, last_job_id = $2 WHERE id = $1`, tenant, next)
		return err
	})
	switch {
	case err != nil || next == job:
	case next == 0:
		found.Exhausted = append(found.Exhausted, tenant)
	default:
		found.Requeued = append(found.Requeued, tenant)
	}
	return err
}

// DueMail claims welcome mails that are due.
func (db *DB) DueMail(ctx context.Context, putOff time.Duration, limit int) ([]uuid.UUID, error) {
	const op = "look for due mail"
	pool, err := db.ready(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, `UPDATE tenants SET welcome_email_due = clock_timestamp() + $1::interval
		WHERE id IN (
			SELECT id FROM tenants WHERE welcome_email_due <= now() AND welcome_email = 'PENDING' AND status = 'ACTIVE'
			ORDER BY welcome_email_due LIMIT $2 FOR UPDATE SKIP LOCKED)
		RETURNING id`, putOff, limit)
	if err != nil {
		return nil, failure(err, op)
	}
	due, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	return due, failure(err, op)
}

// Sweep deletes old rows.
func (db *DB) Sweep(ctx context.Context, invitations, keys time.Duration, limit int) (provisioning.Swept, error) {
	const op = "delete old rows"
	var swept provisioning.Swept
	pool, err := db.ready(ctx)
	if err != nil {
		return swept, err
	}
	tag, err := pool.Exec(ctx, `DELETE FROM tenant_invitations WHERE token_hash IN (
			SELECT token_hash FROM tenant_invitations WHERE used_at IS NULL AND expires_at < now() - $1::interval
			LIMIT $2 FOR UPDATE SKIP LOCKED)`, invitations, limit)
	if err != nil {
		return swept, failure(err, op)
	}
	swept.Invitations = tag.RowsAffected()
	tag, err = pool.Exec(ctx, `DELETE FROM idempotency_keys WHERE (scope, key) IN (
			SELECT scope, key FROM idempotency_keys WHERE created_at < now() - $1::interval
			ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)`, keys, limit)
	swept.Keys = tag.RowsAffected()
	return swept, failure(err, op)
}
