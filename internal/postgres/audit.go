package postgres

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// The chain's head is in the tenant's own row: whoever changes a tenant holds its
// lock already, so an event costs one more row and no further statement.

// auditSet are the SET items that append an event to the chain of the row that is
// updated; parameters n to n+2 are those of auditArgs.
func auditSet(n int) string {
	return fmt.Sprintf(`audit_seq = audit_seq + 1,
		audit_head = audit_hash(audit_head, id, audit_seq + 1, now(), $%d::text, 'DONE', $%d::jsonb, $%d::jsonb)`, n, n+1, n+2)
}

// auditInsert stores the event that auditSet put into the chain. from is the
// relation with the updated row, and may have a condition.
func auditInsert(from string, n int) string {
	return fmt.Sprintf(`INSERT INTO audit_events (tenant_id, seq, at, action, outcome, actor, detail, hash)
		SELECT id, audit_seq, now(), $%d::text, 'DONE', $%d::jsonb, $%d::jsonb, audit_head FROM %s`, n, n+1, n+2, from)
}

// auditArgs are action, caller and detail of an event.
func auditArgs(ctx context.Context, action provisioning.AuditAction, detail map[string]any) []any {
	return []any{string(action), encoded(provisioning.CallerOf(ctx)), encodedDetail(detail)}
}

func encoded(v any) string {
	text, err := json.Marshal(v)
	if err != nil { // Only a value that is no JSON; the event happened all the same.
		return `{}`
	}
	return string(text)
}

func encodedDetail(detail map[string]any) string {
	if detail == nil {
		return `{}`
	}
	return encoded(detail)
}

// appendDone appends an event of something that was done; its parameters are the
// tenant and auditArgs.
const appendDone = `SELECT audit_append($1, $2::text, 'DONE', $3::jsonb, $4::jsonb)`

// audit appends an event to a tenant's chain in a transaction of the caller's.
func audit(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, action provisioning.AuditAction, detail map[string]any) error {
	_, err := tx.Exec(ctx, appendDone, append([]any{tenant}, auditArgs(ctx, action, detail)...)...)
	return err
}

// queueAudit does the same in a batch.
func queueAudit(ctx context.Context, batch *pgx.Batch, tenant uuid.UUID, action provisioning.AuditAction, detail map[string]any) {
	batch.Queue(appendDone, append([]any{tenant}, auditArgs(ctx, action, detail)...)...)
}

// Record appends events that are no change of the registry, in one transaction.
func (db *DB) Record(ctx context.Context, events ...provisioning.AuditEvent) error {
	return db.inTx(ctx, "write audit log", func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		// Writers that append to several chains take them in one order, the platform's
		// last, or they would wait for each other for ever.
		tenants := make([]uuid.UUID, len(events))
		for i, e := range events {
			tenants[i] = e.TenantID
		}
		batch.Queue(`SELECT FROM tenants WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE`, tenants)
		for _, e := range events {
			batch.Queue(`SELECT audit_append($1, $2::text, $3::text, $4::jsonb, $5::jsonb)`,
				e.TenantID, string(e.Action), string(e.Outcome), encoded(e.Caller), encodedDetail(e.Detail))
		}
		return tx.SendBatch(ctx, batch).Close()
	})
}

// AuditEvents reads a part of a chain.
func (db *DB) AuditEvents(ctx context.Context, tenant uuid.UUID, after int64, limit int) ([]provisioning.AuditEvent, error) {
	const op = "read audit log"
	pool, err := db.ready(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, `SELECT tenant_id, seq, at, action, outcome::text, actor, detail, hash
		FROM audit_events WHERE tenant_id = $1 AND seq > $2 ORDER BY seq LIMIT $3`, tenant, after, limit)
	if err != nil {
		return nil, failure(err, op)
	}
	events, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (e provisioning.AuditEvent, err error) {
		err = r.Scan(&e.TenantID, &e.Seq, &e.At, &e.Action, &e.Outcome, &e.Caller, &e.Detail, &e.Hash)
		return e, err
	})
	return events, failure(err, op)
}
