package stellarstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// OpenTransactions lists the transactions of a network whose outcome is not known, the oldest
// first. An account has one at most, so there are few.
func (s *Transactions) OpenTransactions(ctx context.Context, networkID string) ([]txlog.Transaction, error) {
	const op = "list open transactions"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := pool.Query(ctx, `SELECT `+transactionColumns+` FROM stellar_transactions
		WHERE network_id = $1 AND state = 'SIGNED' ORDER BY created_at, hash`, networkID)
	open, err := pgx.CollectRows(rows, scanTransaction)
	return open, pgdb.Classify(err, op)
}

// GiveUp records that an open transaction will never be applied, by an operator's word, in the
// audit chain of its tenant or of the registry. Its account reads its sequence number from the
// network then. KindNotFound for an unknown hash, KindConflict when the outcome is known.
func (s *Transactions) GiveUp(ctx context.Context, networkID, hash, reason string) error {
	const op = "give up transaction"
	return s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		// The account first, as its holder does.
		if _, err := tx.Exec(ctx, `SELECT FROM stellar_accounts a JOIN stellar_transactions x ON x.network_id = a.network_id AND x.source = a.address
			WHERE x.network_id = $1 AND x.hash = $2 FOR NO KEY UPDATE OF a`, networkID, hash); err != nil {
			return err
		}
		var state txlog.State
		err := tx.QueryRow(ctx, `SELECT state FROM stellar_transactions WHERE network_id = $1 AND hash = $2`, networkID, hash).Scan(&state)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return errs.Errorf(errs.KindNotFound, op, "the registry has no transaction %s of this network", hash)
		case err != nil:
			return err
		case state != txlog.StateSigned:
			return errs.Errorf(errs.KindConflict, op, "the transaction is %s already", state)
		}
		rows, _ := tx.Query(ctx, `UPDATE stellar_transactions SET state = 'EXPIRED', detail = left('given up: ' || $2, 200), resolved_at = clock_timestamp()
			WHERE hash = $1 RETURNING `+transactionColumns, hash, reason)
		x, err := pgx.CollectExactlyOneRow(rows, scanTransaction)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE stellar_accounts SET sequence = 0 WHERE network_id = $1 AND address = $2`, networkID, x.Source); err != nil {
			return err
		}
		return auditlog.Append(ctx, tx, x.TenantID, audit.ActionGiveUpTransaction, map[string]any{
			"hash": x.Hash, "purpose": string(x.Purpose), "source": x.Source, "sequence": x.Sequence, "reason": reason,
		})
	})
}
