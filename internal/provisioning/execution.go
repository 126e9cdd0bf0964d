package provisioning

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// execution is one run of one tenant, from its claim to its end.
type execution struct {
	*Pipeline
	run        Run
	callerCtx  context.Context       // The caller's: when it ends, no further step begins.
	workCtx    context.Context       // The steps': ends with the lease, or some time after callerCtx.
	invitation invitation.Invitation // Known only to the process that drew it.
	pending    Progress              // Finished, and not committed yet.
	options    RunOptions
	warnings   []string

	ownSteps     []OwnStep // Of the attempt, once ownStepsRead.
	ownStepsRead bool
}

// errLeaseLost is the cancel cause of workCtx when the lease could not be renewed.
var errLeaseLost = errs.Errorf(errs.KindFenced, "renew lease",
	"the registry was unreachable for longer than the lease lasts; another run may hold the tenant now")

// heartbeat renews the lease until workCtx ends. When the registry refuses the renewal it
// cancels workCtx at once; when the registry does not answer, before the lease expires.
func (x *execution) heartbeat(workCtx context.Context, run Run, endWork context.CancelCauseFunc) {
	clock, renewedAt := x.opts.Clock, x.opts.Clock.Now()
	for clock.Sleep(workCtx, x.opts.Heartbeat) == nil {
		started := clock.Now()
		ctx, cancel := context.WithTimeout(tracing.Without(workCtx), min(x.opts.LeaseTTL/2, x.opts.LeaseTTL-started.Sub(renewedAt)))
		err := x.leases.Renew(ctx, run, x.opts.LeaseTTL)
		cancel()
		switch {
		case err == nil:
			renewedAt = started
		case errs.KindOf(err) == errs.KindFenced:
			endWork(err)
			return
		case clock.Now().Sub(renewedAt) >= x.opts.LeaseTTL-x.opts.Heartbeat: // The next heartbeat would be too late.
			endWork(errLeaseLost)
			return
		}
	}
}

// runSteps does the steps that are not completed yet.
func (x *execution) runSteps() (tenant.Tenant, error) {
	done := x.run.Checkpoint.Index()
	if done < 0 {
		return x.run.Tenant, errs.Errorf(errs.KindPermanent, "provision tenant",
			"the registry has a step %q that this version does not know; use the version that wrote it, or a newer one", x.run.Checkpoint)
	}
	if done == 0 { // The record was committed together with the claim.
		x.recordSpans(x.workCtx, tenant.Durations{tenant.StepCreateTenantRecord: x.run.Recorded}, tenant.StepCreateTenantRecord)
		x.notify(tenant.StepCreateTenantRecord, tenant.StepCompleted, x.run.Recorded, nil)
	}
	if failed, err := x.undoEarlierAttempts(); err != nil {
		return x.handleStepError(failed, 0, err)
	}
	for _, step := range tenant.Steps()[done+1:] {
		if step.Index() <= x.run.Checkpoint.Index() {
			continue // Completed together with the step before it.
		}
		if x.callerCtx.Err() != nil {
			return x.release(step)
		}
		if own, took, err := x.runOwnSteps(step); err != nil {
			return x.handleStepError(own, took, err)
		}
		if step == tenant.StepDeploySorobanContract && x.run.Tenant.WithoutContract {
			x.skipContract()
			continue
		}
		x.notify(step, tenant.StepInProgress, 0, nil)
		started := x.opts.Clock.Now()
		var err error
		switch step {
		case tenant.StepCreateSchema:
			err = x.prepareSchema()
		case tenant.StepDeploySorobanContract:
			err = x.traced(step, func() error { return x.deployContract(started) })
		case tenant.StepStoreContractAddress:
			err = x.traced(step, x.storeContract)
		case tenant.StepSendWelcomeEmail:
			err = x.traced(step, func() error { return x.sendWelcome(started) })
		default:
			err = errs.Errorf(errs.KindPermanent, "provision tenant",
				"the next step in the registry is %s, which no run begins with; the registry was changed by hand", step)
		}
		if err != nil {
			return x.handleStepError(step, x.opts.since(started), err)
		}
	}
	return x.run.Tenant, nil
}

// tries is retry.Policy.Tries for a part of the step. It makes no try after workCtx has
// ended.
func (x *execution) tries(step tenant.Step, err *error) iter.Seq[int] {
	return x.triesUntil(x.callerCtx, step, err)
}

// triesUntil is tries with a context that ends the pauses.
func (x *execution) triesUntil(stop context.Context, step tenant.Step, err *error) iter.Seq[int] {
	retrying := func(try int, err error) {
		x.notify(step, tenant.StepInProgress, 0, errs.Wrap(err, errs.KindTransient, "", "try %d of %d failed and is retried: %s",
			try, x.opts.Retry.Attempts, errs.SafeMessage(err)))
	}
	return func(yield func(int) bool) {
		for try := range x.opts.Retry.Tries(stop, x.opts.Clock, err, retrying) {
			if cause := context.Cause(x.workCtx); cause != nil {
				*err = cause
				return
			}
			more := yield(try)
			if cause := context.Cause(x.workCtx); cause != nil && errors.Is(*err, context.Canceled) {
				*err = cause // More specific than context.Canceled.
			}
			if !more {
				return
			}
		}
	}
}

func (x *execution) notify(step tenant.Step, status tenant.StepStatus, took time.Duration, err error) {
	e := Event{Tenant: x.run.Tenant, Attempt: x.run.Tenant.Attempt, Step: step, Status: status, Duration: took, Cause: err, TraceID: tracing.TraceIDOf(x.run.Traceparent)}
	if err != nil {
		e.Message = errs.SafeMessage(err)
	}
	x.opts.Observer(x.callerCtx, e)
}

// handleStepError stops, releases, retries later or rolls back, by the kind of the error.
func (x *execution) handleStepError(step tenant.Step, took time.Duration, err error) (tenant.Tenant, error) {
	switch kind := errs.KindOf(err); {
	case kind == errs.KindFenced:
		return x.run.Tenant, err
	case PostponedFor(err) > 0:
		return x.releasePostponed(err)
	case kind == errs.KindCancelled, x.callerCtx.Err() != nil && kind == errs.KindTransient:
		return x.release(step)
	case kind == errs.KindTransient && x.options.Retryable:
		return x.releaseForRetry(step, took, err)
	}
	x.notify(step, tenant.StepFailed, took, err)
	return x.failAttempt(step, took, err)
}

// release ends the run before the step next, because the caller stopped it.
func (x *execution) release(next tenant.Step) (tenant.Tenant, error) {
	if err := x.releaseLease(); err != nil {
		return x.run.Tenant, err
	}
	if x.run.Tenant.Status == tenant.StatusActive {
		return x.run.Tenant, nil // The last commit had been buffered.
	}
	reason := context.Cause(x.callerCtx)
	if errors.Is(reason, context.DeadlineExceeded) {
		return x.run.Tenant, errs.Wrap(reason, errs.KindCancelled, "provision tenant",
			"the time allowed ran out before step %s; the tenant keeps its progress", next)
	}
	return x.run.Tenant, errs.Wrap(reason, errs.KindCancelled, "provision tenant",
		"stopped on request before step %s; the tenant keeps its progress", next)
}

// releaseForRetry ends the run after a transient error; a later run retries the step.
func (x *execution) releaseForRetry(step tenant.Step, took time.Duration, cause error) (tenant.Tenant, error) {
	record := tenant.StepRecord{Step: step, Status: tenant.StepInProgress, Error: errs.SafeMessage(cause), Duration: took}
	if err := x.releaseLease(record); err != nil {
		return x.run.Tenant, err
	}
	return x.run.Tenant, errs.Wrap(cause, errs.KindTransient, "provision tenant",
		"step %s failed and is retried later: %s", step, errs.SafeMessage(cause))
}

// releasePostponed ends a run whose next request of an own step is not due yet.
func (x *execution) releasePostponed(cause error) (tenant.Tenant, error) {
	var postponed *postponedError
	errors.As(cause, &postponed)
	if err := x.releaseLease(); err != nil {
		return x.run.Tenant, err
	}
	return x.run.Tenant, errs.Wrap(postponed, errs.KindTransient, "provision tenant", "%v", postponed)
}

// releaseLease commits the buffered progress and releases the lease. The records go to the
// log. It returns KindFenced alone: any other failed release does no harm, the lease expires.
func (x *execution) releaseLease(records ...tenant.StepRecord) error {
	ctx, cancel := x.cleanupContext()
	defer cancel()
	_, err := x.commitPending(ctx)
	if err == nil {
		err = x.leases.Release(ctx, x.run, records...)
	}
	if errs.KindOf(err) == errs.KindFenced {
		return err
	}
	return nil
}

// cleanupContext returns a context for commits and releases after workCtx has ended. It
// ends after StepGrace, or sooner when the caller's deadline has passed.
func (x *execution) cleanupContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(x.workCtx), x.cleanupLimit())
}

func (x *execution) cleanupLimit() time.Duration {
	if errors.Is(x.callerCtx.Err(), context.DeadlineExceeded) {
		return min(x.opts.StepGrace, cleanupGrace)
	}
	return x.opts.StepGrace
}

// commitPending commits the buffered progress and returns the durations of its steps.
func (x *execution) commitPending(ctx context.Context) (tenant.Durations, error) {
	if x.pending.Checkpoint == "" {
		return nil, nil
	}
	tenant, took, err := x.steps.Advance(ctx, x.run, x.pending)
	if err != nil {
		return nil, err
	}
	x.run.Tenant, x.run.Checkpoint = tenant, x.pending.Checkpoint
	x.pending = Progress{}
	return took, nil
}

// since returns the time since started in the precision of the provisioning log:
// microseconds, and at least one because 0 means not measured.
func (o PipelineOptions) since(started time.Time) time.Duration {
	return max(o.Clock.Now().Sub(started).Truncate(time.Microsecond), time.Microsecond)
}
