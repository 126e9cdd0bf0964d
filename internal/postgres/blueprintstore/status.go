package blueprintstore

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// List returns the published blueprints by name, without their revisions; with a name, that one.
func (s *Store) List(ctx context.Context, name string) ([]blueprint.Status, error) {
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := pool.Query(ctx, `SELECT b.name, coalesce(b.active_revision, 0), coalesce(r.schema_version, 0), b.retired_at, coalesce(t.tenants, 0), coalesce(t.behind, 0), `+fixed("b.name")+`
		FROM blueprints b LEFT JOIN blueprint_revisions r ON r.blueprint = b.name AND r.revision = b.active_revision
		LEFT JOIN (SELECT t.blueprint, count(*) AS tenants, count(*) FILTER (WHERE t.blueprint_revision < b.active_revision) AS behind
			FROM tenants t JOIN blueprints b ON b.name = t.blueprint
			WHERE t.blueprint_revision IS NOT NULL AND t.activated_at IS NOT NULL AND t.purged_at IS NULL GROUP BY t.blueprint) t ON t.blueprint = b.name
		WHERE $1 IN ('', b.name) ORDER BY b.name`, name)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (b blueprint.Status, err error) {
		var retired *time.Time
		err = row.Scan(&b.Name, &b.ActiveRevision, &b.SchemaVersion, &retired, &b.Tenants, &b.TenantsBehind, &b.Fixed)
		if retired != nil {
			b.RetiredAt = *retired
		}
		return b, err
	})
	return all, pgdb.Classify(err, "list blueprints")
}

// fixed is an expression for the number of the last migration of a blueprint that never changes: one
// that a tenant has, or that new tenants get.
func fixed(name string) string {
	return `greatest((SELECT coalesce(max(m.version), 0) FROM tenant_migrations m WHERE m.blueprint = ` + name + `),
		(SELECT coalesce(max(r.schema_version), 0) FROM blueprint_revisions r JOIN blueprints a ON a.name = r.blueprint AND a.active_revision = r.revision WHERE a.name = ` + name + `))`
}

// Fixed returns the number of the last migration of a blueprint that never changes; 0 for an unknown
// name.
func (s *Store) Fixed(ctx context.Context, name string) (last int, err error) {
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return 0, err
	}
	err = pool.QueryRow(ctx, `SELECT `+fixed("$1"), name).Scan(&last)
	return last, pgdb.Classify(err, "read blueprint")
}

// Get returns one blueprint with its revisions, the newest first. KindNotFound for a name that is
// not published.
func (s *Store) Get(ctx context.Context, name string) (blueprint.Status, error) {
	found, err := s.List(ctx, name)
	if err != nil {
		return blueprint.Status{}, err
	}
	if len(found) == 0 || name == "" {
		return blueprint.Status{}, notFound("read blueprint", name)
	}
	if found[0].Revisions, err = s.Published(ctx, name); err != nil || found[0].ActiveRevision == 0 {
		return found[0], err
	}
	active, err := s.UsedBlueprint(ctx, name)
	found[0].Variables = active.Variables
	return found[0], err
}
