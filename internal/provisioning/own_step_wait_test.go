package provisioning_test

import (
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// submitted records a tenant with own steps for a worker.
func (w *world) submitted() tenant.Draft {
	w.t.Helper()
	draft, err := tenant.NewDraft(withSteps(), time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.db.Create(w.t.Context(), draft, provisioning.LeaseRequest{Owner: "recorder", TTL: time.Minute}); err != nil {
		w.t.Fatal(err)
	}
	w.registry.Unclaim()
	return draft
}

// TestOwnSteps_Postponed: a worker does not wait for a receiver: it releases the tenant until
// the next request is due, and repeats the request then.
func TestOwnSteps_Postponed(t *testing.T) {
	t.Parallel()
	w, d := newWorld(t), newDirectory(t)
	d.publish(w)
	type answer struct {
		status int
		header string
		want   time.Duration // Until the next request.
	}
	answers := map[int]answer{ // By the number of the request.
		1: {202, "Retry-After: 60", 60 * time.Second}, 2: {503, "Retry-After: 30", 30 * time.Second}, 3: {408, "", 4 * time.Second}, 4: {429, "Retry-After: 7200", 2 * time.Minute},
	}
	n := 0
	d.setAnswer(func(stepEvent) (int, string, string) {
		n++
		if a, ok := answers[n]; ok {
			return a.status, a.header, "not JSON"
		}
		return 200, "", ""
	})
	draft := w.submitted()
	pipeline, _ := w.stepProcess(d).build()
	for request := 1; request <= len(answers); request++ {
		want := answers[request].want
		for range 2 { // Before the request is due, nothing is sent.
			out, err := pipeline.Run(t.Context(), draft.ID, provisioning.RunOptions{Retryable: true})
			delay := provisioning.PostponedFor(err)
			if errs.KindOf(err) != errs.KindTransient || out.Tenant.Status != tenant.StatusProvisioning || n != request ||
				delay <= want/2 || delay > want+time.Second { // A second time it is less.
				t.Fatalf("request %d of %d: postponed for %v, %v", n, request, delay, err)
			}
			if w.registry.Runs() != 0 {
				t.Error("the tenant was not released")
			}
		}
		w.registry.MakeOwnStepsDue()
	}
	out, err := pipeline.Run(t.Context(), draft.ID, provisioning.RunOptions{Retryable: true})
	if err != nil || out.Tenant.Status != tenant.StatusActive || d.log() != "BEFORE BEFORE BEFORE BEFORE BEFORE AFTER" {
		t.Errorf("%v, %s, %v", out.Tenant.Status, d.log(), err)
	}
	for _, e := range d.events[:5] {
		if e.ID != d.events[0].ID || e.Data.Database.Username != d.events[0].Data.Database.Username || e.Data.Database.Password != d.events[0].Data.Database.Password {
			t.Error("a repeated request differs from the first")
		}
	}
}

// TestOwnSteps_Deadline: a step that is not completed in time fails with the last answer, and so
// does an undo.
func TestOwnSteps_Deadline(t *testing.T) {
	t.Parallel()
	w, d := newWorld(t), newDirectory(t)
	d.publish(w)
	d.setAnswer(func(stepEvent) (int, string, string) { return 500, "", "" })
	draft := w.submitted()
	pipeline, service := w.stepProcess(d).build()
	run := func() (provisioning.Outcome, error) {
		return pipeline.Run(t.Context(), draft.ID, provisioning.RunOptions{Retryable: true})
	}
	if _, err := run(); provisioning.PostponedFor(err) == 0 {
		t.Fatal(err)
	}
	w.registry.AgeOwnSteps(2 * time.Hour)
	if _, err := run(); provisioning.PostponedFor(err) == 0 || !strings.Contains(errs.SafeMessage(err), "BEFORE failed: it was not completed within its deadline of 1h0m0s; the last answer: the answer was Internal Server Error (500)") {
		t.Fatal(err)
	}
	if got := w.only(); got.Status != tenant.StatusProvisioning {
		t.Errorf("%s while its steps are undone", got.Status)
	}
	// The next run continues the undo, which has a deadline of its own.
	if _, err := run(); provisioning.PostponedFor(err) == 0 || d.log() != "BEFORE !BEFORE" {
		t.Fatalf("%s: %v", d.log(), err)
	}
	w.registry.AgeOwnSteps(2 * time.Hour)
	out, err := run()
	if err != nil || out.Tenant.Status != tenant.StatusFailed || !strings.Contains(out.Tenant.ProvisioningError, "Left over: the step BEFORE, whose undo failed: it was not completed within its deadline of 1h0m0s; the last answer: the answer was") {
		t.Errorf("%+v, %v", out.Tenant, err)
	}
	// A tenant that is archived without being live keeps what is left over, until its purge.
	if _, err := service.Archive(t.Context(), draft.ID); err != nil {
		t.Fatal(err)
	}
	d.setAnswer(nil)
	if _, err := service.Purge(t.Context(), draft.ID, "Clinic", 0); err != nil || d.entryCount() != 0 {
		t.Errorf("%d entries: %v", d.entryCount(), err)
	}
}

// TestOwnSteps_AnswerAfterAbort: a 200 that comes after another process aborted the tenant completes
// nothing, and what the step did is undone.
func TestOwnSteps_AnswerAfterAbort(t *testing.T) {
	t.Parallel()
	w, d := newWorld(t), newDirectory(t)
	d.publish(w)
	other := w.stepProcess(d).service()
	aborted, archived := false, make(chan struct{})
	d.setAnswer(func(e stepEvent) (int, string, string) {
		if e.Type == "healthcare.tenant.step" && !aborted {
			aborted = true
			defer close(archived)
			if _, err := other.Archive(t.Context(), w.only().ID); err != nil {
				t.Errorf("archive: %v", err)
			}
		}
		return 200, "", ""
	})
	_, err := w.stepProcess(d).service().Provision(t.Context(), withSteps())
	if errs.KindOf(err) != errs.KindFenced {
		t.Errorf("the superseded run: %v", err)
	}
	<-archived // On a slow machine, the run does not wait for the answer so long.
	if got := w.only(); got.Status != tenant.StatusArchived || d.log() != "BEFORE !BEFORE" || d.entryCount() != 0 {
		t.Errorf("%s, %s, %d entries", got.Status, d.log(), d.entryCount())
	}
}

// TestOwnSteps_Purge: a purge undoes the steps of a tenant that was live, or purges nothing.
func TestOwnSteps_Purge(t *testing.T) {
	t.Parallel()
	w, d := newWorld(t), newDirectory(t)
	d.publish(w)
	d.setAnswer(func(e stepEvent) (int, string, string) {
		return 200, "", `{"outputs": {"` + strings.ToLower(e.Data.Step) + `": "secret"}}`
	})
	service := w.stepProcess(d).service()
	out, err := service.Provision(t.Context(), withSteps())
	if err != nil {
		t.Fatal(err)
	}
	id := out.Tenant.ID
	if _, err := service.Archive(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if _, err := service.Purge(t.Context(), id, "Clinic", time.Hour); errs.KindOf(err) != errs.KindConflict || d.log() != "BEFORE AFTER" {
		t.Errorf("before the retention is over: %s, %v", d.log(), err)
	}
	d.setAnswer(func(e stepEvent) (int, string, string) {
		if len(e.Data.Outputs) != 1 || e.Data.Outputs[strings.ToLower(e.Data.Step)] != "secret" {
			t.Errorf("outputs %v", e.Data.Outputs)
		}
		if e.Data.Step == "BEFORE" {
			return 422, "", ""
		}
		return 204, "", ""
	})
	if _, err := service.Purge(t.Context(), id, "Clinic", 0); errs.KindOf(err) != errs.KindPermanent || !strings.Contains(err.Error(), "the step BEFORE could not be undone, so nothing was purged: the answer was Unprocessable Entity (422)") {
		t.Errorf("%v", err)
	}
	if n := w.count(`SELECT count(*) FROM pg_namespace WHERE nspname = $1`, out.Tenant.SchemaName); n != 1 || d.log() != "BEFORE AFTER !AFTER !BEFORE" {
		t.Errorf("%d schemas; %s", n, d.log())
	}
	if err := service.SkipUndo(t.Context(), id, []string{"BEFORE"}, "the directory is gone"); err != nil {
		t.Fatal(err)
	}
	certificate, err := service.Purge(t.Context(), id, "Clinic", 0)
	if err != nil || certificate.Rows["cards"] != 0 || d.log() != "BEFORE AFTER !AFTER !BEFORE" {
		t.Errorf("%+v; %s, %v", certificate, d.log(), err)
	}
	if got := w.only(); got.PurgedAt.IsZero() || len(got.Outputs) != 0 || len(got.Variables) != 0 {
		t.Errorf("%+v, %d outputs", got, len(got.Outputs))
	}
}

// TestReconciler_HungUndo: an undo that takes long ends the pass, and the next one begins with other
// tenants.
func TestReconciler_HungUndo(t *testing.T) {
	t.Parallel()
	w, d := newWorld(t), newDirectory(t)
	d.publish(w)
	d.refuseAfter()
	for _, name := range []string{"First", "Second"} {
		in := withSteps()
		in.Name = name
		w.dieAfter("BeginRollback", d, in)
		w.registry.ExpireLeases(time.Hour) // The first tenant waits longest.
	}
	clock := &skippingClock{}
	p := w.stepProcess(d)
	p.clock = clock
	r := p.reconciler()
	hung := 0
	d.setAnswer(func(stepEvent) (int, string, string) {
		if hung++; hung == 1 { // As after the timeout of a request.
			clock.mu.Lock()
			clock.skipped += 11 * time.Second
			clock.mu.Unlock()
			return 503, "", ""
		}
		return 200, "", ""
	})
	if report := w.pass(r); hung != 1 || len(report.RolledBack) != 0 {
		t.Errorf("%d requests, %d rolled back", hung, len(report.RolledBack))
	}
	if report := w.pass(r); hung != 3 || len(report.RolledBack) != 1 {
		t.Errorf("%d requests, %d rolled back", hung, len(report.RolledBack))
	}
	w.registry.MakeOwnStepsDue()
	w.registry.EndLeases() // The clock that went ahead may have cost the first tenant its lease.
	w.registry.SetUpdated(-time.Minute)
	w.registry.SetStepsUpdated(-time.Minute)
	if report := w.pass(r); len(report.RolledBack) != 1 || d.entryCount() != 0 {
		t.Errorf("%d rolled back, %d entries", len(report.RolledBack), d.entryCount())
	}
}
