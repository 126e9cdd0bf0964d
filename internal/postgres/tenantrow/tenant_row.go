// Package tenantrow has the columns of public.tenants and of the provisioning log: how they are
// read and locked. The stores share it.
package tenantrow

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Columns are read by Scan, in this order.
const Columns = `id, name, admin_email, admin_first_name, admin_last_name, coalesce(external_id, ''),
	metadata, coalesce(managed_by, ''), coalesce(locale, ''), allow_confusable_name, blueprint, coalesce(blueprint_revision, 0), variables, outputs, coalesce(schema_version, 0), without_contract, without_users, adopted, status, schema_name, coalesce(soroban_contract_id, ''),
	coalesce(provisioning_error, ''), welcome_email, ` + InvitationStatus + `, invitation_sent_at, invitation_expires_at, invitation_accepted_at, attempt, version,
	created_at, updated_at, activated_at, suspended_at, archived_at, purged_at, deletion_protection, coalesce(hold_reason, ''), coalesce(hold_by, ''), hold_since, job_id IS NOT NULL`

// OpenInvitation is an expression over a row of tenants: its newest invitation is PENDING or
// EXPIRED. It is the condition of an index.
const OpenInvitation = `(invitation_expires_at IS NOT NULL AND invitation_accepted_at IS NULL AND invitation_revoked_at IS NULL)`

// GetsFailureMail is an expression over a row of tenants: the failure mail of its attempt, if it
// is due, may be sent.
const GetsFailureMail = `(status = 'FAILED' AND rollback_target IS NULL)`

// InvitationStatus is an expression over a row of tenants: the invitation.Status of its newest
// invitation.
const InvitationStatus = `CASE WHEN invitation_accepted_at IS NOT NULL THEN 'ACCEPTED' WHEN invitation_revoked_at IS NOT NULL THEN 'REVOKED'
	WHEN invitation_expires_at IS NULL THEN 'NONE' WHEN invitation_expires_at <= now() THEN 'EXPIRED' ELSE 'PENDING' END`

// Behind is an expression over a row of tenants: the tenant was live, is not purged, and is at an
// older revision of its blueprint than new tenants get. The blueprint standard has no revisions: its
// newest schema version is the parameter whose number is to be filled in. No index has it.
const Behind = `(activated_at IS NOT NULL AND purged_at IS NULL AND CASE WHEN blueprint = '` + tenant.StandardBlueprint + `' THEN schema_version < $%d::integer
	ELSE blueprint_revision < (SELECT b.active_revision FROM blueprints b WHERE b.name = tenants.blueprint) END)`

// RunColumns follow Columns where the run is read too.
const RunColumns = `, run_epoch, checkpoint, coalesce(rollback_target, ''), admin_user_id, welcome_email_serial, welcome_email_claim, welcome_email_unanswered,
	` + LeaseHeld + `, run_expires_at, run_owner IS NOT NULL, coalesce(last_job_id, 0), coalesce(traceparent, '')`

// LeaseHeld is an expression over a row of tenants: a run holds the lease. One that ends more
// than twice its length from now was given before the database's clock was set back: if its
// holder lives, it renews it within a second. Tests of a lease use clock_timestamp(), because
// the transaction may have begun long ago.
const LeaseHeld = `(coalesce(run_expires_at, '-infinity') > clock_timestamp() AND (run_lease IS NULL OR run_expires_at <= clock_timestamp() + 2 * run_lease))`

// HasSchema is an expression over a row of tenants: the tenant has a schema, unless it was
// purged. One that was live and of which tenant_migrations has no version lacks something.
const HasSchema = `(tenants.activated_at IS NOT NULL OR EXISTS (SELECT FROM tenant_migrations v WHERE v.tenant_id = tenants.id))`

// SchemaMade reports whether the registry made the schema and the role of a locked tenant:
// tenant_migrations is written in the same transaction, and only by workers. Nothing else
// may be dropped.
func SchemaMade(ctx context.Context, tx pgx.Tx, id uuid.UUID) (made bool, err error) {
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM tenant_migrations WHERE tenant_id = $1)`, id).Scan(&made)
	return made, err
}

// Row is a tenant with its run.
type Row struct {
	provisioning.Run
	IsLeased       bool
	leaseExpiresAt *time.Time
	HasOwner       bool // A run has not released the tenant; its lease can have expired.
	LastJobID      int64
}

// nullableTimes are the times of a tenant that may be NULL.
type nullableTimes struct{ activated, suspended, archived, purged, sent, expires, accepted, held *time.Time }

func scanTargets(t *tenant.Tenant, optional *nullableTimes) []any {
	return []any{
		&t.ID, &t.Name, &t.AdminEmail, &t.AdminFirstName, &t.AdminLastName, &t.ExternalID,
		&t.Metadata, &t.ManagedBy, &t.Locale, &t.AllowConfusableName, &t.Blueprint, &t.BlueprintRevision, &t.Variables, &t.Outputs, &t.SchemaVersion, &t.WithoutContract, &t.WithoutUsers, &t.Adopted, &t.Status, &t.SchemaName, &t.ContractID,
		&t.ProvisioningError, &t.WelcomeEmail, &t.Invitation.Status, &optional.sent, &optional.expires, &optional.accepted, &t.Attempt, &t.Version,
		&t.CreatedAt, &t.UpdatedAt, &optional.activated, &optional.suspended, &optional.archived, &optional.purged,
		&t.DeletionProtection, &t.Hold.Reason, &t.Hold.By, &optional.held, &t.Queued,
	}
}

func setDerived(t *tenant.Tenant, optional nullableTimes) {
	set := func(target *time.Time, value *time.Time) {
		if value != nil {
			*target = *value
		}
	}
	set(&t.ActivatedAt, optional.activated)
	set(&t.SuspendedAt, optional.suspended)
	set(&t.ArchivedAt, optional.archived)
	set(&t.Hold.Since, optional.held)
	set(&t.PurgedAt, optional.purged)
	set(&t.Invitation.SentAt, optional.sent)
	set(&t.Invitation.ExpiresAt, optional.expires)
	set(&t.Invitation.AcceptedAt, optional.accepted)
	if len(t.Metadata) == 0 {
		t.Metadata = nil
	}
	if len(t.Variables) == 0 {
		t.Variables = nil
	}
	if len(t.Outputs) == 0 {
		t.Outputs = nil
	}
	t.DatabaseRole = tenant.DatabaseRole(t.SchemaName, t.ID)
}

// Scan reads a tenant.
func Scan(r pgx.CollectableRow) (tenant.Tenant, error) { return ScanAnd(r) }

// ScanAnd reads a tenant and the columns that follow it.
func ScanAnd(r pgx.CollectableRow, more ...any) (tenant.Tenant, error) {
	var (
		t    tenant.Tenant
		late nullableTimes
	)
	err := r.Scan(append(scanTargets(&t, &late), more...)...)
	setDerived(&t, late)
	return t, err
}

// ScanRun reads a tenant with its run.
func ScanRun(r pgx.CollectableRow) (Row, error) { return scanRunAnd(r) }

// ScanClaim reads a run and the duration of its CREATE_TENANT_RECORD.
func ScanClaim(r pgx.CollectableRow) (Row, error) {
	var recorded time.Duration
	out, err := scanRunAnd(r, &recorded)
	out.Recorded = recorded
	return out, err
}

// scanRunAnd reads a run and the columns that follow it.
func scanRunAnd(r pgx.CollectableRow, more ...any) (Row, error) {
	var (
		out  Row
		user *[16]byte
		late nullableTimes
	)
	targets := append(scanTargets(&out.Tenant, &late),
		&out.Epoch, &out.Checkpoint, &out.Rollback, &user, &out.MailSerial, &out.MailClaim, &out.Unanswered, &out.IsLeased, &out.leaseExpiresAt, &out.HasOwner, &out.LastJobID, &out.Traceparent)
	err := r.Scan(append(targets, more...)...)
	setDerived(&out.Tenant, late)
	if user != nil {
		out.AdminUser = *user
	}
	return out, err
}

// Lock reads a tenant and locks its row until tx ends.
func Lock(ctx context.Context, tx pgx.Tx, id uuid.UUID) (Row, error) {
	rows, _ := tx.Query(ctx, `SELECT `+Columns+RunColumns+` FROM tenants WHERE id = $1 FOR UPDATE`, id)
	locked, err := pgx.CollectExactlyOneRow(rows, ScanRun)
	if errors.Is(err, pgx.ErrNoRows) {
		return locked, errs.Errorf(errs.KindNotFound, "read tenant", "there is no tenant %s", id)
	}
	return locked, err
}

// LeasedError returns the error for a tenant that another run holds.
func (r Row) LeasedError(op string) error {
	err := errs.Errorf(errs.KindConflict, op,
		"tenant %q (%s) is being provisioned by another run right now; wait for it to end", r.Tenant.Name, r.Tenant.ID)
	err.Lease = &errs.LeaseInfo{Epoch: r.Epoch, Until: *r.leaseExpiresAt}
	return err
}

// Query reads one tenant. KindNotFound, with the message, when there is none.
func Query(ctx context.Context, db *pgdb.DB, op, notFound, query string, args ...any) (tenant.Tenant, error) {
	pool, err := db.ReadyPool(ctx)
	if err != nil {
		return tenant.Tenant{}, err
	}
	rows, err := pool.Query(ctx, query, args...)
	if err != nil {
		return tenant.Tenant{}, pgdb.Classify(err, op)
	}
	t, err := pgx.CollectExactlyOneRow(rows, Scan)
	if errors.Is(err, pgx.ErrNoRows) {
		return t, errs.Errorf(errs.KindNotFound, op, "%s", notFound)
	}
	return t, pgdb.Classify(err, op)
}

// Get reads one tenant. KindNotFound when there is none.
func Get(ctx context.Context, db *pgdb.DB, id uuid.UUID) (tenant.Tenant, error) {
	return Query(ctx, db, "read tenant", "there is no tenant "+id.String(),
		`SELECT `+Columns+` FROM tenants WHERE id = $1`, id)
}

// RoleName is an SQL expression for the name of a tenant's role, as tenant.DatabaseRole has
// it, over a row of tenants under an alias.
func RoleName(alias string) string {
	return `(` + alias + `.schema_name || '_' || right(` + alias + `.id::text, 8))::name`
}
