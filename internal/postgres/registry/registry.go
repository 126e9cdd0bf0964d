// Package registry stores tenants: creation, submission to the queue, reading, changes of inputs.
package registry

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/events"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Registry reads and updates the tenants of the registry.
type Registry struct{ db *pgdb.DB }

// New returns the registry of a database.
func New(db *pgdb.DB) *Registry { return &Registry{db} }

// Get reads one tenant.
func (s *Registry) Get(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	return tenantrow.Get(ctx, s.db, id)
}

// FindByName finds the live tenant with a name, or else the one archived last.
func (s *Registry) FindByName(ctx context.Context, name string) (tenant.Tenant, error) {
	return tenantrow.Query(ctx, s.db, "find tenant", "there is no tenant named "+name,
		`SELECT `+tenantrow.Columns+` FROM tenants WHERE name_key = $1
		 ORDER BY `+holdsName+` DESC, purged_at IS NULL DESC, archived_at DESC NULLS LAST, created_at DESC LIMIT 1`,
		tenant.NameKey(name))
}

// FindByExternalID finds the tenant with an external id, in any status. Purged tenants
// do not hold their external id any more: the one purged last is returned only if no
// other tenant has the id.
func (s *Registry) FindByExternalID(ctx context.Context, externalID string) (tenant.Tenant, error) {
	return tenantrow.Query(ctx, s.db, "find tenant", "there is no tenant with the external id "+externalID,
		`(SELECT `+tenantrow.Columns+` FROM tenants WHERE external_id = $1 AND purged_at IS NULL)
		 UNION ALL
		 (SELECT `+tenantrow.Columns+` FROM tenants WHERE external_id = $1 AND purged_at IS NOT NULL ORDER BY purged_at DESC LIMIT 1)
		 ORDER BY purged_at NULLS FIRST LIMIT 1`, externalID)
}

// Log reads the rows of the newest attempt, or of all, ordered by attempt and step, own steps behind
// the one that they come after. Unknown steps come last.
func (s *Registry) Log(ctx context.Context, id uuid.UUID, all bool) ([]tenant.LogEntry, error) {
	const op = "read provisioning log"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, `SELECT `+logColumns+`
		FROM provisioning_logs l LEFT JOIN tenant_steps s USING (tenant_id, attempt, step)
		WHERE tenant_id = $1 AND ($2 OR attempt = (SELECT max(attempt) FROM provisioning_logs WHERE tenant_id = $1))
		ORDER BY attempt, array_position($3::text[], coalesce(s.after_step, step)), s.position NULLS FIRST, step`, id, all, tenant.Steps())
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	entries, err := pgx.CollectRows(rows, scanLog)
	return entries, pgdb.Classify(err, op)
}

// logColumns are read by scanLog, in this order.
const logColumns = `l.id, tenant_id, attempt, coalesce(l.trace_id, ''), l.created_at, l.change_seq, step, l.status, l.result,
	coalesce(l.error, ''), ` + tenantrow.LogDuration

func scanLog(r pgx.CollectableRow) (e tenant.LogEntry, err error) {
	err = r.Scan(&e.ID, &e.TenantID, &e.Attempt, &e.TraceID, &e.CreatedAt, &e.Change, &e.Step, &e.Status, &e.Result, &e.Error, &e.Duration)
	return e, err
}

// Changes reads a tenant and then the changes in its log since a position. The order
// matters: rows that led to the status read are among those read after it.
func (s *Registry) Changes(ctx context.Context, id uuid.UUID, after int64) (events.Changes, error) {
	const op = "read changes"
	t, err := s.Get(ctx, id)
	if err != nil {
		return events.Changes{}, err
	}
	rows, err := s.db.Pool().Query(ctx, `SELECT `+logColumns+` FROM provisioning_logs l WHERE tenant_id = $1 AND change_seq > $2 ORDER BY change_seq`, id, after)
	if err != nil {
		return events.Changes{}, pgdb.Classify(err, op)
	}
	entries, err := pgx.CollectRows(rows, scanLog)
	return events.Changes{Tenant: t, Entries: entries}, pgdb.Classify(err, op)
}
