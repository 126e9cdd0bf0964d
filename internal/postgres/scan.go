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
	created_at, updated_at, activated_at, archived_at`

// runColumns follow tenantColumns where the run is read too.
const runColumns = `, run_epoch, checkpoint::text, coalesce(undo::text, ''), admin_user_id, welcome_email_serial,
	coalesce(run_expires_at, '-infinity') > clock_timestamp(), run_expires_at`

// row is a tenant with its run.
type row struct {
	provisioning.Run
	leased    bool
	expiresAt *time.Time
}

func tenantTargets(t *provisioning.Tenant, activated, archived **time.Time) []any {
	return []any{
		&t.ID, &t.Name, &t.AdminEmail, &t.AdminFirstName, &t.AdminLastName, &t.ExternalID,
		&t.Metadata, &t.ManagedBy, &t.Status, &t.SchemaName, &t.ContractID,
		&t.ProvisioningError, &t.WelcomeEmail, &t.Attempt, &t.Version,
		&t.CreatedAt, &t.UpdatedAt, activated, archived,
	}
}

func complete(t *provisioning.Tenant, activated, archived *time.Time) {
	if activated != nil {
		t.ActivatedAt = *activated
	}
	if archived != nil {
		t.ArchivedAt = *archived
	}
	if len(t.Metadata) == 0 {
		t.Metadata = nil
	}
	t.DatabaseRole = provisioning.DatabaseRole(t.SchemaName, t.ID)
}

func scanTenant(r pgx.CollectableRow) (provisioning.Tenant, error) {
	var (
		t                   provisioning.Tenant
		activated, archived *time.Time
	)
	err := r.Scan(tenantTargets(&t, &activated, &archived)...)
	complete(&t, activated, archived)
	return t, err
}

func scanRun(r pgx.CollectableRow) (row, error) {
	var (
		out                 row
		user                *[16]byte
		activated, archived *time.Time
	)
	targets := append(tenantTargets(&out.Tenant, &activated, &archived),
		&out.Epoch, &out.Checkpoint, &out.Undo, &user, &out.MailSerial, &out.leased, &out.expiresAt)
	err := r.Scan(targets...)
	complete(&out.Tenant, activated, archived)
	if user != nil {
		out.AdminUser = *user
	}
	return out, err
}
