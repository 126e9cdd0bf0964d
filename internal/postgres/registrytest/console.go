//go:build unix

package registrytest

import (
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// State is a text of what people can change: tenants, API keys, sessions, and the number of audit events, of which rejections
// do not count.
func (r *Registry) State() string {
	r.t.Helper()
	return value[string](r, `SELECT concat_ws(E'\n', (SELECT string_agg(concat_ws(' ', id, version, status, name), E'\n' ORDER BY id) FROM tenants),
		(SELECT string_agg(concat_ws(' ', id, revoked_at), E'\n' ORDER BY id) FROM api_keys),
		(SELECT string_agg(token_hash::text, E'\n' ORDER BY token_hash) FROM console_sessions),
		(SELECT count(*) FROM audit_events WHERE outcome = 'DONE'))`)
}

// SetScopesOf gives one API key these scopes, which the audit log does not know.
func (r *Registry) SetScopesOf(name string, scopes ...access.Scope) {
	r.t.Helper()
	r.exec(`UPDATE api_keys SET scopes = $2::text[] WHERE name = $1`, name, texts(scopes))
}

// LastEventOf is the newest event of a tenant: its action, and kind, name and address of the caller.
func (r *Registry) LastEventOf(tenantID string) string {
	r.t.Helper()
	return value[string](r, `SELECT concat_ws(' ', action, actor->>'kind', actor->>'name', host((actor->>'address')::inet)) FROM audit_events WHERE tenant_id = $1 ORDER BY seq DESC LIMIT 1`, tenantID)
}

// SetContractState records of a tenant's contract what the ledger showed.
func (r *Registry) SetContractState(tenantID, state string) {
	r.t.Helper()
	r.exec(`INSERT INTO tenant_contracts (tenant_id, contract_id, state) SELECT id, soroban_contract_id, $2 FROM tenants WHERE id = $1
		ON CONFLICT (tenant_id) DO UPDATE SET state = excluded.state`, tenantID, state)
}

// SetDeployerBalance records a balance of the deployer, in stroops.
func (r *Registry) SetDeployerBalance(stroops int64) {
	r.t.Helper()
	r.exec(`UPDATE stellar_accounts SET balance = $1 WHERE deployer IS NULL`, stroops)
}

// AddFailedStep records that an own step of a tenant has failed.
func (r *Registry) AddFailedStep(tenantID string, step tenant.Step, cause string) {
	r.t.Helper()
	r.exec(`INSERT INTO provisioning_logs (tenant_id, attempt, step, status, error) SELECT id, attempt, $2, 'FAILED', left($3, 500) FROM tenants WHERE id = $1`, tenantID, string(step), cause)
}

// SetFailed makes one tenant FAILED for a cause, as if it had never been live.
func (r *Registry) SetFailed(tenantID, cause string) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET status = 'FAILED', activated_at = NULL, provisioning_error = $2 WHERE id = $1`, tenantID, cause)
}

// AddMany adds tenants with the names T and a number, each a second older than the one before, the first from the end of 2025.
// The triggers, which run for each row, are off: it takes a connection of the superuser.
func (r *Registry) AddMany(from, to int) {
	r.t.Helper()
	conn, err := r.conn.Acquire(r.ctx())
	r.must(err)
	defer conn.Release()
	exec := func(statement string, args ...any) {
		_, err := conn.Exec(r.ctx(), statement, args...)
		r.must(err)
	}
	exec(`SET session_replication_role = replica`)
	exec(`INSERT INTO tenants (id, name, name_key, schema_name, status, admin_email, admin_first_name, admin_last_name, soroban_contract_id, activated_at, created_at, blueprint, metadata)
		SELECT gen_random_uuid(), 'T' || n, 't' || n, 't_' || n, CASE WHEN n % 100 = 0 THEN 'FAILED' ELSE 'ACTIVE' END, 'a@b.example', 'A', 'B', repeat('C', 56), now(), timestamptz '2026-01-01' - n * interval '1 second',
			'standard', jsonb_build_object('reseller', 'r' || n % 1000) FROM generate_series($1::int, $2::int) n`, from, to)
	exec(`UPDATE tenant_counts SET failed = (SELECT count(*) FROM tenants WHERE status = 'FAILED'), active = (SELECT count(*) FROM tenants WHERE status = 'ACTIVE')
		WHERE slot = (SELECT min(slot) FROM tenant_counts)`)
	exec(`RESET session_replication_role`)
	exec(`ANALYZE tenants`)
}
