//go:build unix

package registrytest

import (
	"time"

	"github.com/jackc/pgx/v5"
)

// These changes happen outside the program under test: another client makes them, or time
// passes.

// Archive archives tenants by name, or all, as of some time ago.
func (r *Registry) Archive(ago time.Duration, names ...string) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET status = 'ARCHIVED', archived_at = now() - $1::interval WHERE cardinality($2::text[]) = 0 OR name = ANY($2)`, ago, texts(names))
}

// Unarchive makes all tenants ACTIVE.
func (r *Registry) Unarchive() {
	r.t.Helper()
	r.exec(`UPDATE tenants SET status = 'ACTIVE', archived_at = NULL, suspended_at = NULL`)
}

// Fail makes tenants FAILED, by id, or all.
func (r *Registry) Fail(ids ...string) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET status = 'FAILED' WHERE cardinality($1::text[]) = 0 OR id::text = ANY($1)`, texts(ids))
}

// SetUpdated sets when all tenants were updated, from now.
func (r *Registry) SetUpdated(in time.Duration) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET updated_at = now() + $1::interval`, in)
}

// SetCreated sets when all tenants were created, from now.
func (r *Registry) SetCreated(in time.Duration) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET created_at = now() + $1::interval`, in)
}

// AddAttempt copies all steps to another attempt.
func (r *Registry) AddAttempt(attempt int) {
	r.t.Helper()
	r.exec(`INSERT INTO provisioning_logs (tenant_id, attempt, step, status) SELECT tenant_id, $1, step, status FROM provisioning_logs`, attempt)
}

// RevokeKey revokes an API key.
func (r *Registry) RevokeKey(name string) {
	r.t.Helper()
	r.exec(`UPDATE api_keys SET revoked_at = now() WHERE name = $1`, name)
}

// ExpireKey lets an API key expire a second ago.
func (r *Registry) ExpireKey(name string) {
	r.t.Helper()
	r.exec(`UPDATE api_keys SET expires_at = now() - interval '1 second' WHERE name = $1`, name)
}

// ForgetRequests removes all idempotency keys.
func (r *Registry) ForgetRequests() {
	r.t.Helper()
	r.exec(`DELETE FROM idempotency_keys`)
}

// Rename gives all tenants a name and their administrators a last name.
func (r *Registry) Rename(name, adminLastName string) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET name = $1::text, name_key = lower($1::text), admin_last_name = $2`, name, adminLastName)
}

// SetAdminLastName changes the administrator of one tenant.
func (r *Registry) SetAdminLastName(name, lastName string) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET admin_last_name = $2 WHERE name = $1`, name, lastName)
}

// SetMetadata gives all tenants this metadata, a JSON object.
func (r *Registry) SetMetadata(metadata string) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET metadata = $1::jsonb`, metadata)
}

// DeleteTenants removes all tenants from the registry, without a trace.
func (r *Registry) DeleteTenants() {
	r.t.Helper()
	r.exec(`DELETE FROM tenants`)
}

// Supersede lets another run own each tenant.
func (r *Registry) Supersede() {
	r.t.Helper()
	r.exec(`UPDATE tenants SET run_epoch = run_epoch + 1, run_expires_at = NULL`)
}

// ExpireLogins lets all logins expire after this time, which is negative for the past.
func (r *Registry) ExpireLogins(in time.Duration) {
	r.t.Helper()
	r.exec(`UPDATE tenant_credentials SET expires_at = now() + $1::interval`, in)
}

// AddVersion records that a newer release has migrated the registry to a version.
func (r *Registry) AddVersion(version int) {
	r.t.Helper()
	r.exec(`INSERT INTO healthcare_migrations (version_id, is_applied) VALUES ($1, true)`, version)
}

// AddLive adds live tenants "Clinic 1" to "Clinic n", without schemas and contracts, and
// returns their ids.
func (r *Registry) AddLive(n int) []string {
	r.t.Helper()
	rows, _ := r.conn.Query(r.ctx(), `INSERT INTO tenants (id, name, name_key, schema_name, status, admin_email, admin_first_name, admin_last_name, soroban_contract_id, activated_at)
		SELECT gen_random_uuid(), 'Clinic ' || n, 'clinic ' || n, 'clinic_' || n, 'ACTIVE', 'a@b.example', 'A', 'B', repeat('C', 56), now() FROM generate_series(1, $1) n
		RETURNING id::text`, n)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	r.must(err)
	return ids
}

// LockTenants locks the rows of all tenants until release is called.
func (r *Registry) LockTenants() (release func()) {
	r.t.Helper()
	tx, err := r.conn.Begin(r.ctx())
	r.must(err)
	release = func() { _ = tx.Rollback(r.ctx()) } // The second time it does nothing.
	r.t.Cleanup(release)
	_, err = tx.Exec(r.ctx(), `SELECT 1 FROM tenants FOR UPDATE`)
	r.must(err)
	return release
}

func (r *Registry) exec(statement string, args ...any) {
	r.t.Helper()
	_, err := r.conn.Exec(r.ctx(), statement, args...)
	r.must(err)
}

// HideAPIKeys renames the table of the API keys, which verify reads when it checks the
// registry, and not when it checks a tenant.
func (r *Registry) HideAPIKeys() { r.exec(`ALTER TABLE api_keys RENAME TO hidden_api_keys`) }

// FailMail makes the welcome mails of all tenants FAILED.
func (r *Registry) FailMail() {
	r.t.Helper()
	r.exec(`UPDATE tenants SET welcome_email = 'FAILED'`)
}

// RenameTenant gives one tenant another name, which may be that of an archived one.
func (r *Registry) RenameTenant(id, name string) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET name = $2::text, name_key = lower($2::text) WHERE id = $1::uuid`, id, name)
}

// DropSchema drops the schema of a tenant, as an accident does.
func (r *Registry) DropSchema(name string) {
	r.t.Helper()
	r.exec(value[string](r, `SELECT 'DROP SCHEMA ' || quote_ident(schema_name) || ' CASCADE' FROM tenants WHERE name = $1`, name))
}
