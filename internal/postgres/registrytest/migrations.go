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

// SetBehind makes tenants of a name ACTIVE, at a schema version that is older than that of new tenants.
func (r *Registry) SetBehind(name string) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET status = 'ACTIVE', activated_at = now(), soroban_contract_id = 'C', schema_version = 0 WHERE name = $1`, name)
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
