package stats

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// behindSQL returns, by blueprint, how many tenants are behind, and the first of them.
const behindSQL = `WITH targets AS (
		SELECT name, active_revision AS revision, NULL::integer AS version FROM blueprints WHERE active_revision IS NOT NULL
		UNION ALL SELECT $1::text, NULL, $2::integer
	), behind AS (
		SELECT t.blueprint, t.id, t.name, t.status, coalesce('revision ' || t.blueprint_revision || ' of ' || x.revision, 'schema version ' || t.schema_version || ' of ' || x.version) AS reason,
			count(*) OVER (PARTITION BY t.blueprint) AS behind, row_number() OVER (PARTITION BY t.blueprint ORDER BY t.activated_at, t.id) AS n
		FROM tenants t JOIN targets x ON x.name = t.blueprint
		WHERE (t.blueprint_revision < x.revision OR t.schema_version < x.version) AND t.activated_at IS NOT NULL AND t.purged_at IS NULL
	) SELECT blueprint, behind, id, name, status, reason FROM behind WHERE n <= $3 ORDER BY blueprint, n`

// Behind reads the tenants that are behind, a group for each blueprint that has some. version is the
// newest schema version of the blueprint standard, which no revision has. It reads all tenants: call
// it seldom.
func (s *Stats) Behind(ctx context.Context, version int) ([]monitoring.Attention, error) {
	const op = "find tenants that are behind"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := pool.Query(ctx, behindSQL, tenant.StandardBlueprint, version, monitoring.MaxAttentionTenants)
	var (
		found     []monitoring.Attention
		blueprint string
		count     int64
		id        uuid.UUID
		t         monitoring.AttentionTenant
	)
	_, err = pgx.ForEachRow(rows, []any{&blueprint, &count, &id, &t.Name, &t.Status, &t.Reason}, func() error {
		if len(found) == 0 || found[len(found)-1].Blueprint != blueprint {
			found = append(found, monitoring.Attention{Kind: monitoring.AttentionBehind, Blueprint: blueprint, Count: count})
		}
		t.ID = id
		last := &found[len(found)-1]
		last.Tenants = append(last.Tenants, t)
		return nil
	})
	return found, pgdb.Classify(err, op)
}
