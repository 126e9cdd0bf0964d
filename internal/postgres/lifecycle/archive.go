// Package lifecycle suspends, resumes, archives, unarchives and purges tenants.
package lifecycle

import (
	"context"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/logins"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/passwordhash"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/welcome"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Lifecycle suspends, resumes, archives, unarchives and purges tenants.
type Lifecycle struct {
	db      *pgdb.DB
	logins  *logins.Logins
	schemas *tenantschema.Schemas
	queue   Queue // Nil unless UseQueue was called.
}

// New returns the lifecycle of the tenants of a database. Suspending and archiving close their
// logins.
func New(db *pgdb.DB, logins *logins.Logins, schemas *tenantschema.Schemas) *Lifecycle {
	return &Lifecycle{db: db, logins: logins, schemas: schemas}
}

// Unarchive makes an archived tenant what it was before: ACTIVE or SUSPENDED.
func (s *Lifecycle) Unarchive(ctx context.Context, id uuid.UUID) (t tenant.Tenant, err error) {
	err = s.db.InTx(ctx, opUnarchive, func(tx pgx.Tx) error {
		locked, err := unarchive(ctx, tx, id)
		t = locked.Tenant
		return err
	})
	return t, err
}

// UnarchiveExisting does so, and gives the tenant new inputs.
func (s *Lifecycle) UnarchiveExisting(ctx context.Context, id uuid.UUID, in tenant.Inputs) (t tenant.Tenant, err error) {
	hash, err := passwordhash.Hash(ctx, in.AdminPassword)
	if err != nil {
		return t, err
	}
	err = s.db.InTx(ctx, opUnarchive, func(tx pgx.Tx) error {
		locked, err := unarchive(ctx, tx, id)
		if err == nil {
			t, err = registry.ChangeInputs(ctx, tx, locked, in, hash)
		}
		return err
	})
	return t, err
}

const opUnarchive = "unarchive tenant"

func unarchive(ctx context.Context, tx pgx.Tx, id uuid.UUID) (tenantrow.Row, error) {
	locked, err := tenantrow.Lock(ctx, tx, id)
	if err != nil {
		return locked, err
	}
	t := locked.Tenant
	if err := checkUnarchive(t); err != nil || t.Status.Live() {
		return locked, err
	}
	if err := checkSchemaExists(ctx, tx, opUnarchive, t); err != nil {
		return locked, err
	}
	if err := checkPurgeNotBegun(ctx, tx, t); err != nil {
		return locked, err
	}
	before := tenant.StatusActive
	if t.Suspended() {
		before = tenant.StatusSuspended
	}
	if locked.Tenant, err = backInService(ctx, tx, id, before); err == nil {
		err = auditlog.Append(ctx, tx, id, audit.ActionUnarchive, nil)
	}
	return locked, err
}

// checkSchemaExists returns an error for a tenant whose schema was dropped.
func checkSchemaExists(ctx context.Context, tx pgx.Tx, op string, t tenant.Tenant) error {
	var exists bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, t.SchemaName).Scan(&exists)
	if err == nil && !exists {
		err = errs.Errorf(errs.KindPermanent, op, "the tenant's schema %s does not exist; restore it from a backup first", t.SchemaName)
	}
	return err
}

// checkPurgeNotBegun returns an error if the undo of an own step of a locked tenant was sent: the
// receiver may have nothing of the tenant any more.
func checkPurgeNotBegun(ctx context.Context, tx pgx.Tx, t tenant.Tenant) error {
	rows, _ := tx.Query(ctx, `SELECT step FROM tenant_steps WHERE tenant_id = $1 AND attempt = $2 AND undo_deliveries > 0 ORDER BY position`, t.ID, t.Attempt)
	steps, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(steps) == 0 {
		return err
	}
	return errs.Errorf(errs.KindConflict, "unarchive tenant", "a purge of the tenant has begun, and the undo of %s was sent; purge the tenant again", strings.Join(steps, ", "))
}

// checkUnarchive returns an error unless a tenant is live or can be unarchived.
func checkUnarchive(t tenant.Tenant) error {
	const op = "unarchive tenant"
	switch {
	case t.Status.Live():
		return nil
	case t.Status != tenant.StatusArchived:
		return t.TransitionError(op, "unarchiving")
	case !t.PurgedAt.IsZero():
		return t.PurgedError(op)
	case !t.WasLive():
		return errs.Errorf(errs.KindConflict, op,
			"the tenant was archived before it was live, so it cannot be unarchived; create it again with the same name")
	}
	return nil
}

// Archive archives an ACTIVE or SUSPENDED tenant; its schema remains.
func (s *Lifecycle) Archive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	var (
		t      tenant.Tenant
		closed []logins.Closed
	)
	err := s.db.InTx(ctx, "archive tenant", func(tx pgx.Tx) error {
		locked, err := tenantrow.Lock(ctx, tx, id)
		if err != nil {
			return err
		}
		t = locked.Tenant
		switch t.Status {
		case tenant.StatusArchived: // Its sessions may still be open, after an error.
			closed, err = logins.CloseAll(ctx, tx, t, nil)
			return err
		case tenant.StatusActive, tenant.StatusSuspended:
		default:
			return t.TransitionError("archive tenant", "archiving without a rollback")
		}
		if t.DeletionProtection {
			return provisioning.ErrProtected("archive tenant", t)
		}
		if err := welcome.Revoke(ctx, tx, id); err != nil {
			return err
		}
		// The new epoch fences a late write of the run that activated the tenant.
		rows, _ := tx.Query(ctx, `UPDATE tenants SET status = 'ARCHIVED', archived_at = now(), updated_at = now(),
			version = version + 1, run_epoch = run_epoch + 1, welcome_email_due_at = NULL WHERE id = $1 RETURNING `+tenantrow.Columns, id)
		if t, err = pgx.CollectExactlyOneRow(rows, tenantrow.Scan); err == nil {
			err = auditlog.Append(ctx, tx, id, audit.ActionArchive, nil)
		}
		if err == nil {
			closed, err = logins.CloseAll(ctx, tx, t, nil)
		}
		return err
	})
	if err != nil { // The logins are still valid.
		return t, err
	}
	return t, s.logins.Finish(ctx, closed)
}
