//go:build unix

package registrytest

// ChangeEvent changes the caller in an audit event, and not its hash.
func (r *Registry) ChangeEvent(tenantID string, seq int) {
	r.t.Helper()
	r.exec(`UPDATE audit_events SET actor = '{"kind": "apikey", "name": "another caller"}' WHERE tenant_id::text = $1 AND seq = $2`, tenantID, seq)
}
