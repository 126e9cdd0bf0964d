//go:build unix

package registrytest

import (
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Epoch is the epoch of the last claim of the only tenant.
func (r *Registry) Epoch() int {
	r.t.Helper()
	return value[int](r, `SELECT run_epoch FROM tenants WHERE id::text = $1`, r.Tenant().ID)
}

// Claim lets a run claim each tenant, with a lease that ends after this time, which is
// negative for the past.
func (r *Registry) Claim(lease time.Duration) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET status = 'PROVISIONING', run_epoch = run_epoch + 1, run_expires_at = now() + $1::interval, run_lease = $1::interval`, lease)
}

// Unclaim makes all tenants PENDING, as before their first run.
func (r *Registry) Unclaim() {
	r.t.Helper()
	r.exec(`UPDATE tenants SET status = 'PENDING', run_owner = NULL, run_epoch = 0, run_expires_at = NULL`)
}

// ExpireLeases lets all leases expire, as of some time ago: their processes have died.
func (r *Registry) ExpireLeases(ago time.Duration) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET run_expires_at = now() - $1::interval WHERE run_expires_at IS NOT NULL`, ago)
}

// EndLeases lets all runs release their tenants.
func (r *Registry) EndLeases() {
	r.t.Helper()
	r.exec(`UPDATE tenants SET run_expires_at = NULL`)
}

// BeginRollbacks lets all runs begin a rollback to FAILED.
func (r *Registry) BeginRollbacks() {
	r.t.Helper()
	r.exec(`UPDATE tenants SET rollback_target = 'FAILED'`)
}

// SetStepsUpdated sets when all steps were updated, from now.
func (r *Registry) SetStepsUpdated(in time.Duration) {
	r.t.Helper()
	r.exec(`UPDATE provisioning_logs SET updated_at = now() + $1::interval`, in)
}

// EndJobs takes the job from all tenants and gives them this status; the error is that of
// the last attempt, "" for none.
func (r *Registry) EndJobs(status tenant.Status, err string) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET job_id = NULL, status = $1::text, archived_at = CASE WHEN $1::text = 'ARCHIVED' THEN now() END, provisioning_error = nullif($2, '')`, string(status), err)
}

// Activate takes the job from all tenants and makes them ACTIVE with a contract, without
// the steps.
func (r *Registry) Activate() {
	r.t.Helper()
	r.exec(`UPDATE tenants SET job_id = NULL, status = 'ACTIVE', activated_at = now(), soroban_contract_id = 'C'`)
}

// ReplaceJobs gives all tenants another job.
func (r *Registry) ReplaceJobs(job string) {
	r.t.Helper()
	r.exec(`UPDATE tenants SET job_id = $1::text::bigint`, job)
}

// Jobs are the job that must still complete a tenant, "" for none, and its newest job.
func (r *Registry) Jobs(tenantID string) (open, newest string) {
	r.t.Helper()
	r.must(r.conn.QueryRow(r.ctx(), `SELECT coalesce(job_id::text, ''), coalesce(last_job_id::text, '') FROM tenants WHERE id::text = $1`, tenantID).Scan(&open, &newest))
	return open, newest
}

// UnfinishedRuns describes the runs of the tenants that are not ACTIVE, for the message of
// a test that failed.
func (r *Registry) UnfinishedRuns() string {
	r.t.Helper()
	return value[string](r, `SELECT coalesce(string_agg(concat_ws(' ', id, status, rollback_target, job_id, run_epoch, run_expires_at), E'\n'), '')
		FROM tenants WHERE status <> 'ACTIVE'`)
}

// AddFailed adds FAILED tenants of a day ago, "N1" to "Nn", each with one audit event.
func (r *Registry) AddFailed(n int) {
	r.t.Helper()
	r.exec(`INSERT INTO tenants (id, name, name_key, schema_name, status, admin_email, admin_first_name, admin_last_name, created_at)
		SELECT gen_random_uuid(), 'N' || i, 'n' || i, 'n_' || i, 'FAILED', 'a@b.example', 'A', 'B', now() - interval '1 day' FROM generate_series(1, $1) i`, n)
	r.exec(`SELECT audit_append(id, 'tenant.fail', 'DONE', '{}', '{}') FROM tenants WHERE status = 'FAILED'`)
}

// RunEpochs is the sum of the tenants' run epochs: each claim adds one.
func (r *Registry) RunEpochs() int64 {
	r.t.Helper()
	return value[int64](r, `SELECT coalesce(sum(run_epoch), 0)::bigint FROM tenants`)
}
