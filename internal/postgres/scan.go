package postgres

import (
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// tenantColumns are read by scanTenant, in this order.
const tenantColumns = `id, name, admin_email, admin_first_name, admin_last_name, coalesce(external_id, ''),
	metadata, coalesce(managed_by, ''), status::text, schema_name, coalesce(soroban_contract_id, ''),
	coalesce(provisioning_error, ''), welcome_email::text, attempt, version,
	created_at, updated_at, activated_at, archived_at, purged_at, job_id IS NOT NULL`

// runColumns follow tenantColumns where the run is read too.
const runColumns = `, run_epoch, checkpoint::text, coalesce(undo::text, ''), admin_user_id, welcome_email_serial,
	coalesce(run_expires_at, '-infinity') > clock_timestamp(), run_expires_at, coalesce(last_job_id, 0)`

// row is a tenant with its run.
type row struct {
	provisioning.Run
	leased    bool
	expiresAt *time.Time
	lastJob   int64
}

// times are those of a tenant that may not have come yet.
type times struct{ activated, archived, purged *time.Time }

func tenantTargets(t *provisioning.Tenant, late *times) []any {
	return []any{
		&t.ID, &t.Name, &t.AdminEmail, &t.AdminFirstName, &t.AdminLastName, &t.ExternalID,
		&t.Metadata, &t.ManagedBy, &t.Status, &t.SchemaName, &t.ContractID,
		&t.ProvisioningError, &t.WelcomeEmail, &t.Attempt, &t.Version,
		&t.CreatedAt, &t.UpdatedAt, &late.activated, &late.archived, &late.purged, &t.Queued,
	}
}

func complete(t *provisioning.Tenant, late times) {
	set := func(at *time.Time, value *time.Time) {
		if value != nil {
			*at = *value
		}
	}
	set(&t.ActivatedAt, late.activated)
	set(&t.ArchivedAt, late.archived)
	set(&t.PurgedAt, late.purged)
	if len(t.Metadata) == 0 {
		t.Metadata = nil
	}
	t.DatabaseRole = provisioning.DatabaseRole(t.SchemaName, t.ID)
}

func scanTenant(r pgx.CollectableRow) (provisioning.Tenant, error) { return scanTenantAnd(r) }

// scanTenantAnd reads a tenant and the columns that follow it.
func scanTenantAnd(r pgx.CollectableRow, more ...any) (provisioning.Tenant, error) {
	var (
		t    provisioning.Tenant
		late times
	)
	err := r.Scan(append(tenantTargets(&t, &late), more...)...)
	complete(&t, late)
	return t, err
}

func scanRun(r pgx.CollectableRow) (row, error) { return scanRunAnd(r) }

// scanClaim reads a run and what the record of its attempt took.
func scanClaim(r pgx.CollectableRow) (row, error) {
	var recorded time.Duration
	out, err := scanRunAnd(r, &recorded)
	out.Recorded = recorded
	return out, err
}

// scanRunAnd reads a run and the columns that follow it.
func scanRunAnd(r pgx.CollectableRow, more ...any) (row, error) {
	var (
		out  row
		user *[16]byte
		late times
	)
	targets := append(tenantTargets(&out.Tenant, &late),
		&out.Epoch, &out.Checkpoint, &out.Undo, &user, &out.MailSerial, &out.leased, &out.expiresAt, &out.lastJob)
	err := r.Scan(append(targets, more...)...)
	complete(&out.Tenant, late)
	if user != nil {
		out.AdminUser = *user
	}
	return out, err
}
