package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// BeginUndo notes that this run rolls back, and why, before anything is undone.
func (db *DB) BeginUndo(ctx context.Context, r provisioning.Run, undo provisioning.Undo, failed provisioning.StepRecord) error {
	const op = "begin rollback"
	pool, err := db.ready(ctx)
	if err != nil {
		return err
	}
	log := newLogRows([]provisioning.StepRecord{failed})
	event := auditArgs(ctx, provisioning.AuditFail, map[string]any{"step": failed.Step, "error": failed.Error, "attempt": r.Tenant.Attempt})
	tag, err := pool.Exec(ctx, `WITH moved AS (
			UPDATE tenants SET undo = $3::tenant_status, provisioning_error = $4, updated_at = now(), version = version + 1, `+auditSet(10)+`
			WHERE `+mine+` AND activated_at IS NULL AND status = 'PROVISIONING'
			RETURNING id, attempt, audit_seq, audit_head
		), audited AS (`+auditInsert("moved", 10)+`
		), logged AS (`+logUpsert+`
			FROM moved, `+logInput(5)+` ON CONFLICT ON CONSTRAINT provisioning_logs_once DO UPDATE SET `+logMerge+`
		) SELECT id FROM moved`,
		concat([]any{r.Tenant.ID, r.Epoch, undo, failed.Error}, log.args(), event)...)
	return failure(fenced(tag.RowsAffected(), err), op)
}

// Undo takes back what the attempt did in the database and ends it.
func (db *DB) Undo(ctx context.Context, r provisioning.Run) (provisioning.Tenant, error) {
	var t provisioning.Tenant
	err := db.inTx(ctx, "roll back tenant", func(tx pgx.Tx) error {
		found, err := lockTenant(ctx, tx, r.Tenant.ID)
		switch {
		case err != nil:
			return err
		case found.Epoch != r.Epoch:
			return errFenced
		case found.Undo == provisioning.UndoNone && string(found.Tenant.Status) == string(r.Undo):
			t = found.Tenant // Only the answer of an earlier try was lost.
			return nil
		case found.Tenant.WasLive():
			return provisioning.Errorf(provisioning.KindConflict, "roll back tenant",
				"the tenant is %s and was live before; it keeps its schema", found.Tenant.Status)
		case found.Undo == provisioning.UndoNone:
			return provisioning.Errorf(provisioning.KindConflict, "roll back tenant",
				"the tenant is %s, and no rollback of it has begun", found.Tenant.Status)
		}
		t, err = undo(ctx, tx, found.Run)
		return err
	})
	return t, err
}

// dropSchema removes schema and role of a tenant, if this attempt made them: they
// committed together with the checkpoint. What was there before, such as the
// schema of a live tenant under a registry that was restored from an older
// backup, is not this run's to drop.
func dropSchema(ctx context.Context, tx pgx.Tx, r provisioning.Run) error {
	if r.Checkpoint.Index() < provisioning.StepSeedRolesAndUser.Index() {
		return nil
	}
	_, err := tx.Exec(ctx, `DROP SCHEMA IF EXISTS `+pgx.Identifier{r.Tenant.SchemaName}.Sanitize()+` CASCADE`)
	if err == nil {
		_, err = tx.Exec(ctx, `DROP ROLE IF EXISTS `+pgx.Identifier{r.Tenant.DatabaseRole}.Sanitize())
	}
	return err
}

func undo(ctx context.Context, tx pgx.Tx, r provisioning.Run) (provisioning.Tenant, error) {
	t := r.Tenant
	if err := dropSchema(ctx, tx, r); err != nil {
		return t, err
	}
	statements := []struct {
		sql  string
		args []any
	}{
		{`DELETE FROM tenant_invitations WHERE tenant_id = $1`, []any{t.ID}},
		{`DELETE FROM tenant_migrations WHERE tenant_id = $1`, []any{t.ID}},
		// A step that was running is over too: whoever ran it is fenced.
		{`UPDATE provisioning_logs SET updated_at = now(), change = nextval('provisioning_changes'),
			status = CASE WHEN status = 'IN_PROGRESS' THEN 'FAILED' ELSE 'ROLLED_BACK' END::provisioning_step_status,
			error = CASE WHEN status = 'IN_PROGRESS' THEN 'ended by the rollback' ELSE error END
		  WHERE tenant_id = $1 AND attempt = $2 AND (status = 'IN_PROGRESS'
			OR status = 'COMPLETED' AND step IN ('CREATE_SCHEMA', 'RUN_MIGRATIONS', 'SEED_ROLES_AND_USER'))`, []any{t.ID, t.Attempt}},
	}
	for _, s := range statements {
		if _, err := tx.Exec(ctx, s.sql, s.args...); err != nil {
			return t, err
		}
	}
	rows, _ := tx.Query(ctx, `UPDATE tenants SET status = undo, undo = NULL, checkpoint = 'CREATE_TENANT_RECORD',
			admin_user_id = NULL, run_owner = NULL, run_expires_at = NULL, job_id = NULL,
			archived_at = CASE WHEN undo = 'ARCHIVED' THEN now() END,
			admin_password_hash = CASE WHEN undo = 'FAILED' THEN admin_password_hash END, updated_at = now(), version = version + 1
		WHERE id = $1 RETURNING `+tenantColumns, t.ID)
	return pgx.CollectExactlyOneRow(rows, scanTenant)
}
