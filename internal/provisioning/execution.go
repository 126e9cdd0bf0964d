package provisioning

import (
	"context"
	"errors"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// execution is one run of one tenant, from its claim to its end.
type execution struct {
	*Pipeline
	run        Run
	callerCtx  context.Context       // The caller's: when it ends, no further step begins.
	workCtx    context.Context       // The steps': ends with the lease, or StepGrace after stop.
	invitation invitation.Invitation // Known only to the process that drew it.
	pending    Progress              // Finished, and not committed yet.
	options    RunOptions
	warnings   []string
}

// errLeaseLost is the cause of work's end when the lease could not be renewed.
var errLeaseLost = errs.Errorf(errs.KindFenced, "renew lease",
	"the registry could not be reached for longer than the lease lasts; another run may have the tenant now")

func (p *Pipeline) execute(ctx context.Context, run Run, o RunOptions) (Outcome, error) {
	workCtx, endWork := p.withGrace(ctx)
	defer endWork(nil)
	x := &execution{Pipeline: p, run: run, callerCtx: ctx, workCtx: workCtx, options: o}
	heartbeatDone := make(chan struct{})
	go func() {
		defer close(heartbeatDone)
		x.heartbeat(workCtx, run, endWork)
	}()
	tenant, err := x.runSteps()
	endWork(nil)
	<-heartbeatDone
	return Outcome{Tenant: tenant, Warnings: x.warnings}, err
}

// heartbeat renews the lease until work ends. A refusal ends work at once; mere
// silence of the registry does as soon as the lease has run out.
func (x *execution) heartbeat(workCtx context.Context, run Run, endWork context.CancelCauseFunc) {
	clock, renewedAt := x.opts.Clock, x.opts.Clock.Now()
	for clock.Sleep(workCtx, x.opts.Heartbeat) == nil {
		started := clock.Now()
		ctx, cancel := context.WithTimeout(workCtx, min(x.opts.Heartbeat, x.opts.LeaseTTL-started.Sub(renewedAt)))
		err := x.runs.Renew(ctx, run, x.opts.LeaseTTL)
		cancel()
		switch {
		case err == nil:
			renewedAt = started
		case errs.KindOf(err) == errs.KindFenced:
			endWork(err)
			return
		case clock.Now().Sub(renewedAt) >= x.opts.LeaseTTL-x.opts.Heartbeat: // The next try would come too late.
			endWork(errLeaseLost)
			return
		}
	}
}

// runSteps goes through what is left to do.
func (x *execution) runSteps() (tenant.Tenant, error) {
	if x.run.Rollback != RollbackNone {
		return x.rollBack()
	}
	done := x.run.Checkpoint.Index()
	if done < 0 {
		return x.run.Tenant, errs.Errorf(errs.KindPermanent, "continue tenant",
			"the registry names a step %q that this version does not know; use the version that wrote it, or a newer one", x.run.Checkpoint)
	}
	if done == 0 { // The record was made together with the claim.
		x.notify(tenant.StepCreateTenantRecord, tenant.StepCompleted, x.run.Recorded, nil)
	}
	for _, step := range tenant.AllSteps[done+1:] {
		if step.Index() <= x.run.Checkpoint.Index() {
			continue // Done together with the one before.
		}
		if x.callerCtx.Err() != nil {
			return x.release(step)
		}
		x.notify(step, tenant.StepInProgress, 0, nil)
		started := x.opts.Clock.Now()
		if err := x.runStep(step, started); err != nil {
			return x.handleStepError(step, x.opts.since(started), err)
		}
	}
	return x.run.Tenant, nil
}

func (x *execution) runStep(step tenant.Step, started time.Time) error {
	switch step {
	case tenant.StepCreateSchema:
		return x.prepareSchema()
	case tenant.StepDeploySorobanContract:
		return x.deployContract(started)
	case tenant.StepStoreContractAddress:
		return x.storeContract()
	case tenant.StepSendWelcomeEmail:
		return x.sendWelcome(started)
	default:
		return errs.Errorf(errs.KindPermanent, "continue tenant",
			"the registry says that step %s comes next, which never stands alone; the registry was changed by hand", step)
	}
}

// retry repeats f, a part of the step, while the fault is transient.
func (x *execution) retry(step tenant.Step, f func() error) error {
	return x.opts.Retry.Do(x.callerCtx, x.opts.Clock, func() error {
		if cause := context.Cause(x.workCtx); cause != nil {
			return cause
		}
		err := f()
		if cause := context.Cause(x.workCtx); err != nil && cause != nil && errors.Is(err, context.Canceled) {
			return cause // The reason why work ended says more than that it ended.
		}
		return err
	}, func(try int, err error) {
		x.notify(step, tenant.StepInProgress, 0, errs.Wrap(err, errs.KindTransient, "", "try %d of %d failed and is repeated: %s",
			try, x.opts.Retry.Attempts, errs.SafeMessage(err)))
	})
}

func (x *execution) notify(step tenant.Step, status tenant.StepStatus, took time.Duration, err error) {
	e := Event{Tenant: x.run.Tenant, Attempt: x.run.Tenant.Attempt, Step: step, Status: status, Duration: took, Cause: err}
	if err != nil {
		e.Message = errs.SafeMessage(err)
	}
	x.opts.Observer(x.callerCtx, e)
}

// handleStepError decides what a failed step means for the tenant.
func (x *execution) handleStepError(step tenant.Step, took time.Duration, err error) (tenant.Tenant, error) {
	switch kind := errs.KindOf(err); {
	case kind == errs.KindFenced:
		return x.run.Tenant, err
	case kind == errs.KindCancelled, x.callerCtx.Err() != nil && kind == errs.KindTransient:
		return x.release(step)
	case kind == errs.KindTransient && x.options.Retryable:
		return x.releaseForRetry(step, took, err)
	}
	x.notify(step, tenant.StepFailed, took, err)
	return x.failAttempt(step, took, err)
}

// release ends the run between two steps, at the caller's wish.
func (x *execution) release(next tenant.Step) (tenant.Tenant, error) {
	ctx, cancel := x.cleanupContext()
	defer cancel()
	_, err := x.commitPending(ctx)
	if err == nil {
		err = x.runs.Release(ctx, x.run)
	}
	switch {
	case errs.KindOf(err) == errs.KindFenced:
		return x.run.Tenant, err
	case x.run.Tenant.Status == tenant.StatusActive:
		return x.run.Tenant, nil // The last commit was what remained.
	}
	// A release that fails is no loss: the lease runs out by itself.
	reason := context.Cause(x.callerCtx)
	if errors.Is(reason, context.DeadlineExceeded) {
		return x.run.Tenant, errs.Wrap(reason, errs.KindCancelled, "provision tenant",
			"the time allowed ran out before step %s; the tenant keeps its progress", next)
	}
	return x.run.Tenant, errs.Wrap(reason, errs.KindCancelled, "provision tenant",
		"stopped on request before step %s; the tenant keeps its progress", next)
}

// deferBatch ends the run at a transient fault, for a later run to try again.
func (x *execution) releaseForRetry(step tenant.Step, took time.Duration, cause error) (tenant.Tenant, error) {
	ctx, cancel := x.cleanupContext()
	defer cancel()
	record := tenant.StepRecord{Step: step, Status: tenant.StepInProgress, Error: errs.SafeMessage(cause), Duration: took}
	_, err := x.commitPending(ctx)
	if err == nil {
		err = x.runs.Release(ctx, x.run, record)
	}
	if errs.KindOf(err) == errs.KindFenced {
		return x.run.Tenant, err
	}
	// A release that fails is no loss: the lease runs out by itself.
	return x.run.Tenant, errs.Wrap(cause, errs.KindTransient, "provision tenant",
		"step %s failed and is tried again later: %s", step, errs.SafeMessage(cause))
}

// cleanupContext is a context for the last words of a run whose own has ended.
func (x *execution) cleanupContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(x.workCtx), x.opts.StepGrace)
}

// commitPending commits what is buffered, and gives what the steps in it took.
func (x *execution) commitPending(ctx context.Context) (tenant.Durations, error) {
	if x.pending.Checkpoint == "" {
		return nil, nil
	}
	tenant, took, err := x.runs.Advance(ctx, x.run, x.pending)
	if err != nil {
		return nil, err
	}
	x.run.Tenant, x.run.Checkpoint = tenant, x.pending.Checkpoint
	x.pending = Progress{}
	return took, nil
}

// since is how long a step has been running, as exactly as the log has it: in
// microseconds, and at least one, as the log takes zero for not measured.
func (o PipelineOptions) since(started time.Time) time.Duration {
	return max(o.Clock.Now().Sub(started).Truncate(time.Microsecond), time.Microsecond)
}
