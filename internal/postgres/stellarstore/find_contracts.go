package stellarstore

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// needsAttention is the condition of the index tenant_contracts_attention.
const needsAttention = ` AND (c.state <> 'LIVE' OR c.last_error IS NOT NULL)`

// FindContracts returns a page of contracts that are not of purged tenants, in the order of their
// tenants' ids. Its cost does not depend on the page's depth; with a filter for what is wrong it
// grows with the contracts for which something is.
func (s *Contracts) FindContracts(ctx context.Context, q contracts.ListQuery) ([]contracts.WorkItem, error) {
	const op = "list contracts"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	where, args := `c.tenant_id > $1 AND `+managedContractsPredicate, []any{q.After, q.Limit}
	if q.State != "" {
		where, args = where+` AND c.state = $3::text`, append(args, string(q.State))
	}
	if q.Failed {
		where += ` AND c.last_error IS NOT NULL`
	}
	if q.Failed || q.State != "" && q.State != contracts.StateLive {
		where += needsAttention
	}
	rows, _ := pool.Query(ctx, `SELECT `+workItemColumns+` FROM tenant_contracts c JOIN `+contractOwners+` t ON t.id = c.tenant_id
		WHERE `+where+` ORDER BY c.tenant_id LIMIT $2`, args...)
	items, err := pgx.CollectRows(rows, scanWorkItem)
	return items, pgdb.Classify(err, op)
}
