// Package auditlog appends events to the audit chains of tenants and reads them.
package auditlog

import (
	"context"
	"encoding/json"
	"errors"
	"math"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// AuditLog appends to the audit chains and reads them.
type AuditLog struct{ db *pgdb.DB }

// New returns the audit log of a database.
func New(db *pgdb.DB) *AuditLog { return &AuditLog{db} }

// The head of a tenant's chain is in the tenant's row. A change of the tenant already
// locks that row, so an event costs one more row and no further statement.

// SetItems are the SET items that append an event to the chain of the updated row. They
// need the parameters of AddArgs.
const SetItems = `audit_seq = audit_seq + 1,
	audit_head = audit_hash(audit_head, id, audit_seq + 1, now(), @audit_action::text, 'DONE', @audit_salt::uuid, @audit_actor::jsonb, @audit_detail::jsonb)`

// InsertSQL stores the event that SetItems appended to the chain. source is the relation
// with the updated row, and may have a condition.
func InsertSQL(source string) string {
	return `INSERT INTO audit_events (tenant_id, seq, at, action, outcome, salt, actor, detail, hash)
		SELECT id, audit_seq, now(), @audit_action::text, 'DONE', @audit_salt::uuid, @audit_actor::jsonb, @audit_detail::jsonb, audit_head FROM ` + source
}

// AddArgs adds action, caller and detail of an event to the parameters of a statement, and a
// salt, which both parts of the statement need.
func AddArgs(ctx context.Context, args pgx.StrictNamedArgs, action audit.Action, detail map[string]any) {
	args["audit_action"], args["audit_actor"], args["audit_detail"] = string(action), ToJSON(audit.CallerOf(ctx)), detailJSON(detail)
	args["audit_salt"] = uuid.New()
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

// appendEventSQL appends an event; its parameters are tenant, action, caller and detail.
const appendEventSQL = `SELECT audit_append($1, $2::text, 'DONE', $3::jsonb, $4::jsonb)`

// Append appends an event to a tenant's chain in the caller's transaction.
func Append(ctx context.Context, tx pgx.Tx, tenantID uuid.UUID, action audit.Action, detail map[string]any) error {
	_, err := tx.Exec(ctx, appendEventSQL, tenantID, string(action), ToJSON(audit.CallerOf(ctx)), detailJSON(detail))
	return err
}

// Queue appends an event in a batch.
func Queue(ctx context.Context, batch *pgx.Batch, tenantID uuid.UUID, action audit.Action, detail map[string]any) {
	batch.Queue(appendEventSQL, tenantID, string(action), ToJSON(audit.CallerOf(ctx)), detailJSON(detail))
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
	return s.events(ctx, `seq > $2 ORDER BY seq`, tenantID, after, limit)
}

// Newest reads a page of a chain, from its end.
func (s *AuditLog) Newest(ctx context.Context, tenantID uuid.UUID, before int64, limit int) ([]audit.Event, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	return s.events(ctx, `seq < $2 ORDER BY seq DESC`, tenantID, before, limit)
}

// events reads the events of a chain that a condition with an order selects.
func (s *AuditLog) events(ctx context.Context, which string, tenantID uuid.UUID, seq int64, limit int) ([]audit.Event, error) {
	const op = "read audit log"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, `SELECT tenant_id, seq, at, action, outcome, actor, detail, hash
		FROM audit_events WHERE tenant_id = $1 AND `+which+` LIMIT $3`, tenantID, seq, limit)
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	events, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (e audit.Event, err error) {
		var caller *audit.Caller // Null, as the detail, after a purge.
		err = r.Scan(&e.TenantID, &e.Seq, &e.At, &e.Action, &e.Outcome, &caller, &e.Detail, &e.Hash)
		if e.Caller.Kind = audit.CallerRedacted; caller != nil {
			e.Caller = *caller
		}
		return e, err
	})
	return events, pgdb.Classify(err, op)
}

// RecordRefused records a move that was refused and has to be on the record, if that is what err says.
// It returns err, with the error of recording it: a refusal that cannot be recorded is a failure of its own.
func (s *AuditLog) RecordRefused(ctx context.Context, tenantID uuid.UUID, action audit.Action, err error) error {
	if !errs.IsAudited(err) {
		return err
	}
	return errors.Join(err, s.Record(ctx, audit.Event{
		TenantID: tenantID, Action: action, Outcome: audit.OutcomeRejected, Caller: audit.CallerOf(ctx), Detail: map[string]any{"error": errs.SafeMessage(err)},
	}))
}
