package provisioning

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// runOwnSteps completes the own steps that come before one of the seven. With an error it returns
// the step that failed and the time since its first delivery.
func (x *execution) runOwnSteps(next tenant.Step) (failed tenant.Step, took time.Duration, err error) {
	before := map[tenant.Step]tenant.Step{
		tenant.StepDeploySorobanContract: tenant.StepSeedRolesAndUser,
		tenant.StepSendWelcomeEmail:      tenant.StepStoreContractAddress,
	}[next]
	if before == "" || x.run.Tenant.IsStandard() {
		return "", 0, nil
	}
	if err := x.readOwnSteps(next); err != nil {
		return next, 0, err
	}
	remaining := slices.DeleteFunc(x.ownStepsAfter(before), func(s OwnStep) bool { return s.State == OwnStepCompleted })
	for i, s := range remaining {
		if x.callerCtx.Err() != nil {
			return s.Step(), 0, context.Cause(x.callerCtx)
		}
		after := next
		if i+1 < len(remaining) {
			after = remaining[i+1].Step()
		}
		if took, err := x.runOwnStep(s, after); err != nil {
			return s.Step(), took, err
		}
	}
	return "", 0, nil
}

// stepAfterStore is the step that begins after STORE_CONTRACT_ADDRESS.
func (x *execution) stepAfterStore() (tenant.Step, error) {
	if x.run.Tenant.IsStandard() {
		return tenant.StepSendWelcomeEmail, nil
	}
	err := x.readOwnSteps(tenant.StepStoreContractAddress)
	if own := x.ownStepsAfter(tenant.StepStoreContractAddress); len(own) > 0 {
		return own[0].Step(), err
	}
	return tenant.StepSendWelcomeEmail, err
}

// ownStepsAfter are the own steps that come after one of the seven, in order.
func (x *execution) ownStepsAfter(step tenant.Step) (after []OwnStep) {
	for _, s := range x.ownSteps {
		if s.Definition.After == string(step) {
			after = append(after, s)
		}
	}
	return after
}

// readOwnSteps reads the own steps of the attempt, once. step is the one that waits for it.
func (x *execution) readOwnSteps(step tenant.Step) (err error) {
	if x.ownStepsRead {
		return nil
	}
	for range x.tries(step, &err) {
		x.ownSteps, err = x.ownStepStore.OwnSteps(x.workCtx, x.run)
	}
	x.ownStepsRead = err == nil
	return err
}

// runOwnStep sends an own step until it is completed, and records its outcome and that next is in
// progress. It returns the time since the first delivery.
func (x *execution) runOwnStep(s OwnStep, next tenant.Step) (took time.Duration, err error) {
	end := x.startSpan(string(s.Step()))
	defer func() { end(err) }()
	x.notify(s.Step(), tenant.StepInProgress, 0, nil)
	for range x.tries(s.Step(), &err) { // The request must not say more than is committed.
		_, err = x.commitPending(x.workCtx)
	}
	if err != nil {
		return 0, err
	}
	// Without the secret nothing can be sent, and nothing has to be undone.
	if _, err := x.opts.StepSender.StepPassword(s); err != nil {
		return 0, err
	}
	answer, took, err := x.deliver(s, false)
	if err != nil {
		return took, err
	}
	if err := checkOutputs(x.run.Tenant.Outputs, answer.Outputs); err != nil {
		return took, err
	}
	record := tenant.StepRecord{Step: s.Step(), Status: tenant.StepCompleted, Duration: took}
	if len(answer.Outputs) > 0 {
		record.Result = map[string]any{"outputs": slices.Sorted(maps.Keys(answer.Outputs))} // The log has no values.
	}
	for range x.tries(s.Step(), &err) {
		if s.Definition.Database == blueprint.StepDatabaseTenant {
			if err = x.ownStepStore.CloseStepLogins(x.workCtx, x.run.Tenant.ID); err != nil {
				continue
			}
		}
		x.run.Tenant, err = x.ownStepStore.CompleteStep(x.workCtx, x.run, s, answer.Outputs, record, tenant.StepRecord{Step: next, Status: tenant.StepInProgress})
	}
	if err == nil {
		x.notify(s.Step(), tenant.StepCompleted, took, nil)
	}
	return took, err
}

// deliver sends the requests of a step, or of its undo, until an answer is final, and returns the
// time since the first. KindPermanent when the step has failed, also by its deadline.
func (x *execution) deliver(s OwnStep, undo bool) (StepAnswer, time.Duration, error) {
	begin, deadline := x.ownStepStore.BeginDelivery, s.Definition.Webhook.Deadline
	if undo {
		begin, deadline = x.undoStore.BeginUndo, s.Definition.Undo.Deadline
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
			return StepAnswer{}, 0, err
		case d.Remaining <= 0:
			return StepAnswer{}, deadline, errs.Errorf(errs.KindPermanent, "run own step", "it was not completed within its deadline of %v; the last answer: %s. "+
				"Check the receiver, or give the step a longer deadline in the blueprint", deadline, cmp.Or(d.LastError, "none is known, the run was interrupted"))
		}
		wait, reason := d.Wait, d.LastError
		if wait <= 0 {
			sent := x.opts.Clock.Now()
			answer, err := x.send(s, undo, d)
			if err == nil && !answer.Pending || err != nil && errs.KindOf(err) != errs.KindTransient {
				return answer, max(deadline-d.Remaining, 0) + x.opts.since(sent), err
			}
			wait, reason = stepPause(answer, d), "the answer was Accepted (202), not done yet"
			if err != nil {
				reason = errs.SafeMessage(err)
			}
			if err := x.postpone(s, wait, reason); err != nil {
				return StepAnswer{}, 0, err
			}
		}
		x.notify(s.Step(), tenant.StepInProgress, 0, errs.Errorf(errs.KindTransient, "", "%s; it is sent again in %v", reason, wait.Round(time.Second)))
		if !x.options.Foreground {
			return StepAnswer{}, 0, errs.Wrap(&postponedError{s.Step(), wait, reason}, errs.KindTransient, "run own step", "%s", reason)
		}
		if err := x.opts.Clock.Sleep(x.callerCtx, wait); err != nil {
			return StepAnswer{}, 0, err
		}
	}
}

func (x *execution) postpone(s OwnStep, wait time.Duration, reason string) (err error) {
	for range x.tries(s.Step(), &err) {
		err = x.ownStepStore.PostponeStep(x.workCtx, x.run, s, wait, reason)
	}
	return err
}

// stepPause is the time until the next request: what the answer says within bounds, else a delay
// that grows. A pause ends at the deadline at the latest; then the step fails without another request.
func stepPause(answer StepAnswer, d Delivery) time.Duration {
	pause := answer.RetryAfter
	if pause <= 0 {
		pause = retry.Backoff(minStepPause, maxStepPause, 0.2, d.Number)
	}
	return min(max(pause, minStepPause), maxStepPause, max(d.Remaining, minStepPause))
}

// send sends one request, with a login if the step has one.
func (x *execution) send(s OwnStep, undo bool, d Delivery) (StepAnswer, error) {
	r := StepRequest{Step: s, Undo: undo, Tenant: d.Tenant, Traceparent: x.run.Traceparent}
	if undo { // The same in each delivery, also after the rollback has deleted them.
		r.Tenant.BlueprintRevision, r.Tenant.Outputs, r.Tenant.SchemaVersion = s.Revision, s.Outputs, 0
	}
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
	ttl := min(d.Remaining+s.Definition.Webhook.Timeout, credentials.MaxCredentialTTL)
	for range x.tries(s.Step(), &err) {
		login, err = x.ownStepStore.OpenStepLogin(x.workCtx, x.run, s, password, max(ttl, credentials.MinCredentialTTL))
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

// SendStep returns KindPermanent: no sender is configured.
func (noStepSender) SendStep(context.Context, StepRequest) (StepAnswer, error) {
	return StepAnswer{}, errNoSender
}

// StepPassword returns KindPermanent: no sender is configured.
func (noStepSender) StepPassword(OwnStep) (tenant.Password, error) { return "", errNoSender }

var errNoSender = errs.Errorf(errs.KindPermanent, "run own step", "no StepSender is configured; set PipelineOptions.StepSender")
