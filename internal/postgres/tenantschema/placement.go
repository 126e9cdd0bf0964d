package tenantschema

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// Node returns the node of Citus, as host:port, that has a tenant's tables. It is empty
// without Citus, and for a schema that is on the coordinator because it is older than Citus.
func (s *Schemas) Node(ctx context.Context, schema string) (node string, err error) {
	const op = "read node of schema"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return "", err
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return "", pgdb.Classify(err, op)
	}
	defer conn.Release()
	if !pgdb.HasCitus(conn.Conn()) {
		return "", nil
	}
	err = conn.QueryRow(ctx, `SELECT n.nodename || ':' || n.nodeport
		FROM pg_catalog.pg_dist_shard s
		JOIN pg_catalog.pg_dist_placement p ON p.shardid = s.shardid
		JOIN pg_catalog.pg_dist_node n ON n.groupid = p.groupid AND n.noderole = 'primary'
		WHERE s.logicalrelid = to_regclass($1::text) LIMIT 1`, pgx.Identifier{schema, "users"}.Sanitize()).Scan(&node)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return node, pgdb.Classify(err, op)
}
