package stellarstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// Channels lists a deployer's channel accounts.
func (l txLog) Channels(ctx context.Context, networkID, deployer string) ([]txlog.Channel, error) {
	const op = "list channel accounts"
	pool, err := l.store.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := pool.Query(ctx, `SELECT channel, address, sequence, coalesce(balance, 0), coalesce(disabled_reason, ''), checked_at, transactions_applied,
			CASE WHEN NOT `+leaseOverExpr+` THEN expires_at END, CASE WHEN quarantined_until > clock_timestamp() THEN quarantined_until END,
			(SELECT count(*) FROM stellar_transactions x WHERE x.network_id = a.network_id AND x.source = a.address AND x.state = 'SIGNED')
		FROM stellar_accounts a WHERE network_id = $1 AND deployer = $2 ORDER BY channel`, networkID, deployer)
	channels, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (c txlog.Channel, err error) {
		var checkedAt, leasedUntil, quarantinedUntil *time.Time
		err = r.Scan(&c.Index, &c.Address, &c.Sequence, &c.Balance, &c.DisabledReason, &checkedAt, &c.Applied, &leasedUntil, &quarantinedUntil, &c.Open)
		c.CheckedAt, c.LeasedUntil, c.QuarantinedUntil = zeroIfNil(checkedAt), zeroIfNil(leasedUntil), zeroIfNil(quarantinedUntil)
		return c, err
	})
	return channels, pgdb.Classify(err, op)
}

func zeroIfNil(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// StoreChannels writes the ledger state of channel accounts. Sequence numbers never
// decrease, because the ledger state may be older than the registry's. The exception
// is a disabled account: its number is read from the network again, because the
// account may have been recreated after a network reset.
func (l txLog) StoreChannels(ctx context.Context, networkID, deployer string, channels []txlog.Channel) error {
	return l.store.db.InTx(ctx, "record channel accounts", func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		for _, c := range channels {
			batch.Queue(`INSERT INTO stellar_accounts AS a (network_id, address, deployer, channel, sequence, balance, disabled_reason, checked_at)
				VALUES ($1, $2, $3, $4, $5, $6, nullif($7, ''), clock_timestamp())
				ON CONFLICT (network_id, address) DO UPDATE SET deployer = excluded.deployer, channel = excluded.channel,
					balance = excluded.balance, disabled_reason = excluded.disabled_reason, checked_at = excluded.checked_at,
					sequence = CASE WHEN NOT `+leaseOverExpr+` OR a.sequence = 0 THEN a.sequence
						WHEN a.disabled_reason IS NOT NULL THEN 0 ELSE greatest(a.sequence, excluded.sequence) END`,
				networkID, c.Address, deployer, c.Index, c.Sequence, c.Balance, c.DisabledReason)
		}
		return tx.SendBatch(ctx, batch).Close()
	})
}

func nilIfZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
