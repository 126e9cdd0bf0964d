package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// createTries bounds how often a creation that lost a race looks again.
const createTries = 10

// standing matches what a new tenant of that name ($1) or external id ($2) has
// to deal with: a live one, or one that never went live and can be continued.
const standing = `(name_key = $1::text AND (activated_at IS NULL OR status = 'ACTIVE')) OR external_id = nullif($2::text, '')`

// Create records a draft, or finds what stands where it would go. The usual
// case is one statement: one round trip and one commit.
func (db *DB) Create(ctx context.Context, d provisioning.Draft, lease *provisioning.LeaseRequest) (provisioning.Creation, error) {
	const op = "record tenant"
	pool, err := db.ready(ctx)
	if err != nil {
		return provisioning.Creation{}, err
	}
	for try := 1; ; try++ {
		creation, found, err := insert(ctx, pool, d, lease)
		if err == nil && !found {
			err = pgx.BeginFunc(ctx, pool, func(tx pgx.Tx) error {
				creation, found, err = standingTenant(ctx, tx, d, lease)
				return err
			})
		}
		if err != nil || found || try == createTries {
			if err == nil && !found {
				err = provisioning.Errorf(provisioning.KindTransient, op, "other tenants of similar names are being created right now")
			}
			return creation, failure(err, op)
		}
		// Nobody has the name: the schema name clashed, or the one who had it is gone.
		d.Renumber(time.Now().Add(time.Duration(try) * time.Millisecond))
	}
}

// insert records and, with a lease, claims in one statement. A claimed record
// does not wait for the disk: nobody has been told of it, nothing outside has
// been done for it, and the commit of the schema, which comes next, makes it
// durable too. A record without a claim is an answer to somebody and waits.
func insert(ctx context.Context, pool *pgxpool.Pool, d provisioning.Draft, lease *provisioning.LeaseRequest) (provisioning.Creation, bool, error) {
	status, owner, epoch := provisioning.StatusPending, "", 0
	var ttl *time.Duration
	if lease != nil {
		status, owner, epoch, ttl = provisioning.StatusProvisioning, lease.Owner, 1, &lease.TTL
	}
	metadata := d.Metadata
	if metadata == nil {
		metadata = map[string]string{}
	}
	rows, err := pool.Query(ctx, `WITH fresh AS (
			INSERT INTO tenants (id, name, name_key, schema_name, status, admin_email, admin_first_name, admin_last_name,
			                     external_id, metadata, managed_by, run_owner, run_epoch, run_expires_at)
			SELECT $3::uuid, $4::text, $1::text, $5::text, $6::tenant_status, $7::text, $8::text, $9::text,
			       nullif($2::text, ''), $10::jsonb, nullif($11::text, ''), nullif($12::text, ''), $13::bigint,
			       clock_timestamp() + $14::interval
			WHERE NOT EXISTS (SELECT FROM tenants WHERE `+standing+`)
			ON CONFLICT DO NOTHING
			RETURNING *
		), logged AS (
			INSERT INTO provisioning_logs (tenant_id, attempt, step, status, duration_ms)
			SELECT id, attempt, 'CREATE_TENANT_RECORD', 'COMPLETED',
			       extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000 FROM fresh
		) SELECT `+tenantColumns+runColumns+` FROM fresh
		WHERE CASE WHEN $12::text = '' THEN true ELSE (SELECT set_config('synchronous_commit', 'off', true)) = 'off' END`,
		provisioning.NameKey(d.Name), d.ExternalID, d.ID, d.Name, d.SchemaName, status,
		d.AdminEmail, d.AdminFirstName, d.AdminLastName, metadata, d.ManagedBy, owner, epoch, ttl)
	if err != nil {
		return provisioning.Creation{}, false, err
	}
	made, err := pgx.CollectExactlyOneRow(rows, scanRun)
	if errors.Is(err, pgx.ErrNoRows) {
		return provisioning.Creation{}, false, nil
	}
	creation := provisioning.Creation{Tenant: made.Tenant}
	if lease != nil {
		made.Owner = owner
		creation.Run = &made.Run
	}
	return creation, err == nil, err
}

// standingTenant decides about the tenant that stands where the draft would go.
func standingTenant(ctx context.Context, tx pgx.Tx, d provisioning.Draft, lease *provisioning.LeaseRequest) (provisioning.Creation, bool, error) {
	rows, _ := tx.Query(ctx, `SELECT `+tenantColumns+runColumns+` FROM tenants WHERE `+standing+`
		ORDER BY external_id IS NOT DISTINCT FROM nullif($2::text, '') AND external_id IS NOT NULL DESC,
		         status IN ('PENDING', 'PROVISIONING', 'ACTIVE') DESC, created_at DESC
		FOR UPDATE`, provisioning.NameKey(d.Name), d.ExternalID)
	all, err := pgx.CollectRows(rows, scanRun)
	if err != nil || len(all) == 0 {
		return provisioning.Creation{}, false, err
	}
	found := all[0]
	for _, other := range all[1:] {
		if other.Tenant.Status.Live() {
			return provisioning.Creation{Tenant: found.Tenant}, true, &provisioning.Error{
				Kind: provisioning.KindConflict, Op: "record tenant",
				Message: "the external id belongs to tenant " + found.Tenant.ID.String() + " and the name to tenant " + other.Tenant.ID.String(),
				Fields:  []provisioning.FieldError{{Field: "name", Message: "is the name of another live tenant"}},
			}
		}
	}
	creation := provisioning.Creation{Tenant: found.Tenant}
	switch {
	case found.Tenant.WasLive():
		creation.Existing = true
		return creation, true, nil
	case found.leased:
		return creation, true, found.busy("record tenant")
	case lease == nil:
		return creation, true, nil
	}
	run, err := claim(ctx, tx, found, provisioning.ClaimRetry, *lease)
	if err != nil {
		return creation, true, err
	}
	if !d.Equal(run.Tenant.Inputs()) {
		changed := run
		if run.Undo != provisioning.UndoNone {
			changed.AdminUser = uuid.Nil // It goes with the schema; the next attempt makes another.
		}
		if run.Tenant, err = change(ctx, tx, changed, d.Inputs); err != nil {
			return creation, true, err
		}
	}
	creation.Tenant, creation.Run, creation.Continued = run.Tenant, &run, true
	return creation, true, nil
}
