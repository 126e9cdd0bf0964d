package registrytest

// Hold returns the reason of the legal hold of the only tenant, "" without one.
func (r *Registry) Hold() string {
	r.t.Helper()
	return value[string](r, `SELECT coalesce(hold_reason, '') FROM tenants`)
}

// HideMigrations takes the ledger of all schemas away, without which no purge drops one, and returns
// what puts it back.
func (r *Registry) HideMigrations() (restore func()) {
	r.t.Helper()
	r.exec(`CREATE TABLE hidden_migrations AS SELECT * FROM tenant_migrations`)
	r.exec(`DELETE FROM tenant_migrations`)
	return func() {
		r.exec(`INSERT INTO tenant_migrations SELECT * FROM hidden_migrations`)
		r.exec(`DROP TABLE hidden_migrations`)
	}
}

// KnownContractStatus is ContractStatus, "" while none was written.
func (r *Registry) KnownContractStatus() string {
	r.t.Helper()
	return value[string](r, `SELECT coalesce((SELECT contract_status FROM tenant_contracts), '')`)
}

// SetHold puts tenants under a legal hold, as if they had been live.
func (r *Registry) SetHold(names ...string) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET hold_reason = 'Case 17', hold_by = 'test', hold_since = now(), activated_at = coalesce(activated_at, now()) WHERE name = ANY($1)`, names)
}
