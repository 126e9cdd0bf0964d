package ownsteps

import (
	"context"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// sent are the rows of a tenant of which something can be left over.
const sent = `tenant_id = $1 AND state IN ('SENT', 'COMPLETED', 'UNDO_FAILED') ORDER BY attempt DESC, position DESC`

// StepsToUndo returns what was ever sent for a tenant, is not undone and can be.
func (s *Steps) StepsToUndo(ctx context.Context, id uuid.UUID) (provisioning.Run, []provisioning.OwnStep, error) {
	const op = "read own steps"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return provisioning.Run{}, nil, err
	}
	rows, err := pool.Query(ctx, `SELECT `+tenantrow.Columns+tenantrow.RunColumns+` FROM tenants WHERE id = $1`, id)
	if err != nil {
		return provisioning.Run{}, nil, pgdb.Classify(err, op)
	}
	found, err := pgx.CollectExactlyOneRow(rows, tenantrow.ScanRun)
	if err != nil {
		return provisioning.Run{}, nil, pgdb.Classify(err, op)
	}
	steps, err := s.read(ctx, found.Tenant.Blueprint, sent, id)
	steps = slices.DeleteFunc(steps, func(step provisioning.OwnStep) bool { return step.Definition.Undo == nil })
	return found.Run, steps, err
}

// BeginUndo records that the undo of a step is sent.
func (s *Steps) BeginUndo(ctx context.Context, r provisioning.Run, step provisioning.OwnStep) (provisioning.Delivery, error) {
	return s.beginDelivery(ctx, beginUndoSQL, r, step, step.Definition.Undo.Deadline)
}

// EndUndo records the outcome of an undo. What could not be undone is named on a tenant that is
// rolled back. KindFenced when the step was skipped or undone meanwhile.
func (s *Steps) EndUndo(ctx context.Context, r provisioning.Run, step provisioning.OwnStep, failure string) error {
	args := stepArgs(r, step)
	args["failure"] = failure
	args["left_over"] = tenant.LeftOver(step.Definition.Name, failure)
	args["limit"] = errs.MaxErrorLength
	return s.exec(ctx, "record undo", `WITH owned AS (`+owned+`
		), logged AS (
			UPDATE provisioning_logs l SET status = CASE WHEN @failure = '' THEN 'ROLLED_BACK' ELSE 'FAILED' END,
				error = CASE WHEN @failure = '' THEN error ELSE left('the undo failed: ' || @failure, @limit::int) END, updated_at = now(), change_seq = nextval('provisioning_log_seq')
			FROM owned WHERE l.tenant_id = owned.id AND l.attempt = @attempt AND l.step = @step
		), named AS (
			UPDATE tenants t SET provisioning_error = left(left(t.provisioning_error, @limit::int / 2) || @left_over, @limit::int), version = t.version + 1
			FROM owned WHERE t.id = owned.id AND @failure <> '' AND t.rollback_target IS NOT NULL AND t.provisioning_error IS NOT NULL
		) UPDATE tenant_steps s SET state = CASE WHEN @failure = '' THEN 'ROLLED_BACK' ELSE 'UNDO_FAILED' END,
			error = nullif(@failure, ''), due_at = NULL, outputs = CASE WHEN @failure <> '' THEN s.outputs END, undo_sent_at = CASE WHEN @failure = '' THEN s.undo_sent_at END
		FROM owned WHERE s.tenant_id = owned.id AND s.attempt = @attempt AND s.step = @step
			AND s.state <> 'UNDO_SKIPPED' AND (s.state <> 'ROLLED_BACK' OR @failure = '')`, args)
}

// SkipUndo records that steps are not undone.
func (s *Steps) SkipUndo(ctx context.Context, id uuid.UUID, steps []string, reason string) error {
	const op = "skip undo"
	return s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		locked, err := tenantrow.Lock(ctx, tx, id)
		if err != nil {
			return err
		}
		if locked.IsLeased {
			return locked.LeasedError(op)
		}
		// Before a purge, steps are skipped that no undo was tried for yet.
		rows, _ := tx.Query(ctx, `SELECT DISTINCT step FROM tenant_steps WHERE tenant_id = $1 AND (state = 'UNDO_FAILED' OR state IN ('SENT', 'COMPLETED') AND $2)`,
			id, locked.Tenant.Status == tenant.StatusArchived)
		left, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			return err
		}
		for _, step := range steps {
			if !slices.Contains(left, step) {
				return &errs.Error{Kind: errs.KindInvalid, Op: op, Fields: []errs.FieldError{{Field: "steps", Message: nothingLeft(step, left)}}}
			}
		}
		if _, err := tx.Exec(ctx, `UPDATE tenant_steps SET state = 'UNDO_SKIPPED', due_at = NULL
			WHERE tenant_id = $1 AND step = ANY ($2) AND state IN ('SENT', 'COMPLETED', 'UNDO_FAILED')`, id, steps); err != nil {
			return err
		}
		return auditlog.Append(ctx, tx, id, audit.ActionSkipUndo, map[string]any{"steps": steps, "reason": reason})
	})
}

func nothingLeft(step string, left []string) string {
	message := "has " + step + ", of which nothing is left over; "
	if len(left) == 0 {
		return message + "leave it out"
	}
	slices.Sort(left)
	return message + "give one of " + strings.Join(left, ", ")
}
