package queue

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
)

// MaxAttempts is how often a tenant is tried before it becomes FAILED.
const MaxAttempts = 5

// provisionArgs is what a job is about.
type provisionArgs struct {
	TenantID uuid.UUID `json:"tenant_id"`
}

const provisionKind = "provision_tenant"

// Kind names this sort of job in River's table.
func (provisionArgs) Kind() string { return provisionKind }

// InsertOpts are the same for every job. No uniqueness: which job is a tenant's
// is for tenants.job_id to say, under that row's lock.
func (provisionArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: MaxAttempts, Queue: queueName}
}

// Enqueue adds a job for a tenant in the caller's transaction, and gives its id.
// Errors are the driver's own; the caller classifies them with its others.
func (q *Queue) Enqueue(ctx context.Context, tx pgx.Tx, tenantID uuid.UUID) (int64, error) {
	inserted, err := q.inserter.InsertTx(ctx, tx, provisionArgs{TenantID: tenantID}, nil)
	if err != nil {
		return 0, fmt.Errorf("enqueue tenant %s: %w", tenantID, err)
	}
	if err := notifyWorkers(ctx, tx); err != nil {
		return 0, fmt.Errorf("notify workers: %w", err)
	}
	return inserted.Job.ID, nil
}

// notifyWorkers tells River's workers, when tx commits, to look for jobs. River sends
// the same notification by itself, but at most once in a cooldown, counted from
// when it is written and not from the commit: of two transactions that overlap,
// the later one could commit unnoticed after the worker has looked, and would
// wait for the next poll.
func notifyWorkers(ctx context.Context, tx pgx.Tx) error {
	_, err := tx.Exec(ctx, `SELECT pg_notify(current_schema() || '.river_insert', '{"queue": "`+queueName+`"}')`)
	return err
}
