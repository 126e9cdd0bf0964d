//go:build unix

package registrytest

import "github.com/jackc/pgx/v5"

// AtRevision is the number of tenants that were brought to a revision of their blueprint.
func (r *Registry) AtRevision(revision int) int {
	r.t.Helper()
	return value[int](r, `SELECT count(*) FROM tenants WHERE blueprint_revision = $1`, revision)
}

// Ledger is the migrations of one tenant.
type Ledger struct {
	SchemaName    string
	SchemaVersion int
	Versions      []int // Those applied, in order.
}

// Ledgers are the migrations of all tenants of a blueprint, by the ledger.
func (r *Registry) Ledgers(blueprint string) []Ledger {
	r.t.Helper()
	rows, _ := r.conn.Query(r.ctx(), `SELECT t.schema_name, t.schema_version, ARRAY(SELECT m.version FROM tenant_migrations m WHERE m.tenant_id = t.id ORDER BY 1)
		FROM tenants t WHERE blueprint = $1 ORDER BY created_at, id`, blueprint)
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Ledger])
	r.must(err)
	return all
}
