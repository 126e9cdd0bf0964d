package runs

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/dbroles"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// BeginRollback records that this run rolls back, and why, before it undoes any step.
func (s *Runs) BeginRollback(ctx context.Context, r provisioning.Run, target provisioning.Rollback, failed tenant.StepRecord) error {
	const op = "begin rollback"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	args := pgx.StrictNamedArgs{"id": r.Tenant.ID, "epoch": r.Epoch, "target": target, "error": failed.Error}
	tenantrow.AddStepArgs(args, []tenant.StepRecord{failed})
	auditlog.AddArgs(ctx, args, audit.ActionFail, map[string]any{"step": failed.Step, "error": failed.Error, "attempt": r.Tenant.Attempt})
	tag, err := pool.Exec(ctx, `WITH moved AS (
			UPDATE tenants SET rollback_target = @target::text, provisioning_error = @error, updated_at = now(), version = version + 1, `+auditlog.SetItems+`
			WHERE `+ownedByRunNamed+` AND activated_at IS NULL AND status = 'PROVISIONING'
			RETURNING id, attempt, traceparent, audit_seq, audit_head
		), audited AS (`+auditlog.InsertSQL("moved")+`
		), logged AS (`+tenantrow.LogUpsertSQL+`
			FROM moved, `+tenantrow.StepsFrom+` ON CONFLICT ON CONSTRAINT provisioning_logs_unique DO UPDATE SET `+tenantrow.LogMergeSetItems+`
		) SELECT id FROM moved`, args)
	return pgdb.Classify(pgdb.FencedUnlessUpdated(tag.RowsAffected(), err), op)
}

// RollBack undoes what the attempt did in the database and ends it.
func (s *Runs) RollBack(ctx context.Context, r provisioning.Run) (tenant.Tenant, error) {
	var t tenant.Tenant
	if err := s.dropElsewhere(ctx, r); err != nil {
		return t, err
	}
	err := s.db.InTx(ctx, "roll back tenant", func(tx pgx.Tx) error {
		locked, err := tenantrow.Lock(ctx, tx, r.Tenant.ID)
		switch {
		case err != nil:
			return err
		case locked.Epoch != r.Epoch:
			return pgdb.ErrFenced
		case locked.Rollback == provisioning.RollbackNone && string(locked.Tenant.Status) == string(r.Rollback):
			t = locked.Tenant // The answer of an earlier call was lost.
			return nil
		case locked.Tenant.WasLive():
			return errs.Errorf(errs.KindConflict, "roll back tenant",
				"the tenant is %s and was live before; it keeps its schema", locked.Tenant.Status)
		case locked.Rollback == provisioning.RollbackNone:
			return errs.Errorf(errs.KindConflict, "roll back tenant",
				"the tenant is %s, and no rollback of it has begun", locked.Tenant.Status)
		}
		t, err = rollBack(ctx, tx, locked.Run)
		return err
	})
	return t, err
}

// dropElsewhere drops what logins of other tenants gave a tenant's role in other databases, if
// the rollback is still to be done: the role could not be dropped.
func (s *Runs) dropElsewhere(ctx context.Context, r provisioning.Run) error {
	const op = "roll back tenant"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	var due bool
	err = pool.QueryRow(ctx, `SELECT count(*) > 0 FROM tenants WHERE id = $1 AND run_epoch = $2 AND rollback_target IS NOT NULL AND activated_at IS NULL
		  AND checkpoint <> ALL ('{CREATE_TENANT_RECORD,CREATE_SCHEMA,RUN_MIGRATIONS}')`, r.Tenant.ID, r.Epoch).Scan(&due)
	if err != nil || !due {
		return pgdb.Classify(err, op)
	}
	return dbroles.DropElsewhere(ctx, s.db, r.Tenant.DatabaseRole)
}

// rollBack drops schema and role of a tenant, if this attempt created them: they were
// committed together with the checkpoint and the rows of tenant_migrations, of which a server's
// user cannot write the latter. Older ones remain, such as the schema of a live
// tenant after the registry was restored from an older backup.
func rollBack(ctx context.Context, tx pgx.Tx, r provisioning.Run) (tenant.Tenant, error) {
	t := r.Tenant
	type statement struct {
		sql  string
		args []any
	}
	made, err := tenantrow.SchemaMade(ctx, tx, t.ID)
	if err != nil {
		return t, err
	}
	var statements []statement
	if made && !t.Adopted && r.Checkpoint.Index() >= tenant.StepSeedRolesAndUser.Index() {
		statements = append(statements,
			statement{`DROP SCHEMA IF EXISTS ` + pgx.Identifier{t.SchemaName}.Sanitize() + ` CASCADE`, nil})
	}
	statements = append(statements, []statement{
		{`DELETE FROM tenant_invitations WHERE tenant_id = $1`, []any{t.ID}},
		{`DELETE FROM tenant_migrations WHERE tenant_id = $1`, []any{t.ID}},
		// A step in progress ends too: its run is fenced.
		{`UPDATE provisioning_logs SET updated_at = now(), change_seq = nextval('provisioning_log_seq'),
			status = CASE WHEN status = 'IN_PROGRESS' THEN 'FAILED' ELSE 'ROLLED_BACK' END,
			error = CASE WHEN status = 'IN_PROGRESS' THEN 'ended by the rollback' ELSE error END
		  WHERE tenant_id = $1 AND attempt = $2 AND (status = 'IN_PROGRESS'
			OR status = 'COMPLETED' AND step IN ('CREATE_SCHEMA', 'RUN_MIGRATIONS', 'SEED_ROLES_AND_USER'))`, []any{t.ID, t.Attempt}},
	}...)
	for _, s := range statements {
		if _, err := tx.Exec(ctx, s.sql, s.args...); err != nil {
			return t, err
		}
	}
	if exists, err := dbroles.Exists(ctx, tx, t.DatabaseRole); err != nil {
		return t, err
	} else if exists && r.Checkpoint.Index() >= tenant.StepSeedRolesAndUser.Index() {
		if err := dbroles.Drop(ctx, tx, t.DatabaseRole); err != nil {
			return t, err
		}
	}
	// The failure mail is due, as the first try of this run.
	rows, _ := tx.Query(ctx, `UPDATE tenants SET status = rollback_target, rollback_target = NULL, checkpoint = 'CREATE_TENANT_RECORD',
			admin_user_id = NULL, blueprint_revision = NULL, schema_version = NULL, outputs = '{}', welcome_email_unanswered = false, run_owner = NULL, run_expires_at = NULL, job_id = NULL,
			archived_at = CASE WHEN rollback_target = 'ARCHIVED' THEN now() END,
			failure_email_due_at = CASE WHEN rollback_target = 'FAILED' THEN clock_timestamp() + $2::interval END, failure_email_tries = 1,
			admin_password_hash = CASE WHEN rollback_target = 'FAILED' THEN admin_password_hash END, updated_at = now(), version = version + 1
		WHERE id = $1 RETURNING `+tenantrow.Columns, t.ID, provisioning.MailHold)
	return pgx.CollectExactlyOneRow(rows, tenantrow.Scan)
}
