// Package ownsteps records the own steps of tenants: those that their blueprints add to the seven,
// what was sent to their receivers, and what was undone.
package ownsteps

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintstore"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Steps records the own steps of tenants. Every write is fenced by the run's epoch.
type Steps struct {
	db         *pgdb.DB
	blueprints *blueprintstore.Store
}

// New returns the own steps of a database.
func New(db *pgdb.DB, blueprints *blueprintstore.Store) *Steps {
	return &Steps{db, blueprints}
}

// row is a row of tenant_steps.
type row struct {
	Step      string
	Attempt   int
	Revision  int
	State     provisioning.OwnStepState
	CreatedAt time.Time
	WebhookID uuid.UUID
	UndoID    uuid.UUID
	Outputs   tenant.Outputs
}

const rowColumns = `step, attempt, revision, state, created_at, webhook_id, undo_webhook_id, outputs`

// OwnSteps returns the own steps of the run's attempt.
func (s *Steps) OwnSteps(ctx context.Context, r provisioning.Run) ([]provisioning.OwnStep, error) {
	return s.read(ctx, r.Tenant.Blueprint, `tenant_id = $1 AND attempt = $2 ORDER BY position`, r.Tenant.ID, r.Tenant.Attempt)
}

// read reads rows of tenant_steps and what their revisions say of them.
func (s *Steps) read(ctx context.Context, name, condition string, args ...any) ([]provisioning.OwnStep, error) {
	const op = "read own steps"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, `SELECT `+rowColumns+` FROM tenant_steps WHERE `+condition, args...)
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	if err != nil || len(found) == 0 {
		return nil, pgdb.Classify(err, op)
	}
	active, err := s.blueprints.RevisionForRun(ctx, pool, name)
	if err != nil {
		return nil, err
	}
	all := make([]provisioning.OwnStep, len(found))
	for i, r := range found {
		all[i] = provisioning.OwnStep{Attempt: r.Attempt, State: r.State, CreatedAt: r.CreatedAt, WebhookID: r.WebhookID, UndoID: r.UndoID, Revision: r.Revision, Outputs: r.Outputs}
		if all[i].Definition, err = s.definition(ctx, pool, name, r, active); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// definition is what a step's revision says of it, with the undo of the active one: what has to be
// undone may have moved since.
func (s *Steps) definition(ctx context.Context, q pgdb.RowQuerier, name string, r row, active int) (d blueprint.Step, err error) {
	t, err := s.blueprints.Template(ctx, q, name, r.Revision)
	if err != nil {
		return d, err
	}
	d, ok := t.Own().Step(r.Step)
	if !ok {
		return d, errs.Errorf(errs.KindPermanent, "read own steps", "revision %d of the blueprint %s has no step %s; the registry was changed by hand, correct tenant_steps", r.Revision, name, r.Step)
	}
	if active == r.Revision {
		return d, nil
	}
	if t, err = s.blueprints.Template(ctx, q, name, active); err != nil {
		return d, err
	}
	if newest, ok := t.Own().Step(r.Step); ok && newest.Undo != nil {
		d.Undo = newest.Undo
	}
	return d, nil
}

// owned is the tenant, locked, while the run with the epoch is its newest.
const owned = `SELECT * FROM tenants WHERE id = @id AND run_epoch = @epoch FOR UPDATE`

func stepArgs(r provisioning.Run, s provisioning.OwnStep) pgx.StrictNamedArgs {
	return pgx.StrictNamedArgs{"id": r.Tenant.ID, "epoch": r.Epoch, "attempt": s.Attempt, "step": s.Definition.Name}
}

// begin is the statement that records a delivery, if it is due and before its deadline. The columns
// are those of the step or of its undo; began is the time from which the deadline counts, null: now.
// The limits of both times are for a clock that was set back.
func begin(condition, set, sentAt, began, deliveries string) string {
	return `WITH owned AS (` + owned + `
		), before AS (
			SELECT s.step, CASE WHEN s.` + sentAt + ` IS NOT NULL AND s.due_at < clock_timestamp() + interval '5 minutes' THEN s.due_at END AS due_at, s.error,
				least(` + began + `, clock_timestamp()) AS sent_at, s.` + deliveries + ` AS deliveries
			FROM tenant_steps s JOIN owned ON s.tenant_id = owned.id WHERE s.attempt = @attempt AND s.step = @step AND ` + condition + `
		), sent AS (
			UPDATE tenant_steps s SET ` + set + ` due_at = NULL, ` + sentAt + ` = before.sent_at, ` + deliveries + ` = before.deliveries + 1
			FROM before WHERE s.tenant_id = @id AND s.attempt = @attempt AND s.step = before.step
				AND coalesce(before.due_at <= clock_timestamp(), true) AND before.sent_at + @deadline::interval > clock_timestamp()
			RETURNING s.step
		), logged AS (
			INSERT INTO provisioning_logs (tenant_id, attempt, trace_id, step, status) SELECT @id, @attempt, substr(owned.traceparent, 4, 32), step, 'IN_PROGRESS' FROM sent, owned
			ON CONFLICT ON CONSTRAINT provisioning_logs_unique DO NOTHING
		) SELECT ` + tenantrow.Columns + `, before.deliveries + 1, coalesce(before.due_at - clock_timestamp(), '0'),
			before.sent_at + @deadline::interval - clock_timestamp(), coalesce(before.error, '')
		FROM owned, before`
}

var (
	beginDeliverySQL = begin(`s.state IN ('PENDING', 'SENT') AND owned.rollback_target IS NULL`, `state = 'SENT',`, "sent_at", "s.sent_at", "deliveries")
	beginUndoSQL     = begin(`s.state IN ('SENT', 'COMPLETED', 'UNDO_FAILED') AND owned.status NOT IN ('ACTIVE', 'SUSPENDED')`, ``, "undo_sent_at", undoBegan, "undo_deliveries")
)

// undoBegan is the time from which the deadline of an undo counts. Purges can be far apart, and each
// has its own limit.
const undoBegan = `CASE WHEN owned.status <> 'ARCHIVED' OR owned.rollback_target IS NOT NULL OR s.undo_sent_at + @deadline::interval > clock_timestamp() THEN s.undo_sent_at END`

// BeginDelivery records that a request of a step is sent.
func (s *Steps) BeginDelivery(ctx context.Context, r provisioning.Run, step provisioning.OwnStep) (provisioning.Delivery, error) {
	return s.beginDelivery(ctx, beginDeliverySQL, r, step, step.Definition.Webhook.Deadline)
}

func (s *Steps) beginDelivery(ctx context.Context, sql string, r provisioning.Run, step provisioning.OwnStep, deadline time.Duration) (d provisioning.Delivery, err error) {
	const op = "record delivery"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return d, err
	}
	args := stepArgs(r, step)
	args["deadline"] = deadline
	rows, err := pool.Query(ctx, sql, args)
	if err != nil {
		return d, pgdb.Classify(err, op)
	}
	d, err = pgx.CollectExactlyOneRow(rows, func(r pgx.CollectableRow) (d provisioning.Delivery, err error) {
		d.Tenant, err = tenantrow.ScanAnd(r, &d.Number, &d.Wait, &d.Remaining, &d.LastError)
		return d, err
	})
	return d, pgdb.Classify(pgdb.FencedIfNoRows(err), op)
}

// PostponeStep records when the next request is due.
func (s *Steps) PostponeStep(ctx context.Context, r provisioning.Run, step provisioning.OwnStep, delay time.Duration, reason string) error {
	args := stepArgs(r, step)
	args["delay"], args["reason"] = delay, reason
	return s.exec(ctx, "postpone own step", `WITH owned AS (`+owned+`), logged AS (
			UPDATE provisioning_logs l SET error = @reason, updated_at = now(), change_seq = nextval('provisioning_log_seq')
			FROM owned WHERE l.tenant_id = owned.id AND l.attempt = @attempt AND l.step = @step AND l.status = 'IN_PROGRESS'
		) UPDATE tenant_steps s SET due_at = clock_timestamp() + @delay::interval, error = @reason
		FROM owned WHERE s.tenant_id = owned.id AND s.attempt = @attempt AND s.step = @step`, args)
}

// exec runs a statement that updates one row, unless the run was superseded.
func (s *Steps) exec(ctx context.Context, op, sql string, args pgx.StrictNamedArgs) error {
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	tag, err := pool.Exec(ctx, sql, args)
	return pgdb.Classify(pgdb.FencedUnlessUpdated(tag.RowsAffected(), err), op)
}

// CompleteStep records a completed step. It can be repeated after a lost answer.
func (s *Steps) CompleteStep(ctx context.Context, r provisioning.Run, step provisioning.OwnStep, outputs tenant.Outputs, records ...tenant.StepRecord) (tenant.Tenant, error) {
	const op = "complete own step"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return tenant.Tenant{}, err
	}
	if outputs == nil {
		outputs = tenant.Outputs{}
	}
	args := stepArgs(r, step)
	args["outputs"] = outputs
	tenantrow.AddStepArgs(args, records)
	rows, err := pool.Query(ctx, `WITH moved AS (
			UPDATE tenants SET outputs = outputs || @outputs::jsonb, updated_at = now(), version = version + 1
			WHERE id = @id AND run_epoch = @epoch AND status = 'PROVISIONING' AND rollback_target IS NULL RETURNING *
		), completed AS (
			UPDATE tenant_steps s SET state = 'COMPLETED', due_at = NULL, error = NULL, outputs = @outputs::jsonb
			FROM moved WHERE s.tenant_id = moved.id AND s.attempt = @attempt AND s.step = @step
		), logged AS (`+tenantrow.LogUpsertSQL+`
			FROM moved, `+tenantrow.StepsFrom+` ON CONFLICT ON CONSTRAINT provisioning_logs_unique DO UPDATE SET `+tenantrow.LogMergeSetItems+`
		) SELECT `+tenantrow.Columns+` FROM moved`, args)
	if err != nil {
		return tenant.Tenant{}, pgdb.Classify(err, op)
	}
	t, err := pgx.CollectExactlyOneRow(rows, tenantrow.Scan)
	return t, pgdb.Classify(pgdb.FencedIfNoRows(err), op)
}
