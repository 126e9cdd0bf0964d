package provisioning

import (
	"context"
	"time"
)

// fail ends the attempt: intent and undo. When the registry does not answer, the
// tenant stays as it is and its lease runs out; the next run then finishes or goes on.
func (x *execution) fail(step Step, took time.Duration, cause error) (Tenant, error) {
	ctx, cancel := x.afterwards()
	defer cancel()
	if !x.buffered.Activate {
		// A contract that is there stays there, so the log shall say so. Whether this
		// commit succeeds decides nothing: the next attempt looks for the contract.
		_, _ = x.flush(ctx)
	}
	record := StepRecord{Step: step, Status: StepFailed, Error: SafeMessage(cause), Duration: took}
	err := x.retryWith(ctx, func() error { return x.runs.BeginUndo(ctx, x.run, UndoFailed, record) })
	if err != nil {
		return x.run.Tenant, x.unfinished(step, cause, err)
	}
	x.run.Undo = UndoFailed
	tenant, err := x.undo()
	if err != nil {
		return x.run.Tenant, x.unfinished(step, cause, err)
	}
	return tenant, Wrap(cause, KindOf(cause), "provision tenant", "step %s failed: %s", step, SafeMessage(cause))
}

// undo rolls back what this or an earlier run began to roll back. The process that
// finishes a rollback also sends the failure mail: of a tenant that was given up on
// purpose, and is ARCHIVED, there is none.
func (x *execution) undo() (Tenant, error) {
	ctx, cancel := x.afterwards()
	defer cancel()
	var tenant Tenant
	err := x.retryWith(ctx, func() (err error) {
		tenant, err = x.runs.Undo(ctx, x.run)
		return err
	})
	if err != nil {
		return x.run.Tenant, err
	}
	x.run.Tenant = tenant
	for _, step := range []Step{StepSeedRolesAndUser, StepRunMigrations, StepCreateSchema} {
		x.tell(step, StepRolledBack, 0, nil)
	}
	if tenant.Status == StatusFailed {
		x.tellAdmin(tenant)
	}
	return tenant, nil
}

func (x *execution) retryWith(ctx context.Context, f func() error) error {
	return x.opts.Retry.do(ctx, x.opts.Clock, f, nil)
}

// unfinished says both what failed and that it is not rolled back yet.
func (x *execution) unfinished(step Step, cause, undoing error) error {
	if KindOf(undoing) == KindFenced {
		return undoing
	}
	return Wrap(cause, KindOf(cause), "provision tenant",
		"step %s failed: %s. The rollback could not be finished either: %s. It is taken up by the next run",
		step, cut(SafeMessage(cause), MaxErrorLength/2), cut(SafeMessage(undoing), MaxErrorLength/4))
}

// tellAdmin sends the failure mail. A mail that fails changes nothing about the
// tenant, so it is reported to the observer and no more.
func (x *execution) tellAdmin(tenant Tenant) {
	ctx, cancel := x.afterwards()
	defer cancel()
	if err := x.mailer.SendFailure(ctx, FailureMail{Tenant: tenant}); err != nil {
		x.opts.Observer(ctx, Event{
			Tenant: tenant, Attempt: tenant.Attempt, Step: StepSendWelcomeEmail, Status: StepFailed, Cause: err,
			Message: "the admin could not be told about the failure: " + SafeMessage(err),
		})
	}
}
