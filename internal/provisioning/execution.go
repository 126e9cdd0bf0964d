package provisioning

import (
	"context"
	"errors"
	"time"
)

// execution is one run of one tenant, from its claim to its end.
type execution struct {
	*Pipeline
	run        Run
	stop       context.Context // The caller's: when it ends, no further step begins.
	work       context.Context // The steps': ends with the lease, or StepGrace after stop.
	invitation Invitation      // Known only to the process that drew it.
	buffered   Progress        // Finished, and not committed yet.
	options    RunOptions
	warnings   []string
}

// errLeaseLost is the cause of work's end when the lease could not be renewed.
var errLeaseLost = Errorf(KindFenced, "renew lease",
	"the registry could not be reached for longer than the lease lasts; another run may have the tenant now")

func (p *Pipeline) execute(ctx context.Context, run Run, o RunOptions) (Outcome, error) {
	work, end := p.withGrace(ctx)
	defer end(nil)
	x := &execution{Pipeline: p, run: run, stop: ctx, work: work, options: o}
	beat := make(chan struct{})
	go func() {
		defer close(beat)
		x.heartbeat(work, run, end)
	}()
	tenant, err := x.steps()
	end(nil)
	<-beat
	return Outcome{Tenant: tenant, Warnings: x.warnings}, err
}

// heartbeat renews the lease until work ends. A refusal ends work at once; mere
// silence of the registry does as soon as the lease has run out.
func (x *execution) heartbeat(work context.Context, run Run, end context.CancelCauseFunc) {
	clock, alive := x.opts.Clock, x.opts.Clock.Now()
	for clock.Sleep(work, x.opts.Heartbeat) == nil {
		asked := clock.Now()
		ctx, cancel := context.WithTimeout(work, min(x.opts.Heartbeat, x.opts.LeaseTTL-asked.Sub(alive)))
		err := x.runs.Renew(ctx, run, x.opts.LeaseTTL)
		cancel()
		switch {
		case err == nil:
			alive = asked
		case KindOf(err) == KindFenced:
			end(err)
			return
		case clock.Now().Sub(alive) >= x.opts.LeaseTTL-x.opts.Heartbeat: // The next try would come too late.
			end(errLeaseLost)
			return
		}
	}
}

// steps goes through what is left to do.
func (x *execution) steps() (Tenant, error) {
	if x.run.Undo != UndoNone {
		return x.undo()
	}
	done := x.run.Checkpoint.Index()
	if done < 0 {
		return x.run.Tenant, Errorf(KindPermanent, "continue tenant",
			"the registry names a step %q that this version does not know; use the version that wrote it, or a newer one", x.run.Checkpoint)
	}
	if done == 0 { // The record was made together with the claim.
		x.tell(StepCreateTenantRecord, StepCompleted, x.run.Recorded, nil)
	}
	for _, step := range steps[done+1:] {
		if step.Index() <= x.run.Checkpoint.Index() {
			continue // Done together with the one before.
		}
		if x.stop.Err() != nil {
			return x.giveBack(step)
		}
		x.tell(step, StepInProgress, 0, nil)
		started := x.opts.Clock.Now()
		if err := x.perform(step, started); err != nil {
			return x.ended(step, x.opts.since(started), err)
		}
	}
	return x.run.Tenant, nil
}

func (x *execution) perform(step Step, started time.Time) error {
	switch step {
	case StepCreateSchema:
		return x.prepareSchema()
	case StepDeploySorobanContract:
		return x.deployContract(started)
	case StepStoreContractAddress:
		return x.storeContract()
	case StepSendWelcomeEmail:
		return x.sendWelcome(started)
	default:
		return Errorf(KindPermanent, "continue tenant",
			"the registry says that step %s comes next, which never stands alone; the registry was changed by hand", step)
	}
}

// retry repeats f, a part of the step, while the fault is transient.
func (x *execution) retry(step Step, f func() error) error {
	return x.opts.Retry.do(x.stop, x.opts.Clock, func() error {
		if cause := context.Cause(x.work); cause != nil {
			return cause
		}
		err := f()
		if cause := context.Cause(x.work); err != nil && cause != nil && errors.Is(err, context.Canceled) {
			return cause // The reason why work ended says more than that it ended.
		}
		return err
	}, func(try int, err error) {
		x.tell(step, StepInProgress, 0, Wrap(err, KindTransient, "", "try %d of %d failed and is repeated: %s",
			try, x.opts.Retry.Attempts, SafeMessage(err)))
	})
}

func (x *execution) tell(step Step, status StepStatus, took time.Duration, err error) {
	e := Event{Tenant: x.run.Tenant, Attempt: x.run.Tenant.Attempt, Step: step, Status: status, Duration: took, Cause: err}
	if err != nil {
		e.Message = SafeMessage(err)
	}
	x.opts.Observer(x.stop, e)
}

// ended decides what a failed step means for the tenant.
func (x *execution) ended(step Step, took time.Duration, err error) (Tenant, error) {
	switch kind := KindOf(err); {
	case kind == KindFenced:
		return x.run.Tenant, err
	case kind == KindCancelled, x.stop.Err() != nil && kind == KindTransient:
		return x.giveBack(step)
	case kind == KindTransient && x.options.MoreRuns:
		return x.putOff(step, took, err)
	}
	x.tell(step, StepFailed, took, err)
	return x.fail(step, took, err)
}

// giveBack ends the run between two steps, at the caller's wish.
func (x *execution) giveBack(next Step) (Tenant, error) {
	ctx, cancel := x.afterwards()
	defer cancel()
	_, err := x.flush(ctx)
	if err == nil {
		err = x.runs.Release(ctx, x.run)
	}
	switch {
	case KindOf(err) == KindFenced:
		return x.run.Tenant, err
	case x.run.Tenant.Status == StatusActive:
		return x.run.Tenant, nil // The last commit was what remained.
	}
	// A release that fails is no loss: the lease runs out by itself.
	reason := context.Cause(x.stop)
	if errors.Is(reason, context.DeadlineExceeded) {
		return x.run.Tenant, Wrap(reason, KindCancelled, "provision tenant",
			"the time allowed ran out before step %s; the tenant keeps its progress", next)
	}
	return x.run.Tenant, Wrap(reason, KindCancelled, "provision tenant",
		"stopped on request before step %s; the tenant keeps its progress", next)
}

// putOff ends the run at a transient fault, for a later run to try again.
func (x *execution) putOff(step Step, took time.Duration, cause error) (Tenant, error) {
	ctx, cancel := x.afterwards()
	defer cancel()
	record := StepRecord{Step: step, Status: StepInProgress, Error: SafeMessage(cause), Duration: took}
	_, err := x.flush(ctx)
	if err == nil {
		err = x.runs.Release(ctx, x.run, record)
	}
	if KindOf(err) == KindFenced {
		return x.run.Tenant, err
	}
	// A release that fails is no loss: the lease runs out by itself.
	return x.run.Tenant, Wrap(cause, KindTransient, "provision tenant",
		"step %s failed and is tried again later: %s", step, SafeMessage(cause))
}

// afterwards is a context for the last words of a run whose own has ended.
func (x *execution) afterwards() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(x.work), x.opts.StepGrace)
}

// flush commits what is buffered, and gives what the steps in it took.
func (x *execution) flush(ctx context.Context) (Durations, error) {
	if x.buffered.Checkpoint == "" {
		return nil, nil
	}
	tenant, took, err := x.runs.Advance(ctx, x.run, x.buffered)
	if err != nil {
		return nil, err
	}
	x.run.Tenant, x.run.Checkpoint = tenant, x.buffered.Checkpoint
	x.buffered = Progress{}
	return took, nil
}

// since is how long a step has been running, as exactly as the log has it: in
// microseconds, and at least one, as the log takes zero for not measured.
func (o PipelineOptions) since(started time.Time) time.Duration {
	return max(o.Clock.Now().Sub(started).Truncate(time.Microsecond), time.Microsecond)
}
