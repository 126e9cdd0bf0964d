package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// spendBounds are in stroops, from a hundredth of a lumen to a hundred.
var spendBounds = []float64{1e5, 5e5, 1e6, 2e6, 5e6, 1e7, 5e7, 1e8, 1e9}

// StellarFigures reads what operations want to know of a deployer. It goes through
// the whole transaction log: ask no more often than once a minute.
func (db *DB) StellarFigures(ctx context.Context, networkID, deployer string) (provisioning.StellarFigures, error) {
	f := provisioning.StellarFigures{
		Transactions: map[provisioning.TransactionPurpose]int64{}, Stroops: map[provisioning.TransactionPurpose]int64{},
		Contracts: map[provisioning.ContractLife]int64{}, Spend: provisioning.SpendHistogram{Bounds: spendBounds},
	}
	channels, err := db.Upkeep().Channels(ctx, networkID, deployer)
	if err != nil {
		return f, err
	}
	f.Channels = channels
	err = db.inTx(ctx, "read figures of the Stellar network", func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT coalesce(max(balance), 0) FROM stellar_accounts WHERE network_id = $1 AND address = $2`,
			networkID, deployer).Scan(&f.Deployer); err != nil {
			return err
		}
		if err := readTotals(ctx, tx, &f); err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, `SELECT coalesce(c.life, ''), count(*), count(c.problem) FROM tenant_contracts c
			JOIN tenants t ON t.id = c.tenant_id WHERE `+kept+` GROUP BY 1`)
		var (
			life          provisioning.ContractLife
			count, undone int64
		)
		if _, err := pgx.ForEachRow(rows, []any{&life, &count, &undone}, func() error {
			f.Undone += undone
			if life != "" {
				f.Contracts[life] = count
			}
			return nil
		}); err != nil {
			return err
		}
		return readSpend(ctx, tx, &f.Spend)
	})
	return f, err
}

func readTotals(ctx context.Context, tx pgx.Tx, f *provisioning.StellarFigures) error {
	rows, _ := tx.Query(ctx, `SELECT purpose::text, sum(transactions)::bigint, sum(stroops)::bigint FROM stellar_totals GROUP BY purpose`)
	var (
		purpose               provisioning.TransactionPurpose
		transactions, stroops int64
	)
	_, err := pgx.ForEachRow(rows, []any{&purpose, &transactions, &stroops}, func() error {
		f.Transactions[purpose], f.Stroops[purpose] = transactions, stroops
		return nil
	})
	return err
}

func readSpend(ctx context.Context, tx pgx.Tx, h *provisioning.SpendHistogram) error {
	// A bound is part of the bucket below it, for Prometheus; width_bucket has it in
	// the one above. Stroops are whole.
	rows, _ := tx.Query(ctx, `SELECT width_bucket(spent - 0.5, $1::float8[]), count(*), sum(spent)::float8 FROM (
			SELECT sum(fee_charged)::float8 AS spent FROM stellar_transactions
			WHERE tenant_id IS NOT NULL AND fee_charged > 0 GROUP BY tenant_id) s GROUP BY 1`, spendBounds)
	var (
		bucket int
		count  uint64
		sum    float64
	)
	h.Below = make([]uint64, len(h.Bounds))
	_, err := pgx.ForEachRow(rows, []any{&bucket, &count, &sum}, func() error {
		h.Tenants, h.Stroops = h.Tenants+count, h.Stroops+sum
		for i := bucket; i < len(h.Below); i++ {
			h.Below[i] += count
		}
		return nil
	})
	return err
}

// Spent gives what a tenant's own transactions have cost so far, in stroops, and
// how many were applied. What is done for many contracts at once is nobody's.
func (db *DB) Spent(ctx context.Context, tenant [16]byte) (stroops, transactions int64, err error) {
	const op = "read what a tenant has cost"
	pool, err := db.ready(ctx)
	if err != nil {
		return 0, 0, err
	}
	err = pool.QueryRow(ctx, `SELECT coalesce(sum(fee_charged), 0)::bigint, count(*) FILTER (WHERE state IN ('SUCCEEDED', 'FAILED'))
		FROM stellar_transactions WHERE tenant_id = $1`, tenant).Scan(&stroops, &transactions)
	return stroops, transactions, failure(err, op)
}
