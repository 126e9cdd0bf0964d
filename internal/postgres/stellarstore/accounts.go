package stellarstore

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// DeployerBalance returns the balance of a deployer as last read, in stroops, and when that was. A
// nil balance: it was never read.
func (s *Transactions) DeployerBalance(ctx context.Context, networkID, deployer string) (stroops *int64, at time.Time, err error) {
	const op = "read deployer balance"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	var checkedAt *time.Time
	err = pool.QueryRow(ctx, `SELECT balance, checked_at FROM stellar_accounts WHERE network_id = $1 AND address = $2`, networkID, deployer).Scan(&stroops, &checkedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return stroops, zeroIfNil(checkedAt), pgdb.Classify(err, op)
}
