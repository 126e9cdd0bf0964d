package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// Channels lists a deployer's channel accounts.
func (j journal) Channels(ctx context.Context, networkID, deployer string) ([]provisioning.Channel, error) {
	const op = "list channel accounts"
	pool, err := j.db.ready(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := pool.Query(ctx, `SELECT channel, address, sequence, coalesce(balance, 0), coalesce(out_of_use, ''), checked_at, carried,
			CASE WHEN expires_at > clock_timestamp() THEN expires_at END, CASE WHEN set_aside > clock_timestamp() THEN set_aside END,
			(SELECT count(*) FROM stellar_transactions x WHERE x.network_id = a.network_id AND x.source = a.address AND x.state = 'SIGNED')
		FROM stellar_accounts a WHERE network_id = $1 AND deployer = $2 ORDER BY channel`, networkID, deployer)
	all, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (c provisioning.Channel, err error) {
		var checked, leased, aside *time.Time
		err = r.Scan(&c.Index, &c.Address, &c.Sequence, &c.Balance, &c.OutOfUse, &checked, &c.Carried, &leased, &aside, &c.Open)
		c.CheckedAt, c.LeasedUntil, c.SetAside = timeOf(checked), timeOf(leased), timeOf(aside)
		return c, err
	})
	return all, failure(err, op)
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// PutChannels writes what the ledger says of channel accounts. A number that is
// too low, because the server was behind, is refused by the network and asked for
// anew; nothing else comes of it.
func (j journal) PutChannels(ctx context.Context, networkID, deployer string, channels []provisioning.Channel) error {
	return j.db.inTx(ctx, "record channel accounts", func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		for _, c := range channels {
			batch.Queue(`INSERT INTO stellar_accounts AS a (network_id, address, deployer, channel, sequence, balance, out_of_use, checked_at)
				VALUES ($1, $2, $3, $4, $5, $6, nullif($7, ''), clock_timestamp())
				ON CONFLICT (network_id, address) DO UPDATE SET deployer = excluded.deployer, channel = excluded.channel,
					balance = excluded.balance, out_of_use = excluded.out_of_use, checked_at = excluded.checked_at,
					sequence = CASE WHEN a.expires_at > clock_timestamp() THEN a.sequence ELSE excluded.sequence END`,
				networkID, c.Address, deployer, c.Index, c.Sequence, c.Balance, c.OutOfUse)
		}
		return tx.SendBatch(ctx, batch).Close()
	})
}
