package queue

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// MaxAttempts is the number of attempts before a tenant becomes FAILED.
const MaxAttempts = 5

// provisionArgs are the arguments of a job.
type provisionArgs struct {
	TenantID    uuid.UUID `json:"tenant_id"`
	Traceparent string    `json:"traceparent,omitempty"` // Of the request that queued it.
}

const provisionKind = "provision_tenant"

// Kind is the name of this type of job in River's table.
func (provisionArgs) Kind() string { return provisionKind }

// InsertOpts are the same for every job. Jobs are not unique in River: tenants.job_id names
// the job of a tenant, under the lock of that row.
func (provisionArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: MaxAttempts, Queue: queueName}
}

// Enqueue adds a job for a tenant in the caller's transaction and returns its id. It
// returns the driver's errors; the caller classifies them.
func (q *Queue) Enqueue(ctx context.Context, tx pgx.Tx, tenantID uuid.UUID) (int64, error) {
	job, err := q.insert(ctx, tx, provisionArgs{TenantID: tenantID, Traceparent: tracing.Stored(ctx)})
	if err != nil {
		return 0, fmt.Errorf("enqueue tenant %s: %w", tenantID, err)
	}
	return job, nil
}

// insert adds a job at the database's time, and returns its id.
func (q *Queue) insert(ctx context.Context, tx pgx.Tx, args river.JobArgs) (int64, error) {
	if err := q.clock.refresh(ctx, tx); err != nil {
		return 0, fmt.Errorf("read the time: %w", err)
	}
	inserted, err := q.inserter.InsertTx(ctx, tx, args, nil)
	if err != nil {
		return 0, err
	}
	return inserted.Job.ID, nil
}
