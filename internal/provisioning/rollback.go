package provisioning

import (
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// failAttempt ends the attempt: intent and undo. When the registry does not answer, the
// tenant stays as it is and its lease runs out; the next run then finishes or goes on.
func (x *execution) failAttempt(step tenant.Step, took time.Duration, cause error) (tenant.Tenant, error) {
	ctx, cancel := x.cleanupContext()
	defer cancel()
	if !x.pending.Activate {
		// A contract that is there stays there, so the log shall say so. Whether this
		// commit succeeds decides nothing: the next attempt looks for the contract.
		_, _ = x.commitPending(ctx)
	}
	record := tenant.StepRecord{Step: step, Status: tenant.StepFailed, Error: errs.SafeMessage(cause), Duration: took}
	err := x.opts.Retry.Do(ctx, x.opts.Clock, func() error { return x.rollbacks.BeginRollback(ctx, x.run, RollbackToFailed, record) }, nil)
	if err != nil {
		return x.run.Tenant, x.rollbackIncomplete(step, cause, err)
	}
	x.run.Rollback = RollbackToFailed
	tenant, err := x.rollBack()
	if err != nil {
		return x.run.Tenant, x.rollbackIncomplete(step, cause, err)
	}
	return tenant, errs.Wrap(cause, errs.KindOf(cause), "provision tenant", "step %s failed: %s", step, errs.SafeMessage(cause))
}

// rollBack rolls back what this or an earlier run began to roll back. The process that
// finishes a rollback also sends the failure mail: of a tenant that was given up on
// purpose, and is ARCHIVED, there is none.
func (x *execution) rollBack() (tenant.Tenant, error) {
	ctx, cancel := x.cleanupContext()
	defer cancel()
	var t tenant.Tenant
	err := x.opts.Retry.Do(ctx, x.opts.Clock, func() (err error) {
		t, err = x.rollbacks.RollBack(ctx, x.run)
		return err
	}, nil)
	if err != nil {
		return x.run.Tenant, err
	}
	x.run.Tenant = t
	for _, step := range []tenant.Step{tenant.StepSeedRolesAndUser, tenant.StepRunMigrations, tenant.StepCreateSchema} {
		x.notify(step, tenant.StepRolledBack, 0, nil)
	}
	if t.Status == tenant.StatusFailed {
		x.tellAdmin(t)
	}
	return t, nil
}

// rollbackIncomplete says both what failed and that it is not rolled back yet.
func (x *execution) rollbackIncomplete(step tenant.Step, cause, undoing error) error {
	if errs.KindOf(undoing) == errs.KindFenced {
		return undoing
	}
	return errs.Wrap(cause, errs.KindOf(cause), "provision tenant",
		"step %s failed: %s. The rollback could not be finished either: %s. It is taken up by the next run",
		step, errs.Truncate(errs.SafeMessage(cause), errs.MaxErrorLength/2), errs.Truncate(errs.SafeMessage(undoing), errs.MaxErrorLength/4))
}

// tellAdmin sends the failure mail. A mail that fails changes nothing about the
// tenant, so it is reported to the observer and no more.
func (x *execution) tellAdmin(t tenant.Tenant) {
	ctx, cancel := x.cleanupContext()
	defer cancel()
	if err := x.mailer.SendFailure(ctx, FailureMail{Tenant: t}); err != nil {
		x.opts.Observer(ctx, Event{
			Tenant: t, Attempt: t.Attempt, Step: tenant.StepSendWelcomeEmail, Status: tenant.StepFailed, Cause: err,
			Message: "the admin could not be told about the failure: " + errs.SafeMessage(err),
		})
	}
}
