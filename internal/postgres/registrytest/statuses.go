//go:build unix

package registrytest

import "github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"

// SetStatus gives a tenant a status without the work of that move.
func (r *Registry) SetStatus(tenantID string, status tenant.Status) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET status = $2::text, archived_at = CASE WHEN $2::text = 'ARCHIVED' THEN now() END WHERE id::text = $1`, tenantID, string(status))
}
