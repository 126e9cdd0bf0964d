//go:build unix

package registrytest

import "github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"

// WereLive is the number of tenants that were ever live.
func (r *Registry) WereLive() int {
	r.t.Helper()
	return value[int](r, `SELECT count(*) FROM tenants WHERE activated_at IS NOT NULL`)
}

// SetStatus gives a tenant a status without the work of that move.
func (r *Registry) SetStatus(tenantID string, status tenant.Status) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET status = $2::text, archived_at = CASE WHEN $2::text = 'ARCHIVED' THEN now() END,
		suspended_at = CASE WHEN $2::text = 'SUSPENDED' THEN now() END WHERE id::text = $1`, tenantID, string(status))
}

// MarkPurged records that archived tenants of a name are purged.
func (r *Registry) MarkPurged(name string) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET purged_at = now() WHERE name = $1`, name)
}

// GoLive makes a tenant ACTIVE with a contract, without its other steps.
func (r *Registry) GoLive(tenantID, contractID string) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET status = 'ACTIVE', soroban_contract_id = $2, activated_at = now(), run_expires_at = NULL, run_owner = NULL WHERE id::text = $1`,
		tenantID, contractID)
}

// RemoveContract removes the address of its contract from a tenant that is not live.
func (r *Registry) RemoveContract(tenantID string) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET soroban_contract_id = NULL WHERE id::text = $1`, tenantID)
}
