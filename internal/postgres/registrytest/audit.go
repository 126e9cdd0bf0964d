//go:build unix

package registrytest

import (
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
)

// ActionsOf are the actions in the audit events of callers of a kind, of all tenants.
func (r *Registry) ActionsOf(kind audit.CallerKind) []audit.Action {
	r.t.Helper()
	rows, _ := r.conn.Query(r.ctx(), `SELECT action FROM audit_events WHERE actor->>'kind' = $1 ORDER BY at`, string(kind))
	all, err := pgx.CollectRows(rows, pgx.RowTo[audit.Action])
	r.must(err)
	return all
}

// RejectionsOf are the rejections of callers of a kind, as "action: error", of all tenants. One of no
// tenant has its kind in place of the error.
func (r *Registry) RejectionsOf(kind audit.CallerKind) []string {
	r.t.Helper()
	rows, _ := r.conn.Query(r.ctx(), `SELECT action || ': ' || coalesce(detail->>'error', detail->>'kind') FROM audit_events
		WHERE actor->>'kind' = $1 AND outcome = 'REJECTED' ORDER BY at`, string(kind))
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	r.must(err)
	return all
}

// ChangeEvent changes the caller in an audit event, and not its hash.
func (r *Registry) ChangeEvent(tenantID string, seq int) {
	r.t.Helper()
	r.exec(`UPDATE audit_events SET actor = '{"kind": "apikey", "name": "another caller"}' WHERE tenant_id::text = $1 AND seq = $2`, tenantID, seq)
}

// ChangeHash changes the hash of an audit event.
func (r *Registry) ChangeHash(tenantID string, seq int) {
	r.t.Helper()
	r.exec(`UPDATE audit_events SET hash = decode(repeat('ab', 32), 'hex') WHERE tenant_id::text = $1 AND seq = $2`, tenantID, seq)
}

// CutChain deletes the audit events of a tenant from a position on.
func (r *Registry) CutChain(tenantID string, seq int) {
	r.t.Helper()
	r.exec(`DELETE FROM audit_events WHERE tenant_id::text = $1 AND seq >= $2`, tenantID, seq)
}

// RewriteChain changes the first audit event of a tenant, or of the registry chain, and computes every hash again with
// the database's own function, so that the chain has no fault.
func (r *Registry) RewriteChain(tenantID string) {
	r.t.Helper()
	r.ChangeEvent(tenantID, 1)
	r.exec(`WITH RECURSIVE chain AS (
			SELECT tenant_id, seq, audit_hash(NULL, tenant_id, seq, at, action, outcome, salt, actor, detail) AS hash
			FROM audit_events WHERE tenant_id::text = $1 AND seq = 1
			UNION ALL
			SELECT e.tenant_id, e.seq, audit_hash(c.hash, e.tenant_id, e.seq, e.at, e.action, e.outcome, e.salt, e.actor, e.detail)
			FROM chain c JOIN audit_events e ON e.tenant_id = c.tenant_id AND e.seq = c.seq + 1
		) UPDATE audit_events e SET hash = c.hash FROM chain c WHERE e.tenant_id = c.tenant_id AND e.seq = c.seq`, tenantID)
	r.exec(`UPDATE tenants SET audit_head = (SELECT hash FROM audit_events WHERE tenant_id = id ORDER BY seq DESC LIMIT 1) WHERE id::text = $1`, tenantID)
	r.exec(`UPDATE registry_audit SET head = (SELECT hash FROM audit_events WHERE tenant_id::text = $1 ORDER BY seq DESC LIMIT 1) WHERE $1 = $2`, tenantID, uuid.Nil.String())
}

// ForgetRegistryContract deletes the record of the registry's own contract.
func (r *Registry) ForgetRegistryContract() {
	r.t.Helper()
	r.exec(`DELETE FROM tenant_contracts WHERE tenant_id IN (SELECT id FROM registry)`)
}

// SetScopes gives all API keys these scopes, which the audit log does not know.
func (r *Registry) SetScopes(scopes ...access.Scope) {
	r.t.Helper()
	r.exec(`UPDATE api_keys SET scopes = $1::text[]`, texts(scopes))
}

// SetRateLimit gives an API key a limit that the audit log does not know.
func (r *Registry) SetRateLimit(name string, perMinute int) {
	r.t.Helper()
	r.exec(`UPDATE api_keys SET rate_limit = $2 WHERE name = $1`, name, perMinute)
}

// RemoveTenant deletes every row of a tenant, as the owner of the database can.
func (r *Registry) RemoveTenant(tenantID string) {
	r.t.Helper()
	r.exec(`DELETE FROM tenants WHERE id::text = $1`, tenantID)
	for _, table := range []string{
		"audit_events", "provisioning_logs", "tenant_migrations", "tenant_steps", "tenant_invitations", "tenant_credentials", "tenant_contracts", "purge_certificates",
	} {
		r.exec(`DELETE FROM `+table+` WHERE tenant_id::text = $1`, tenantID)
	}
	// Transactions of reconcilers have the contract and no tenant.
	r.exec(`DELETE FROM stellar_transactions WHERE contract_id IN (SELECT contract_id FROM stellar_transactions WHERE tenant_id::text = $1)`, tenantID)
}

// SkipReasons are the reasons of the undos that were skipped.
func (r *Registry) SkipReasons() []string {
	r.t.Helper()
	rows, _ := r.conn.Query(r.ctx(), `SELECT detail->>'reason' FROM audit_events WHERE action = 'tenant.skip_undo' ORDER BY at`)
	reasons, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		r.t.Fatal(err)
	}
	return reasons
}

// Refusals counts the refused actions of a kind in the audit log of a tenant.
func (r *Registry) Refusals(tenantID string, action audit.Action) (n int) {
	r.t.Helper()
	r.must(r.conn.QueryRow(r.ctx(), `SELECT count(*) FROM audit_events WHERE tenant_id::text = $1 AND action = $2 AND outcome = 'REJECTED'`, tenantID, action).Scan(&n))
	return n
}
