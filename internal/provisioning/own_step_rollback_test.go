package provisioning_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/webhook"
)

// TestOwnSteps_AbortWhilePostponed: the undo of a step that is asked again later is sent at once.
func TestOwnSteps_AbortWhilePostponed(t *testing.T) {
	t.Parallel()
	w, d := newWorld(t), newDirectory(t)
	d.publish(w)
	d.setAnswer(func(e stepEvent) (int, string, string) {
		if e.Type == webhook.TypeStep {
			return 202, "Retry-After: 55", ""
		}
		return 200, "", ""
	})
	draft := w.submitted()
	pipeline, service := w.stepProcess(d).build()
	if _, err := pipeline.Run(t.Context(), draft.ID, provisioning.RunOptions{Retryable: true}); provisioning.PostponedFor(err) == 0 {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	got, err := service.Archive(ctx, draft.ID)
	if err != nil || got.Status != tenant.StatusArchived || d.log() != "BEFORE !BEFORE" {
		t.Errorf("%s, %s, %v", got.Status, d.log(), err)
	}
}

// TestOwnSteps_SecretMissing: without its secret a step is not sent, and nothing is left over.
func TestOwnSteps_SecretMissing(t *testing.T) {
	t.Parallel()
	w, d := newWorld(t), newDirectory(t)
	d.publish(w)
	p := w.stepProcess(d)
	p.sender = webhook.New(webhook.Options{Webhook: config.Webhook{}})
	out, err := p.service().Provision(t.Context(), withSteps())
	if errs.KindOf(err) != errs.KindPermanent || out.Tenant.Status != tenant.StatusFailed || strings.Contains(out.Tenant.ProvisioningError, "Left over") {
		t.Errorf("%q, %v", out.Tenant.ProvisioningError, err)
	}
	if out, err = w.stepProcess(d).service().Retry(t.Context(), out.Tenant.ID); err != nil || d.log() != "BEFORE AFTER" {
		t.Errorf("%s, %s, %v", out.Tenant.Status, d.log(), err)
	}
}

// TestReconciler_PostponedUndo: until the next request of an undo is due, the tenant is not claimed.
func TestReconciler_PostponedUndo(t *testing.T) {
	t.Parallel()
	w, d := newWorld(t), newDirectory(t)
	d.publish(w)
	d.refuseAfter()
	w.dieAfter("BeginRollback", d, withSteps())
	w.registry.ExpireLeases(time.Hour)
	d.setAnswer(func(stepEvent) (int, string, string) { return 503, "Retry-After: 55", "" })
	r := w.stepProcess(d).reconciler()
	var version int64
	for pass := range 3 {
		w.pass(r)
		if pass > 0 && w.only().Version != version {
			t.Errorf("pass %d claimed the tenant", pass)
		}
		version = w.only().Version
		w.registry.SetUpdated(-time.Minute)
		w.registry.SetStepsUpdated(-time.Minute)
	}
	w.registry.MakeOwnStepsDue()
	d.setAnswer(nil)
	if report := w.pass(r); len(report.RolledBack) != 1 || d.entryCount() != 0 {
		t.Errorf("%+v", report)
	}
}

// TestOwnSteps_ClockSetBack: a database whose clock was set back does not hold the tenant for so long.
func TestOwnSteps_ClockSetBack(t *testing.T) {
	t.Parallel()
	w, d := newWorld(t), newDirectory(t)
	d.publish(w)
	d.setAnswer(func(stepEvent) (int, string, string) { return 503, "Retry-After: 30", "" })
	draft := w.submitted()
	pipeline, _ := w.stepProcess(d).build()
	run := func() error {
		_, err := pipeline.Run(t.Context(), draft.ID, provisioning.RunOptions{Retryable: true})
		return err
	}
	if err := run(); provisioning.PostponedFor(err) == 0 {
		t.Fatal(err)
	}
	w.registry.AgeOwnSteps(-24 * time.Hour)
	if err := run(); provisioning.PostponedFor(err) > time.Minute || d.log() != "BEFORE BEFORE" {
		t.Errorf("%s: %v", d.log(), err)
	}
	w.registry.AgeOwnSteps(2 * time.Hour)
	if err := run(); !strings.Contains(errs.SafeMessage(err), "within its deadline") {
		t.Errorf("the deadline was put off: %v", err)
	}
}

// TestOwnSteps_DeadlineAfterKill: a run that continues after the deadline says that no answer is known.
func TestOwnSteps_DeadlineAfterKill(t *testing.T) {
	t.Parallel()
	w, d := newWorld(t), newDirectory(t)
	d.publish(w)
	w.dieAfter("BeginDelivery", d, withSteps())
	w.expireLeases()
	w.registry.AgeOwnSteps(2 * time.Hour)
	out, err := w.stepProcess(d).service().Provision(t.Context(), withSteps())
	if err == nil || !strings.Contains(out.Tenant.ProvisioningError, "none is known, the run was interrupted. Check") || d.log() != "!BEFORE" {
		t.Errorf("%q, %s: %v", out.Tenant.ProvisioningError, d.log(), err)
	}
}

// TestOwnSteps_UndoRepeated: an undo that a later attempt repeats has the outputs of its step, which
// the receiver may need, and the same body.
func TestOwnSteps_UndoRepeated(t *testing.T) {
	t.Parallel()
	w, d := newWorld(t), newDirectory(t)
	d.publish(w)
	d.setAnswer(func(e stepEvent) (int, string, string) {
		if e.Type == webhook.TypeStepUndo || e.Data.Step == "AFTER" {
			return 403, "", ""
		}
		return 200, "", `{"outputs": {"before_id": "b1"}}`
	})
	service := w.stepProcess(d).service()
	out, err := service.Provision(t.Context(), withSteps())
	if err == nil {
		t.Fatal("the step did not fail")
	}
	d.setAnswer(nil)
	if _, err := service.Retry(t.Context(), out.Tenant.ID); err != nil {
		t.Fatal(err)
	}
	undos := 0
	for _, e := range d.events {
		if e.Type == webhook.TypeStepUndo && e.Data.Step == "BEFORE" {
			if undos++; e.Data.Outputs["before_id"] != "b1" || e.Data.Tenant["revision"] != 1.0 {
				t.Errorf("%+v", e)
			}
		}
	}
	if undos != 2 {
		t.Errorf("%d undos of BEFORE", undos)
	}
}
