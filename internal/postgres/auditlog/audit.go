// Package auditlog appends events to the audit chains of tenants and reads them.
package auditlog

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// AuditLog appends to the audit chains and reads them.
type AuditLog struct{ db *pgdb.DB }

// New returns the audit log of a database.
func New(db *pgdb.DB) *AuditLog { return &AuditLog{db} }

// The head of a tenant's chain is in the tenant's row. A change of the tenant already
// locks that row, so an event costs one more row and no further statement.

// SetItems are the SET items that append an event to the chain of the updated
// row; parameters n to n+2 are those of Args.
func SetItems(n int) string {
	return fmt.Sprintf(`audit_seq = audit_seq + 1,
		audit_head = audit_hash(audit_head, id, audit_seq + 1, now(), $%d::text, 'DONE', $%d::jsonb, $%d::jsonb)`, n, n+1, n+2)
}

// InsertSQL stores the event that SetItems appended to the chain. from is
// the relation with the updated row, and may have a condition.
func InsertSQL(source string, n int) string {
	return fmt.Sprintf(`INSERT INTO audit_events (tenant_id, seq, at, action, outcome, actor, detail, hash)
		SELECT id, audit_seq, now(), $%d::text, 'DONE', $%d::jsonb, $%d::jsonb, audit_head FROM %s`, n, n+1, n+2, source)
}

// Args are action, caller and detail of an event.
func Args(ctx context.Context, action audit.Action, detail map[string]any) []any {
	return []any{string(action), ToJSON(audit.CallerOf(ctx)), detailJSON(detail)}
}

// ToJSON is a value as JSON text for a jsonb parameter.
func ToJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil { // Only for a value that is not valid JSON; the event is still recorded.
		return `{}`
	}
	return string(text)
}

func detailJSON(detail map[string]any) string {
	if detail == nil {
		return `{}`
	}
	return ToJSON(detail)
}

// appendEventSQL appends an event; its parameters are the tenant and Args.
const appendEventSQL = `SELECT audit_append($1, $2::text, 'DONE', $3::jsonb, $4::jsonb)`

// Append appends an event to a tenant's chain in the caller's transaction.
func Append(ctx context.Context, tx pgx.Tx, tenantID uuid.UUID, action audit.Action, detail map[string]any) error {
	_, err := tx.Exec(ctx, appendEventSQL, append([]any{tenantID}, Args(ctx, action, detail)...)...)
	return err
}

// Queue appends an event in a batch.
func Queue(ctx context.Context, batch *pgx.Batch, tenantID uuid.UUID, action audit.Action, detail map[string]any) {
	batch.Queue(appendEventSQL, append([]any{tenantID}, Args(ctx, action, detail)...)...)
}

// Record appends events that do not change the registry, in one transaction.
func (s *AuditLog) Record(ctx context.Context, events ...audit.Event) error {
	return s.db.InTx(ctx, "write audit log", func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		// Writers that append to several chains lock them in one order, the registry's
		// chain last. Otherwise they could deadlock.
		tenantIDs := make([]uuid.UUID, len(events))
		for i, e := range events {
			tenantIDs[i] = e.TenantID
		}
		batch.Queue(`SELECT FROM tenants WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE`, tenantIDs)
		for _, e := range events {
			batch.Queue(`SELECT audit_append($1, $2::text, $3::text, $4::jsonb, $5::jsonb)`,
				e.TenantID, string(e.Action), string(e.Outcome), ToJSON(e.Caller), detailJSON(e.Detail))
		}
		return tx.SendBatch(ctx, batch).Close()
	})
}

// Events reads a page of a chain.
func (s *AuditLog) Events(ctx context.Context, tenantID uuid.UUID, after int64, limit int) ([]audit.Event, error) {
	const op = "read audit log"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, `SELECT tenant_id, seq, at, action, outcome, actor, detail, hash
		FROM audit_events WHERE tenant_id = $1 AND seq > $2 ORDER BY seq LIMIT $3`, tenantID, after, limit)
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	events, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (e audit.Event, err error) {
		err = r.Scan(&e.TenantID, &e.Seq, &e.At, &e.Action, &e.Outcome, &e.Caller, &e.Detail, &e.Hash)
		return e, err
	})
	return events, pgdb.Classify(err, op)
}
