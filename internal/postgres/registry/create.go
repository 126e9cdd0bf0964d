package registry

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/passwordhash"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/runs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// Creations records new tenants, and queues them.
type Creations struct {
	db    *pgdb.DB
	queue Queue // Nil unless UseQueue was called.
	// hash makes the stored form of a password.
	hash func(context.Context, tenant.Password) (string, error)
}

// NewCreations returns the creations of a database.
func NewCreations(db *pgdb.DB) *Creations { return &Creations{db: db, hash: passwordhash.Hash} }

// UseQueue sets the queue of Submit and Requeue. It must be called before them.
func (s *Creations) UseQueue(q Queue) { s.queue = q }

// maxCreateAttempts is how often a creation is tried that conflicts with others.
const maxCreateAttempts = 10

// existingPredicate matches the tenants that conflict with a new tenant of that name
// or external id: a live one, or one that was never live and can be
// continued. A purged tenant is final and has neither.
const existingPredicate = `purged_at IS NULL AND
	((name_key = @name_key::text AND (activated_at IS NULL OR status IN ('ACTIVE', 'SUSPENDED'))) OR external_id = nullif(@external_id::text, ''))`

// holdsName matches the tenants that hold their name.
const holdsName = `status IN ('PENDING', 'PROVISIONING', 'ACTIVE', 'SUSPENDED')`

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Create records and claims a draft, or returns the existing tenant. The usual case is
// one statement: one round trip and one commit.
func (s *Creations) Create(ctx context.Context, d tenant.Draft, lease provisioning.LeaseRequest) (provisioning.Creation, error) {
	const op = "record tenant"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return provisioning.Creation{}, err
	}
	if d.AdminPassword != "" {
		if creation, found, err := s.existingBlocking(ctx, d); found || err != nil {
			return creation, err
		}
	}
	hash, err := s.hash(ctx, d.AdminPassword)
	if err != nil {
		return provisioning.Creation{}, err
	}
	for attempt := 1; ; attempt++ {
		created, found, err := insertTenant(ctx, pool, d, hash, &lease)
		creation := provisioning.Creation{Tenant: created.Tenant, Run: &created.Run}
		if err == nil && !found {
			err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
				creation, found, err = claimExisting(ctx, tx, d, hash, lease)
				return err
			})
		}
		switch {
		case err != nil:
			return provisioning.Creation{Tenant: creation.Tenant}, pgdb.Classify(err, op)
		case found:
			return creation, nil
		case attempt == maxCreateAttempts:
			return provisioning.Creation{}, errNameContention
		}
		regenerateSchemaName(&d, attempt)
	}
}

var errNameContention = errs.Errorf(errs.KindTransient, "record tenant", "other tenants with similar names are being created; retry")

// regenerateSchemaName is for a draft that was not recorded although its name is free:
// its schema name was taken, or the tenant with the name was just removed.
func regenerateSchemaName(d *tenant.Draft, attempt int) {
	d.RegenerateSchemaName(time.Now().Add(time.Duration(attempt) * time.Millisecond))
}

// insertTenant records and, with a lease, claims in one statement. A claimed record
// does not wait for the disk: no caller has seen it, nothing outside was done for it,
// and the next commit, that of the schema, makes it durable too. A record without a
// claim is returned to the caller, so it waits.
func insertTenant(ctx context.Context, q querier, d tenant.Draft, hash string, lease *provisioning.LeaseRequest) (tenantrow.Row, bool, error) {
	status, owner, epoch := tenant.StatusPending, "", 0
	var ttl *time.Duration
	if lease != nil {
		status, owner, epoch, ttl = tenant.StatusProvisioning, lease.Owner, 1, &lease.TTL
	}
	detail := map[string]any{"name": d.Name, "schemaName": d.SchemaName}
	if d.Blueprint != tenant.StandardBlueprint {
		detail["blueprint"], detail["variables"] = d.Blueprint, d.Variables
	}
	if hash != "" {
		detail["adminPassword"] = "set"
	}
	look := tenant.LookOf(d.Name)
	args := pgx.StrictNamedArgs{
		"id": d.ID, "name": d.Name, "name_key": tenant.NameKey(d.Name), "name_skeleton": look.Skeleton, "name_scripts": look.Scripts, "allow_confusable_name": d.AllowConfusableName, "schema_name": d.SchemaName, "status": status,
		"admin_email": d.AdminEmail, "admin_first_name": d.AdminFirstName, "admin_last_name": d.AdminLastName,
		"external_id": d.ExternalID, "metadata": notNil(d.Metadata), "managed_by": d.ManagedBy, "locale": d.Locale, "blueprint": d.Blueprint, "variables": notNil(d.Variables),
		"deletion_protection": d.DeletionProtection, "without_contract": d.WithoutContract, "without_users": d.WithoutUsers,
		"traceparent": tracing.Stored(ctx), "owner": owner, "epoch": epoch, "ttl": ttl, "password_hash": hash,
	}
	auditlog.AddArgs(ctx, args, audit.ActionCreate, detail)
	rows, err := q.Query(ctx, `WITH fresh AS (
			INSERT INTO tenants (id, name, name_key, name_skeleton, name_scripts, allow_confusable_name, schema_name, status, admin_email, admin_first_name, admin_last_name,
			                     external_id, metadata, managed_by, locale, blueprint, variables, deletion_protection, without_contract, without_users, run_owner, run_epoch, run_expires_at, run_lease,
			                     admin_password_hash, traceparent, audit_seq, audit_head)
			SELECT @id::uuid, @name::text, @name_key::text, @name_skeleton::bytea, @name_scripts::text, @allow_confusable_name::boolean, @schema_name::text, @status::text, @admin_email::text,
			       @admin_first_name::text, @admin_last_name::text, nullif(@external_id::text, ''), @metadata::jsonb,
			       nullif(@managed_by::text, ''), nullif(@locale::text, ''), @blueprint::text, @variables::jsonb, coalesce(@deletion_protection::boolean, false), @without_contract::boolean, @without_users::boolean, nullif(@owner::text, ''), @epoch::bigint,
			       clock_timestamp() + @ttl::interval, @ttl::interval, nullif(@password_hash::text, ''), nullif(@traceparent::text, ''), 1,
			       audit_hash(NULL, @id::uuid, 1, now(), @audit_action::text, 'DONE', @audit_salt::uuid, @audit_actor::jsonb, @audit_detail::jsonb)
			WHERE NOT EXISTS (SELECT FROM tenants WHERE `+existingPredicate+`)
			ON CONFLICT DO NOTHING
			RETURNING *
		), audited AS (`+auditlog.InsertSQL("fresh")+`
		), logged AS (`+tenantrow.LogCreatedSQL("fresh")+` RETURNING *
		) SELECT `+tenantrow.Columns+tenantrow.RunColumns+`, (SELECT `+tenantrow.LogDuration+` FROM logged) FROM fresh
		WHERE CASE WHEN @owner::text = '' THEN true ELSE (SELECT set_config('synchronous_commit', 'off', true)) = 'off' END`, args)
	if err != nil {
		return tenantrow.Row{}, false, err
	}
	created, err := pgx.CollectExactlyOneRow(rows, tenantrow.ScanClaim)
	if errors.Is(err, pgx.ErrNoRows) {
		return tenantrow.Row{}, false, nil
	}
	created.Owner = owner
	return created, err == nil, err
}

// notNil replaces a nil map, which would be NULL.
func notNil(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// InsertAdopted records and claims the tenant of a schema that exists.
func InsertAdopted(ctx context.Context, tx pgx.Tx, d tenant.Draft, sendMail bool, lease provisioning.LeaseRequest) (provisioning.Run, error) {
	created, ok, err := insertTenant(ctx, tx, d, "", &lease)
	if err != nil {
		return provisioning.Run{}, err
	}
	if !ok {
		existing, _, err := findExisting(ctx, tx, d)
		if err == nil {
			err = provisioning.ErrTenantExists(existing.Tenant, d.Inputs)
		}
		return provisioning.Run{}, err
	}
	mail := tenant.WelcomeEmailSkipped
	if sendMail {
		mail = tenant.WelcomeEmailPending
	}
	_, err = tx.Exec(ctx, `UPDATE tenants SET adopted = true, welcome_email = $2 WHERE id = $1`, created.Tenant.ID, mail)
	created.Tenant.Adopted, created.Tenant.WelcomeEmail = true, mail
	return created.Run, err
}

// findExisting locks the existing tenant that conflicts with the draft; found is false
// when there is none.
func findExisting(ctx context.Context, tx pgx.Tx, d tenant.Draft) (existing tenantrow.Row, found bool, err error) {
	rows, _ := tx.Query(ctx, `SELECT `+tenantrow.Columns+tenantrow.RunColumns+` FROM tenants WHERE `+existingPredicate+`
		ORDER BY external_id IS NOT DISTINCT FROM nullif(@external_id::text, '') AND external_id IS NOT NULL DESC,
		         `+holdsName+` DESC, created_at DESC
		FOR UPDATE`, pgx.StrictNamedArgs{"name_key": tenant.NameKey(d.Name), "external_id": d.ExternalID})
	all, err := pgx.CollectRows(rows, tenantrow.ScanRun)
	if err != nil || len(all) == 0 {
		return tenantrow.Row{}, false, err
	}
	for _, other := range all {
		if !tenant.Visible(ctx).Matches(other.Tenant.Metadata) {
			return tenantrow.Row{}, false, errTaken(other.Tenant, d.Inputs)
		}
	}
	for _, other := range all[1:] {
		if other.Tenant.Status.OccupiesName() {
			return all[0], true, &errs.Error{
				Kind: errs.KindConflict, Op: "record tenant",
				Message: "the external id belongs to tenant " + all[0].Tenant.ID.String() + " and the name to tenant " + other.Tenant.ID.String(),
				Fields:  []errs.FieldError{{Field: "name", Message: "is the name of another live tenant"}},
			}
		}
	}
	return all[0], true, nil
}

// errTaken says of a tenant that the caller does not see only that it has the wanted external id or
// name, and not which tenant it is.
func errTaken(t tenant.Tenant, wanted tenant.Inputs) error {
	field, words := "name", "name"
	if wanted.ExternalID != "" && wanted.ExternalID == t.ExternalID {
		field, words = "externalId", "external id"
	}
	return &errs.Error{
		Kind: errs.KindConflict, Op: "create tenant", Message: "another tenant has this " + words + "; choose another one",
		Fields: []errs.FieldError{{Field: field, Message: "is taken"}},
	}
}

// existingBlocking finds a tenant that blocks the draft. It is for drafts whose
// password would have to be hashed first: a caller that waits for a leased tenant
// polls often.
func (s *Creations) existingBlocking(ctx context.Context, d tenant.Draft) (creation provisioning.Creation, found bool, err error) {
	err = s.db.InTx(ctx, "record tenant", func(tx pgx.Tx) error {
		existing, exists, err := findExisting(ctx, tx, d)
		creation.Tenant, found = existing.Tenant, exists && existing.Tenant.WasLive()
		if err == nil && exists && !found && existing.IsLeased {
			return existing.LeasedError("record tenant")
		}
		return err
	})
	return creation, found, err
}

// claimExisting claims the existing tenant and gives it the draft's inputs, if the
// tenant was never live and has no run or job.
func claimExisting(ctx context.Context, tx pgx.Tx, d tenant.Draft, hash string, lease provisioning.LeaseRequest) (provisioning.Creation, bool, error) {
	existing, exists, err := findExisting(ctx, tx, d)
	creation := provisioning.Creation{Tenant: existing.Tenant}
	switch {
	case err != nil || !exists || existing.Tenant.WasLive():
		return creation, exists, err
	case existing.IsLeased:
		return creation, true, existing.LeasedError("record tenant")
	case d.Blueprint != existing.Tenant.Blueprint:
		return creation, true, provisioning.ErrOtherBlueprint(existing.Tenant, d.Blueprint)
	}
	if err := replaceName(ctx, tx, existing.Tenant, d.Inputs); err != nil {
		return creation, true, err
	}
	run, err := runs.ClaimLocked(ctx, tx, existing, provisioning.ClaimRetry, lease)
	if err != nil {
		return creation, true, err
	}
	keepName(&run.Tenant, existing.Tenant)
	if run.Tenant, err = replaceInputs(ctx, tx, run, d.Inputs, hash); err != nil {
		return creation, true, err
	}
	return provisioning.Creation{Tenant: run.Tenant, Run: &run, Continued: true}, true, nil
}

// replaceName gives a tenant that is continued its new name before it holds one again: the old name
// may be another tenant's by now, or look like it.
func replaceName(ctx context.Context, tx pgx.Tx, t tenant.Tenant, in tenant.Inputs) error {
	if t.Name == in.Name && t.AllowConfusableName == in.AllowConfusableName {
		return nil
	}
	look := tenant.LookOf(in.Name)
	_, err := tx.Exec(ctx, `UPDATE tenants SET name = $2, name_key = $3, name_skeleton = $4, name_scripts = $5, allow_confusable_name = $6 WHERE id = $1`,
		t.ID, in.Name, tenant.NameKey(in.Name), look.Skeleton, look.Scripts, in.AllowConfusableName)
	return err
}

// keepName undoes replaceName in a tenant that was read after it, so that replaceInputs records the change.
func keepName(t *tenant.Tenant, before tenant.Tenant) {
	t.Name, t.AllowConfusableName = before.Name, before.AllowConfusableName
}

// replaceInputs replaces the inputs of a continued tenant by those of the draft.
func replaceInputs(ctx context.Context, tx pgx.Tx, run provisioning.Run, in tenant.Inputs, hash string) (tenant.Tenant, error) {
	password, err := passwordChange(ctx, tx, run.Tenant.ID, hash)
	if err != nil || password == nil && in.Equal(run.Tenant.Inputs()) && !changesProtection(run.Tenant, in) {
		return run.Tenant, err
	}
	if run.Rollback != provisioning.RollbackNone {
		run.AdminUser = uuid.Nil // It is dropped with the schema; the next attempt creates another.
	}
	return writeInputs(ctx, tx, run, in, password)
}

// passwordChange is the change of the password hash of a continued tenant: the new
// request's hash, or none in place of an earlier one. It is nil when nothing changes.
func passwordChange(ctx context.Context, tx pgx.Tx, tenantID uuid.UUID, hash string) (*string, error) {
	if hash != "" {
		return &hash, nil
	}
	var hasStored bool
	err := tx.QueryRow(ctx, `SELECT admin_password_hash IS NOT NULL FROM tenants WHERE id = $1`, tenantID).Scan(&hasStored)
	if err != nil || !hasStored {
		return nil, err
	}
	return &hash, nil
}
