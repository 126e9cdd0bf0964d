package pgdb

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// RowQuerier is a pool, a connection or a transaction, for a query of one row.
type RowQuerier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}
