package provisioning

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// purgeUndoTimeout limits the undo of a tenant's own steps before its purge: the API answers within
// 50 seconds. A purge that is repeated goes on where it stopped.
const purgeUndoTimeout = 40 * time.Second

// undoAttempt undoes the own steps of the attempt, the newest first, before its schema is dropped.
// A step that cannot be undone is recorded, and does not keep the tenant from its rollback.
func (x *execution) undoAttempt() error {
	if x.run.Tenant.IsStandard() {
		return nil
	}
	toUndo, err := x.stepsToUndo()
	if err != nil {
		return err
	}
	for range x.opts.Retry.Tries(x.callerCtx, x.opts.Clock, &err, nil) {
		err = x.ownStepStore.CloseStepLogins(x.workCtx, x.run.Tenant.ID)
	}
	if err != nil {
		return err
	}
	for _, s := range toUndo {
		if s.Attempt != x.run.Tenant.Attempt || s.State == OwnStepUndoFailed {
			continue // It has failed before; the next attempt, or a purge, tries it again.
		}
		if _, err := x.undo(s); err != nil {
			return err
		}
	}
	return nil
}

// undoEarlierAttempts undoes what earlier attempts could not. While something is left over, no attempt
// begins: the platform would have two of it.
func (x *execution) undoEarlierAttempts() (failed tenant.Step, err error) {
	t := x.run.Tenant
	if t.IsStandard() || t.Attempt == 1 || x.run.Checkpoint != tenant.StepCreateTenantRecord {
		return "", nil
	}
	toUndo, err := x.stepsToUndo()
	if err != nil {
		return tenant.StepCreateSchema, err
	}
	for _, s := range toUndo {
		if s.Attempt >= t.Attempt {
			continue
		}
		failure, err := x.undo(s)
		if err != nil {
			return s.Step(), err
		}
		if failure != "" {
			return s.Step(), errs.Errorf(errs.KindPermanent, "undo own step", "what it did in attempt %d is left over, and its undo failed again: %s. "+
				"Retry when it can be undone; or undo it by hand, and then run: tenant-api tenants retry %s --skip-undo %s --reason TEXT", s.Attempt, failure, t.ID, s.Definition.Name)
		}
	}
	return "", nil
}

func (x *execution) stepsToUndo() (all []OwnStep, err error) {
	for range x.opts.Retry.Tries(x.callerCtx, x.opts.Clock, &err, nil) {
		_, all, err = x.undoStore.StepsToUndo(x.workCtx, x.run.Tenant.ID)
	}
	return all, err
}

// undo undoes a step and records the outcome. failure says why it could not be undone for good; the
// error is that of the run.
func (x *execution) undo(s OwnStep) (failure string, err error) {
	end := x.startSpan("undo " + string(s.Step()))
	defer func() { end(err) }()
	_, _, err = x.deliver(s, true)
	if errs.KindOf(err) == errs.KindPermanent {
		failure, err = errs.SafeMessage(err), nil
	}
	if err != nil {
		return "", err
	}
	for range x.tries(s.Step(), &err) {
		err = x.undoStore.EndUndo(x.workCtx, x.run, s, failure)
	}
	switch {
	case err != nil:
	case failure != "":
		x.notify(s.Step(), tenant.StepFailed, 0, errs.Errorf(errs.KindPermanent, "undo own step", "the undo failed: %s", failure))
	default:
		x.notify(s.Step(), tenant.StepRolledBack, 0, nil)
	}
	return failure, err
}

// undoForPurge undoes all own steps of an archived tenant. KindPermanent when one cannot be undone,
// KindTransient when it may be later: then nothing is purged.
func (p *Pipeline) undoForPurge(ctx context.Context, id uuid.UUID) error {
	run, toUndo, err := p.undoStore.StepsToUndo(ctx, id)
	if err != nil || len(toUndo) == 0 {
		return err
	}
	waits, cancel := context.WithTimeout(ctx, purgeUndoTimeout)
	defer cancel()
	x := &execution{Pipeline: p, run: run, callerCtx: waits, workCtx: waits, options: RunOptions{Foreground: true}}
	for _, s := range toUndo {
		failure, err := x.undo(s)
		switch {
		case err != nil && waits.Err() != nil && ctx.Err() == nil:
			return errs.Wrap(err, errs.KindTransient, "purge tenant", "the step %s was not undone within %v, so nothing was purged; purge again", s.Definition.Name, purgeUndoTimeout)
		case err != nil:
			return err
		case failure != "":
			return errs.Errorf(errs.KindPermanent, "purge tenant", "the step %s could not be undone, so nothing was purged: %s. "+
				"Purge again when it can be; or undo it by hand, and then run: tenant-api tenants purge %s --skip-undo %s --reason TEXT", s.Definition.Name, failure, id, s.Definition.Name)
		}
	}
	return nil
}

// SkipUndo records that own steps of a tenant that could not be undone are not tried again: a
// person undid them, or accepts what is left over. KindInvalid without a reason, and for a step of
// which nothing is left over.
func (s *Service) SkipUndo(ctx context.Context, id uuid.UUID, steps []string, reason string) error {
	return s.refusals.Add(ctx, id, audit.ActionSkipUndo, s.skipUndo(ctx, id, steps, reason))
}

func (s *Service) skipUndo(ctx context.Context, id uuid.UUID, steps []string, reason string) error {
	if len(steps) == 0 {
		return &errs.Error{Kind: errs.KindInvalid, Op: "skip undo", Fields: []errs.FieldError{{Field: "steps", Message: "names no step; name those of which something is left over"}}}
	}
	reason, err := checkReason("skip undo", reason)
	if err != nil {
		return err
	}
	return s.pipeline.undoStore.SkipUndo(ctx, id, steps, reason)
}
