package auditlog

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// numberBatch is how many events get a position with one read of the feed. A feed that was not read
// for long is numbered by several reads.
const numberBatch = 10_000

// Feed gives positions to the events that have none yet, and reads a page of the feed.
func (s *AuditLog) Feed(ctx context.Context, after int64, limit int) ([]audit.FeedEvent, error) {
	const op = "read feed"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	batch := &pgx.Batch{}
	batch.Queue(`SELECT audit_number($1)`, numberBatch)
	batch.Queue(`SELECT position, tenant_id, seq, at, action, outcome FROM audit_events WHERE position > $1 ORDER BY position LIMIT $2`, after, limit)
	results := pool.SendBatch(ctx, batch)
	defer func() { _ = results.Close() }() // The reads have reported its errors.
	if _, err := results.Exec(); err != nil {
		return nil, pgdb.Classify(err, op)
	}
	rows, err := results.Query()
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[audit.FeedEvent])
	return found, pgdb.Classify(err, op)
}
