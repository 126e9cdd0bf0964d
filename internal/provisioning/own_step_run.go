package provisioning

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// runOwnSteps completes the own steps that come before one of the seven. It returns the step that
// failed, too.
func (x *execution) runOwnSteps(next tenant.Step) (tenant.Step, error) {
	after := map[tenant.Step]tenant.Step{
		tenant.StepDeploySorobanContract: tenant.StepSeedRolesAndUser,
		tenant.StepSendWelcomeEmail:      tenant.StepStoreContractAddress,
	}[next]
	if after == "" || x.run.Tenant.IsStandard() {
		return "", nil
	}
	if err := x.readOwnSteps(); err != nil {
		return next, err
	}
	var todo []OwnStep
	for _, s := range x.ownSteps {
		if s.Definition.After == string(after) && s.State != OwnStepCompleted {
			todo = append(todo, s)
		}
	}
	for i, s := range todo {
		if x.callerCtx.Err() != nil {
			return s.Step(), context.Cause(x.callerCtx)
		}
		begun := next
		if i+1 < len(todo) {
			begun = todo[i+1].Step()
		}
		if err := x.runOwnStep(s, begun); err != nil {
			return s.Step(), err
		}
	}
	return "", nil
}

// readOwnSteps reads the own steps of the attempt, once.
func (x *execution) readOwnSteps() (err error) {
	if x.ownStepsRead {
		return nil
	}
	for range x.tries(tenant.StepCreateSchema, &err) {
		x.ownSteps, err = x.owns.OwnSteps(x.workCtx, x.run)
	}
	x.ownStepsRead = err == nil
	return err
}

// runOwnStep sends an own step until it is completed, and records that and which step begins.
func (x *execution) runOwnStep(s OwnStep, begun tenant.Step) error {
	started := x.opts.Clock.Now()
	x.notify(s.Step(), tenant.StepInProgress, 0, nil)
	var err error
	for range x.tries(s.Step(), &err) { // What other programs are told must be so.
		_, err = x.commitPending(x.workCtx)
	}
	if err != nil {
		return err
	}
	// Without the secret nothing can be sent, and nothing has to be undone.
	if _, err := x.opts.StepSender.StepPassword(s); err != nil {
		return err
	}
	answer, err := x.deliver(s, false)
	if err != nil {
		return err
	}
	if err := checkOutputs(x.run.Tenant.Outputs, answer.Outputs); err != nil {
		return err
	}
	record := tenant.StepRecord{Step: s.Step(), Status: tenant.StepCompleted, Duration: x.opts.since(started)}
	if len(answer.Outputs) > 0 {
		record.Result = map[string]any{"outputs": outputNames(answer.Outputs)}
	}
	for range x.tries(s.Step(), &err) {
		if s.Definition.Database == blueprint.StepDatabaseTenant {
			if err = x.owns.CloseStepLogins(x.workCtx, x.run.Tenant.ID); err != nil {
				continue
			}
		}
		x.run.Tenant, err = x.owns.CompleteStep(x.workCtx, x.run, s, answer.Outputs, record, tenant.StepRecord{Step: begun, Status: tenant.StepInProgress})
	}
	if err == nil {
		x.notify(s.Step(), tenant.StepCompleted, record.Duration, nil)
	}
	return err
}

// deliver sends the requests of a step, or of its undo, until one is the last. KindPermanent when
// the step has failed, also by its deadline.
func (x *execution) deliver(s OwnStep, undo bool) (StepAnswer, error) {
	begin, deadline := x.owns.BeginDelivery, s.Definition.Webhook.Deadline
	if undo {
		begin, deadline = x.undos.BeginUndo, s.Definition.Undo.Deadline
	}
	for {
		var (
			d   Delivery
			err error
		)
		for range x.tries(s.Step(), &err) {
			d, err = begin(x.workCtx, x.run, s)
		}
		switch {
		case err != nil:
			return StepAnswer{}, err
		case d.Left <= 0:
			return StepAnswer{}, errs.Errorf(errs.KindPermanent, "run own step", "no answer ended it within its deadline of %v; the last one: %s", deadline, cmp.Or(d.LastError, "none is known, the run was interrupted"))
		}
		wait, reason := d.Wait, d.LastError
		if wait <= 0 {
			answer, err := x.send(s, undo, d)
			if err == nil && !answer.Pending || err != nil && errs.KindOf(err) != errs.KindTransient {
				return answer, err
			}
			wait, reason = stepPause(answer, d), "the answer was 202, not ready yet"
			if err != nil {
				reason = errs.SafeMessage(err)
			}
			if err := x.postpone(s, wait, reason); err != nil {
				return StepAnswer{}, err
			}
		}
		x.notify(s.Step(), tenant.StepInProgress, 0, errs.Errorf(errs.KindTransient, "", "%s; it is asked again in %v", reason, wait.Round(time.Second)))
		if !x.options.Foreground {
			return StepAnswer{}, errs.Wrap(&postponedError{s.Step(), wait, reason}, errs.KindTransient, "run own step", "%s", reason)
		}
		if err := x.opts.Clock.Sleep(x.callerCtx, wait); err != nil {
			return StepAnswer{}, err
		}
	}
}

func (x *execution) postpone(s OwnStep, wait time.Duration, reason string) (err error) {
	for range x.tries(s.Step(), &err) {
		err = x.owns.PostponeStep(x.workCtx, x.run, s, wait, reason)
	}
	return err
}

// stepPause is the time until the next request: what the answer says within bounds, else a delay
// that grows. The last request is at the deadline.
func stepPause(answer StepAnswer, d Delivery) time.Duration {
	pause := answer.RetryAfter
	if pause <= 0 {
		pause = retry.Backoff(minStepPause, maxStepPause, 0.2, d.Number)
	}
	return min(max(pause, minStepPause), maxStepPause, max(d.Left, minStepPause))
}

// send sends one request, with a login if the step has one.
func (x *execution) send(s OwnStep, undo bool, d Delivery) (StepAnswer, error) {
	r := StepRequest{Step: s, Undo: undo, Tenant: d.Tenant}
	if !undo && s.Definition.Database == blueprint.StepDatabaseTenant {
		login, err := x.openStepLogin(s, d)
		if err != nil {
			return StepAnswer{}, err
		}
		r.Login = &login
	}
	answer, err := x.opts.StepSender.SendStep(x.workCtx, r)
	if cause := context.Cause(x.workCtx); cause != nil && err != nil {
		return answer, cause
	}
	return answer, err
}

func (x *execution) openStepLogin(s OwnStep, d Delivery) (login credentials.Credential, err error) {
	password, err := x.opts.StepSender.StepPassword(s)
	if err != nil {
		return login, err
	}
	ttl := min(d.Left+s.Definition.Webhook.Timeout, credentials.MaxCredentialTTL)
	for range x.tries(s.Step(), &err) {
		login, err = x.owns.OpenStepLogin(x.workCtx, x.run, s, password, max(ttl, credentials.MinCredentialTTL))
	}
	return login, err
}

// checkOutputs returns an error if the outputs of a step do not fit with those of earlier steps.
func checkOutputs(before, more tenant.Outputs) error {
	for name := range more {
		if _, taken := before[name]; taken {
			return errs.Errorf(errs.KindPermanent, "run own step", "the answer has the output %q, which an earlier step gave; have one of them choose another name", name)
		}
	}
	if n := before.Size() + more.Size(); n > tenant.MaxOutputBytes {
		return errs.Errorf(errs.KindPermanent, "run own step", "the outputs of all steps together have %d bytes; at most %d are kept", n, tenant.MaxOutputBytes)
	}
	return nil
}

// outputNames are the names of outputs, for the log, which has no values.
func outputNames(o tenant.Outputs) []string {
	names := make([]string, 0, len(o))
	for name := range o {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// SendStep returns KindPermanent: no sender is configured.
func (noSteps) SendStep(context.Context, StepRequest) (StepAnswer, error) {
	return StepAnswer{}, errNoSender
}

// StepPassword returns KindPermanent: no sender is configured.
func (noSteps) StepPassword(OwnStep) (tenant.Password, error) { return "", errNoSender }

var errNoSender = errs.Errorf(errs.KindPermanent, "run own step", "this program cannot send the requests of blueprints' steps")

// releasePostponed ends a run whose next request of an own step is not due yet.
func (x *execution) releasePostponed(cause error) (tenant.Tenant, error) {
	var postponed *postponedError
	errors.As(cause, &postponed)
	ctx, cancel := x.cleanupContext()
	defer cancel()
	_, err := x.commitPending(ctx)
	if err == nil {
		err = x.leases.Release(ctx, x.run)
	}
	if errs.KindOf(err) == errs.KindFenced {
		return x.run.Tenant, err
	}
	// A failed release does no harm: the lease expires.
	return x.run.Tenant, errs.Wrap(postponed, errs.KindTransient, "provision tenant", "%s", fmt.Sprint(postponed))
}
