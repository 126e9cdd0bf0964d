package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// createTries bounds how often a creation that lost a race looks again.
const createTries = 10

// standingWhere matches what a new tenant of that name ($1) or external id ($2) has
// to deal with: a live one, or one that never went live and can be continued. A purged
// tenant is final, and holds neither.
const standingWhere = `purged_at IS NULL AND
	((name_key = $1::text AND (activated_at IS NULL OR status = 'ACTIVE')) OR external_id = nullif($2::text, ''))`

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Create records and claims a draft, or finds what stands where it would go. The
// usual case is one statement: one round trip and one commit.
func (db *DB) Create(ctx context.Context, d provisioning.Draft, lease provisioning.LeaseRequest) (provisioning.Creation, error) {
	const op = "record tenant"
	pool, err := db.ready(ctx)
	if err != nil {
		return provisioning.Creation{}, err
	}
	if d.AdminPassword != "" {
		if creation, found, err := db.inTheWay(ctx, d); found || err != nil {
			return creation, err
		}
	}
	hash, err := hashed(ctx, d.AdminPassword)
	if err != nil {
		return provisioning.Creation{}, err
	}
	for try := 1; ; try++ {
		made, found, err := insert(ctx, pool, d, hash, &lease)
		creation := provisioning.Creation{Tenant: made.Tenant, Run: &made.Run}
		if err == nil && !found {
			err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
				creation, found, err = takeStanding(ctx, tx, d, hash, lease)
				return err
			})
		}
		switch {
		case err != nil:
			return provisioning.Creation{Tenant: creation.Tenant}, failure(err, op)
		case found:
			return creation, nil
		case try == createTries:
			return provisioning.Creation{}, errCrowded
		}
		renumber(&d, try)
	}
}

var errCrowded = provisioning.Errorf(provisioning.KindTransient, "record tenant", "other tenants of similar names are being created right now")

// renumber is for when nobody has the name and the draft could not be recorded
// all the same: the schema name clashed, or the one who had the name is gone.
func renumber(d *provisioning.Draft, try int) {
	d.Renumber(time.Now().Add(time.Duration(try) * time.Millisecond))
}

// insert records and, with a lease, claims in one statement. A claimed record
// does not wait for the disk: nobody has been told of it, nothing outside has
// been done for it, and the commit of the schema, which comes next, makes it
// durable too. A record without a claim is an answer to somebody and waits.
func insert(ctx context.Context, q querier, d provisioning.Draft, hash string, lease *provisioning.LeaseRequest) (row, bool, error) {
	status, owner, epoch := provisioning.StatusPending, "", 0
	var ttl *time.Duration
	if lease != nil {
		status, owner, epoch, ttl = provisioning.StatusProvisioning, lease.Owner, 1, &lease.TTL
	}
	metadata := d.Metadata
	if metadata == nil {
		metadata = map[string]string{}
	}
	detail := map[string]any{"name": d.Name, "schemaName": d.SchemaName}
	if hash != "" {
		detail["adminPassword"] = "set"
	}
	rows, err := q.Query(ctx, `WITH fresh AS (
			INSERT INTO tenants (id, name, name_key, schema_name, status, admin_email, admin_first_name, admin_last_name,
			                     external_id, metadata, managed_by, run_owner, run_epoch, run_expires_at,
			                     admin_password_hash, audit_seq, audit_head)
			SELECT $3::uuid, $4::text, $1::text, $5::text, $6::tenant_status, $7::text, $8::text, $9::text,
			       nullif($2::text, ''), $10::jsonb, nullif($11::text, ''), nullif($12::text, ''), $13::bigint,
			       clock_timestamp() + $14::interval, nullif($15::text, ''),
			       1, audit_hash(NULL, $3::uuid, 1, now(), $16::text, 'DONE', $17::jsonb, $18::jsonb)
			WHERE NOT EXISTS (SELECT FROM tenants WHERE `+standingWhere+`)
			ON CONFLICT DO NOTHING
			RETURNING *
		), audited AS (`+auditInsert("fresh", 16)+`
		), logged AS (`+logRecord("fresh")+` RETURNING *
		) SELECT `+tenantColumns+runColumns+`, (SELECT `+logDuration+` FROM logged) FROM fresh
		WHERE CASE WHEN $12::text = '' THEN true ELSE (SELECT set_config('synchronous_commit', 'off', true)) = 'off' END`,
		concat([]any{provisioning.NameKey(d.Name), d.ExternalID, d.ID, d.Name, d.SchemaName, status,
			d.AdminEmail, d.AdminFirstName, d.AdminLastName, metadata, d.ManagedBy, owner, epoch, ttl, hash},
			auditArgs(ctx, provisioning.AuditCreate, detail))...)
	if err != nil {
		return row{}, false, err
	}
	made, err := pgx.CollectExactlyOneRow(rows, scanClaim)
	if errors.Is(err, pgx.ErrNoRows) {
		return row{}, false, nil
	}
	made.Owner = owner
	return made, err == nil, err
}

// standingTenant locks the tenant that stands where the draft would go; found is
// false when there is none.
func standingTenant(ctx context.Context, tx pgx.Tx, d provisioning.Draft) (standing row, found bool, err error) {
	rows, _ := tx.Query(ctx, `SELECT `+tenantColumns+runColumns+` FROM tenants WHERE `+standingWhere+`
		ORDER BY external_id IS NOT DISTINCT FROM nullif($2::text, '') AND external_id IS NOT NULL DESC,
		         status IN ('PENDING', 'PROVISIONING', 'ACTIVE') DESC, created_at DESC
		FOR UPDATE`, provisioning.NameKey(d.Name), d.ExternalID)
	all, err := pgx.CollectRows(rows, scanRun)
	if err != nil || len(all) == 0 {
		return row{}, false, err
	}
	for _, other := range all[1:] {
		if other.Tenant.Status.Live() {
			return all[0], true, &provisioning.Error{
				Kind: provisioning.KindConflict, Op: "record tenant",
				Message: "the external id belongs to tenant " + all[0].Tenant.ID.String() + " and the name to tenant " + other.Tenant.ID.String(),
				Fields:  []provisioning.FieldError{{Field: "name", Message: "is the name of another live tenant"}},
			}
		}
	}
	return all[0], true, nil
}

// inTheWay finds a tenant that leaves the draft no chance. It is for drafts whose
// password would have to be hashed first: whoever waits for a tenant that is held
// asks again and again.
func (db *DB) inTheWay(ctx context.Context, d provisioning.Draft) (creation provisioning.Creation, found bool, err error) {
	err = db.inTx(ctx, "record tenant", func(tx pgx.Tx) error {
		standing, there, err := standingTenant(ctx, tx, d)
		creation.Tenant, found = standing.Tenant, there && standing.Tenant.WasLive()
		if err == nil && there && !found && standing.leased {
			return standing.busy("record tenant")
		}
		return err
	})
	return creation, found, err
}

// takeStanding claims the tenant that stands where the draft would go, if it never
// went live and is nobody's work, and gives it the draft's inputs.
func takeStanding(ctx context.Context, tx pgx.Tx, d provisioning.Draft, hash string, lease provisioning.LeaseRequest) (provisioning.Creation, bool, error) {
	found, there, err := standingTenant(ctx, tx, d)
	creation := provisioning.Creation{Tenant: found.Tenant}
	switch {
	case err != nil || !there || found.Tenant.WasLive():
		return creation, there, err
	case found.leased:
		return creation, true, found.busy("record tenant")
	}
	run, err := claim(ctx, tx, found, provisioning.ClaimRetry, lease)
	if err != nil {
		return creation, true, err
	}
	if run.Tenant, err = adopt(ctx, tx, run, d.Inputs, hash); err != nil {
		return creation, true, err
	}
	return provisioning.Creation{Tenant: run.Tenant, Run: &run, Continued: true}, true, nil
}

// adopt gives a tenant that is continued the inputs of who continues it.
func adopt(ctx context.Context, tx pgx.Tx, run provisioning.Run, in provisioning.Inputs, hash string) (provisioning.Tenant, error) {
	password, err := passwordOf(ctx, tx, run.Tenant.ID, hash)
	if err != nil || password == nil && in.Equal(run.Tenant.Inputs()) {
		return run.Tenant, err
	}
	if run.Undo != provisioning.UndoNone {
		run.AdminUser = uuid.Nil // It goes with the schema; the next attempt makes another.
	}
	return change(ctx, tx, run, in, password)
}
