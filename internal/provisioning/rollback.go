package provisioning

import (
	"errors"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// failAttempt ends the attempt: it records the rollback, then rolls back. When the
// registry does not answer, the tenant keeps its state until the lease expires; the next
// run then finishes the rollback, or continues if none was recorded.
func (x *execution) failAttempt(step tenant.Step, took time.Duration, cause error) (tenant.Tenant, error) {
	ctx, cancel := x.cleanupContext()
	defer cancel()
	if !x.pending.Activate {
		// The contract stays after a rollback, so record it. An error here does no harm:
		// the next attempt reads the ledger for the contract.
		_, _ = x.commitPending(ctx)
	}
	record := tenant.StepRecord{Step: step, Status: tenant.StepFailed, Error: errs.SafeMessage(cause), Duration: took}
	if step.Index() < 0 { // The tenant's error is read without the log, and an answer alone says little.
		record.Error = errs.Truncate("step "+string(step)+" failed: "+record.Error, errs.MaxErrorLength)
	}
	var err error
	for range x.opts.Retry.Tries(ctx, x.opts.Clock, &err, nil) {
		err = x.rollbacks.BeginRollback(ctx, x.run, RollbackToFailed, record)
	}
	if err != nil {
		return x.run.Tenant, x.rollbackIncomplete(step, cause, err)
	}
	x.run.Rollback = RollbackToFailed
	tenant, err := x.rollBack()
	if PostponedFor(err) > 0 {
		return x.run.Tenant, errs.Wrap(err, errs.KindTransient, "provision tenant", "step %s failed: %s. The rollback goes on: %s",
			step, errs.Truncate(errs.SafeMessage(cause), errs.MaxErrorLength/2), errs.SafeMessage(err))
	}
	if err != nil {
		return x.run.Tenant, x.rollbackIncomplete(step, cause, err)
	}
	return tenant, errs.Wrap(cause, errs.KindOf(cause), "provision tenant", "step %s failed: %s", step, errs.SafeMessage(cause))
}

// rollBack finishes the rollback that this or an earlier run began. The run that finishes
// it also sends the failure mail, which a reconciler sends later if that does not succeed. For
// an aborted tenant, which becomes ARCHIVED, no mail is sent.
func (x *execution) rollBack() (_ tenant.Tenant, err error) {
	end := x.startSpan("roll back")
	defer func() { end(err) }()
	if err := x.undoAttempt(); err != nil {
		return x.interruptRollback(err)
	}
	ctx, cancel := x.cleanupContext()
	defer cancel()
	var t tenant.Tenant
	for range x.opts.Retry.Tries(ctx, x.opts.Clock, &err, nil) {
		t, err = x.rollbacks.RollBack(ctx, x.run)
	}
	if err != nil {
		return x.run.Tenant, err
	}
	x.run.Tenant = t
	for _, step := range []tenant.Step{tenant.StepSeedRolesAndUser, tenant.StepRunMigrations, tenant.StepCreateSchema} {
		x.notify(step, tenant.StepRolledBack, 0, nil)
	}
	if t.Status == tenant.StatusFailed {
		x.sendFailureMail(t)
	}
	return t, nil
}

// interruptRollback ends a run whose own steps are not undone yet. The next run continues it.
func (x *execution) interruptRollback(cause error) (tenant.Tenant, error) {
	if PostponedFor(cause) > 0 {
		return x.releasePostponed(cause)
	}
	if errs.KindOf(cause) == errs.KindFenced {
		return x.run.Tenant, cause
	}
	if err := x.releaseLease(); err != nil {
		return x.run.Tenant, err
	}
	return x.run.Tenant, errs.Wrap(cause, errs.KindOf(cause), "roll back tenant", "the own steps of the blueprint are not undone yet: %s", errs.SafeMessage(cause))
}

// rollbackIncomplete returns the error of the failed step with that of the unfinished
// rollback.
func (x *execution) rollbackIncomplete(step tenant.Step, cause, undoing error) error {
	if errs.KindOf(undoing) == errs.KindFenced {
		return undoing
	}
	return errs.Wrap(cause, errs.KindOf(cause), "provision tenant",
		"step %s failed: %s. The rollback could not be finished either: %s. The next run continues it",
		step, errs.Truncate(errs.SafeMessage(cause), errs.MaxErrorLength/2), errs.Truncate(errs.SafeMessage(undoing), errs.MaxErrorLength/4))
}

// sendFailureMail sends the failure mail, of which the commit of the rollback was the claim. An error
// changes nothing about the tenant, so it is only reported to the observer. The lease is
// released by now: nothing waits for the run.
func (x *execution) sendFailureMail(t tenant.Tenant) {
	ctx, cancel := x.cleanupContext()
	defer cancel()
	report := func(err error) {
		if err == nil || errs.KindOf(err) == errs.KindConflict { // Another attempt has begun, or another process sends it.
			return
		}
		x.opts.Observer(ctx, Event{
			Tenant: t, Attempt: t.Attempt, Step: tenant.StepSendWelcomeEmail, Status: tenant.StepFailed, Cause: err,
			Message: "the failure mail could not be sent: " + errs.SafeMessage(err),
		})
	}
	wait := MailWait{Ended: report}
	if x.options.Foreground {
		wait.Dot, wait.Answer, wait.Total = x.opts.MailWait, x.opts.MailWait, x.opts.MailWait
	}
	if err := x.sendClaimed(ctx, FailureMail{Tenant: t, Try: 1}, wait, x.cleanupLimit()); !errors.Is(err, ErrMailUnderWay) {
		report(err)
	}
}
