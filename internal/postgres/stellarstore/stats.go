package stellarstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// spendBucketBounds are in stroops, from a hundredth of a lumen to a hundred.
var spendBucketBounds = []float64{1e5, 5e5, 1e6, 2e6, 5e6, 1e7, 5e7, 1e8, 1e9}

// StellarStats reads the statistics of a deployer, and of the channels of its signer. It scans
// the whole transaction log: call it at most once a minute.
func (s *Transactions) StellarStats(ctx context.Context, networkID, deployer, signer string) (contracts.StellarStats, error) {
	stats := contracts.StellarStats{
		Transactions: map[txlog.Purpose]int64{}, Stroops: map[txlog.Purpose]int64{},
		Contracts: map[contracts.State]int64{}, Spend: contracts.SpendHistogram{Bounds: spendBucketBounds},
	}
	channels, err := s.SystemLog().Channels(ctx, networkID, signer)
	if err != nil {
		return stats, err
	}
	stats.Channels = channels
	err = s.db.InTx(ctx, "read Stellar statistics", func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT coalesce(max(balance), 0) FROM stellar_accounts WHERE network_id = $1 AND address = $2`,
			networkID, deployer).Scan(&stats.DeployerBalance); err != nil {
			return err
		}
		if err := readTotals(ctx, tx, &stats); err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, `SELECT coalesce(c.state, ''), count(*), count(c.last_error) FROM tenant_contracts c
			JOIN `+contractOwners+` t ON t.id = c.tenant_id WHERE `+managedContractsPredicate+` GROUP BY 1`)
		var (
			state         contracts.State
			count, failed int64
		)
		if _, err := pgx.ForEachRow(rows, []any{&state, &count, &failed}, func() error {
			stats.Failed += failed
			if state != "" {
				stats.Contracts[state] = count
			}
			return nil
		}); err != nil {
			return err
		}
		return readSpend(ctx, tx, &stats.Spend)
	})
	return stats, err
}

func readTotals(ctx context.Context, tx pgx.Tx, stats *contracts.StellarStats) error {
	rows, _ := tx.Query(ctx, `SELECT purpose, sum(transactions)::bigint, sum(stroops)::bigint FROM stellar_totals GROUP BY purpose`)
	var (
		purpose               txlog.Purpose
		transactions, stroops int64
	)
	_, err := pgx.ForEachRow(rows, []any{&purpose, &transactions, &stroops}, func() error {
		stats.Transactions[purpose], stats.Stroops[purpose] = transactions, stroops
		return nil
	})
	return err
}

func readSpend(ctx context.Context, tx pgx.Tx, histogram *contracts.SpendHistogram) error {
	// A bound is part of the bucket below it, for Prometheus; width_bucket has it in
	// the one above. Stroops are whole.
	rows, _ := tx.Query(ctx, `SELECT width_bucket(spent - 0.5, $1::float8[]), count(*), sum(spent)::float8 FROM (
			SELECT sum(fee_charged)::float8 AS spent FROM stellar_transactions
			WHERE tenant_id IS NOT NULL AND tenant_id NOT IN (SELECT id FROM registry) AND fee_charged > 0 GROUP BY tenant_id) s GROUP BY 1`, spendBucketBounds)
	var (
		bucket int
		count  uint64
		sum    float64
	)
	histogram.CumulativeCounts = make([]uint64, len(histogram.Bounds))
	_, err := pgx.ForEachRow(rows, []any{&bucket, &count, &sum}, func() error {
		histogram.Tenants, histogram.Stroops = histogram.Tenants+count, histogram.Stroops+sum
		for i := bucket; i < len(histogram.CumulativeCounts); i++ {
			histogram.CumulativeCounts[i] += count
		}
		return nil
	})
	return err
}

// TenantSpend returns the fees of a tenant's own transactions so far, in stroops, and how
// many were applied. Transactions for several contracts belong to no tenant.
func (s *Transactions) TenantSpend(ctx context.Context, tenantID [16]byte) (stroops, transactions int64, err error) {
	const op = "read spend of tenant"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return 0, 0, err
	}
	err = pool.QueryRow(ctx, `SELECT coalesce(sum(fee_charged), 0)::bigint, count(*) FILTER (WHERE state IN ('SUCCEEDED', 'FAILED'))
		FROM stellar_transactions WHERE tenant_id = $1`, tenantID).Scan(&stroops, &transactions)
	return stroops, transactions, pgdb.Classify(err, op)
}
