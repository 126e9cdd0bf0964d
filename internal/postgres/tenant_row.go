package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// tenantColumns are read by scanTenant, in this order.
const tenantColumns = `id, name, admin_email, admin_first_name, admin_last_name, coalesce(external_id, ''),
	metadata, coalesce(managed_by, ''), status, schema_name, coalesce(soroban_contract_id, ''),
	coalesce(provisioning_error, ''), welcome_email, attempt, version,
	created_at, updated_at, activated_at, archived_at, purged_at, job_id IS NOT NULL`

// runColumns follow tenantColumns where the run is read too.
const runColumns = `, run_epoch, checkpoint, coalesce(rollback_target, ''), admin_user_id, welcome_email_serial,
	coalesce(run_expires_at, '-infinity') > clock_timestamp(), run_expires_at, coalesce(last_job_id, 0)`

// tenantRow is a tenant with its run.
type tenantRow struct {
	provisioning.Run
	isLeased       bool
	leaseExpiresAt *time.Time
	lastJobID      int64
}

// nullableTimes are those of a tenant that may not have come yet.
type nullableTimes struct{ activated, archived, purged *time.Time }

func scanTargets(t *tenant.Tenant, optional *nullableTimes) []any {
	return []any{
		&t.ID, &t.Name, &t.AdminEmail, &t.AdminFirstName, &t.AdminLastName, &t.ExternalID,
		&t.Metadata, &t.ManagedBy, &t.Status, &t.SchemaName, &t.ContractID,
		&t.ProvisioningError, &t.WelcomeEmail, &t.Attempt, &t.Version,
		&t.CreatedAt, &t.UpdatedAt, &optional.activated, &optional.archived, &optional.purged, &t.Queued,
	}
}

func setDerived(t *tenant.Tenant, optional nullableTimes) {
	set := func(target *time.Time, value *time.Time) {
		if value != nil {
			*target = *value
		}
	}
	set(&t.ActivatedAt, optional.activated)
	set(&t.ArchivedAt, optional.archived)
	set(&t.PurgedAt, optional.purged)
	if len(t.Metadata) == 0 {
		t.Metadata = nil
	}
	t.DatabaseRole = tenant.DatabaseRole(t.SchemaName, t.ID)
}

func scanTenant(r pgx.CollectableRow) (tenant.Tenant, error) { return scanTenantAnd(r) }

// scanTenantAnd reads a tenant and the columns that follow it.
func scanTenantAnd(r pgx.CollectableRow, more ...any) (tenant.Tenant, error) {
	var (
		t    tenant.Tenant
		late nullableTimes
	)
	err := r.Scan(append(scanTargets(&t, &late), more...)...)
	setDerived(&t, late)
	return t, err
}

func scanRun(r pgx.CollectableRow) (tenantRow, error) { return scanRunAnd(r) }

// scanClaim reads a run and what the record of its attempt took.
func scanClaim(r pgx.CollectableRow) (tenantRow, error) {
	var recorded time.Duration
	out, err := scanRunAnd(r, &recorded)
	out.Recorded = recorded
	return out, err
}

// scanRunAnd reads a run and the columns that follow it.
func scanRunAnd(r pgx.CollectableRow, more ...any) (tenantRow, error) {
	var (
		out  tenantRow
		user *[16]byte
		late nullableTimes
	)
	targets := append(scanTargets(&out.Tenant, &late),
		&out.Epoch, &out.Checkpoint, &out.Rollback, &user, &out.MailSerial, &out.isLeased, &out.leaseExpiresAt, &out.lastJobID)
	err := r.Scan(append(targets, more...)...)
	setDerived(&out.Tenant, late)
	if user != nil {
		out.AdminUser = *user
	}
	return out, err
}

// lockTenant reads a tenant and locks its row until tx ends.
func lockTenant(ctx context.Context, tx pgx.Tx, id uuid.UUID) (tenantRow, error) {
	rows, _ := tx.Query(ctx, `SELECT `+tenantColumns+runColumns+` FROM tenants WHERE id = $1 FOR UPDATE`, id)
	locked, err := pgx.CollectExactlyOneRow(rows, scanRun)
	if errors.Is(err, pgx.ErrNoRows) {
		return locked, errs.Errorf(errs.KindNotFound, "read tenant", "there is no tenant %s", id)
	}
	return locked, err
}

// leasedError returns the error for a tenant that another run holds.
func (r tenantRow) leasedError(op string) error {
	err := errs.Errorf(errs.KindConflict, op,
		"tenant %q (%s) is being provisioned by another run right now; wait for it to end", r.Tenant.Name, r.Tenant.ID)
	err.Lease = &errs.LeaseInfo{Epoch: r.Epoch, Until: *r.leaseExpiresAt}
	return err
}

// purged returns the error for a tenant that was purged.
func purged(t tenant.Tenant, op string) error {
	return errs.Errorf(errs.KindConflict, op,
		"the tenant was purged on %s: its data are deleted for good", t.PurgedAt.UTC().Format(time.DateOnly))
}

// queryTenant reads one tenant. KindNotFound, with the message, when there is none.
func queryTenant(ctx context.Context, db *Database, op, notFound, query string, args ...any) (tenant.Tenant, error) {
	pool, err := db.readyPool(ctx)
	if err != nil {
		return tenant.Tenant{}, err
	}
	rows, err := pool.Query(ctx, query, args...)
	if err != nil {
		return tenant.Tenant{}, classify(err, op)
	}
	t, err := pgx.CollectExactlyOneRow(rows, scanTenant)
	if errors.Is(err, pgx.ErrNoRows) {
		return t, errs.Errorf(errs.KindNotFound, op, "%s", notFound)
	}
	return t, classify(err, op)
}

// getTenant reads one tenant. KindNotFound when there is none.
func getTenant(ctx context.Context, db *Database, id uuid.UUID) (tenant.Tenant, error) {
	return queryTenant(ctx, db, "read tenant", "there is no tenant "+id.String(),
		`SELECT `+tenantColumns+` FROM tenants WHERE id = $1`, id)
}
