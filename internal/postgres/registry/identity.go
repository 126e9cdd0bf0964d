package registry

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// RegistryIdentity returns which registry this is.
func (s *Registry) RegistryIdentity(ctx context.Context) (i provisioning.RegistryIdentity, err error) {
	const op = "read registry"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return i, err
	}
	err = pool.QueryRow(ctx, `SELECT id, timeline FROM registry`).Scan(&i.ID, &i.Timeline)
	if errors.Is(err, pgx.ErrNoRows) {
		return i, errs.Errorf(errs.KindPermanent, op, "the table registry is empty; restore it from a backup")
	}
	return i, pgdb.Classify(err, op)
}

// newestLedger is an upper bound of the newest ledger by this registry's transactions: a ledger takes a
// second or more. What an RPC server says of ledgers is not trusted: it would make anchors of years to
// come acceptable. NULL without transactions.
const newestLedger = `(SELECT min(ledger + extract(epoch FROM clock_timestamp() - resolved_at)::bigint + 60) FROM (
	SELECT ledger, resolved_at FROM stellar_transactions WHERE ledger IS NOT NULL AND resolved_at IS NOT NULL ORDER BY resolved_at DESC LIMIT 20) newest)`

// AcceptRestore records that the registry was restored from a backup: its timeline is the next one, and
// runs go on. It ends the sessions of the console: some may have ended after the backup.
func (s *Registry) AcceptRestore(ctx context.Context, reason string) (i provisioning.RegistryIdentity, err error) {
	const op = "accept restore"
	err = s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		var evidence *string
		err := tx.QueryRow(ctx, `SELECT restore_evidence FROM registry FOR UPDATE`).Scan(&evidence)
		if err == nil {
			err = tx.QueryRow(ctx, `UPDATE registry SET timeline = timeline + 1, restore_evidence = NULL, evidence_tenant = NULL, evidence_ledger = NULL,
				accepted_ledger = greatest(accepted_ledger, least(evidence_ledger, `+newestLedger+`)) RETURNING id, timeline`).Scan(&i.ID, &i.Timeline)
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `DELETE FROM console_sessions`); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `SELECT audit_append(NULL, $1::text, 'DONE', $2::jsonb, $3::jsonb)`, string(audit.ActionAcceptRestore),
			auditlog.ToJSON(audit.CallerOf(ctx)), auditlog.ToJSON(map[string]any{"reason": reason, "timeline": i.Timeline, "evidence": evidence}))
		return err
	})
	return i, err
}
