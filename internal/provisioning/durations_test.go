package provisioning_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// TestPipeline_Durations: the observer gets the duration in the log row of each
// step, also for steps that share a transaction.
func TestPipeline_Durations(t *testing.T) {
	t.Parallel()
	provision := func(s *provisioning.Service, _ *world) error {
		_, err := s.Provision(t.Context(), clinic())
		return err
	}
	for _, c := range []struct {
		name string
		with func(p *process)
		act  func(s *provisioning.Service, w *world) error
		fail errs.Kind
	}{
		{"NewContract", func(*process) {}, provision, ""},
		{"ContractThatExisted", func(p *process) {
			p.onDeploy = func(context.Context) {
				p.mu.Lock()
				defer p.mu.Unlock()
				id, _ := p.ContractID(p.only().ID)
				p.contracts[id] = 1
			}
		}, provision, ""},
		{"RecordedByAnotherProcess", func(*process) {}, func(s *provisioning.Service, w *world) error {
			_, err := s.Retry(t.Context(), w.unclaimed().Tenant.ID)
			return err
		}, ""},
		{"LostResponseOfPrepareSchema", func(p *process) { p.after = losing("PrepareSchema") }, provision, ""},
		{"LostResponseOfAdvance", func(p *process) { p.after = losing("Advance") }, provision, ""},
		{"MailThatIsRefused", func(p *process) {
			p.mailErr = func(int) error { return errs.Errorf(errs.KindPermanent, "mail", "no such user") }
		}, provision, ""},
		{"FailedStep", func(p *process) {
			p.deployErr = func(int) error { return errs.Errorf(errs.KindPermanent, "deploy", "no funds") }
		}, provision, errs.KindPermanent},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.process()
			c.with(p)
			seen := map[tenant.Step]time.Duration{}
			observe := func(_ context.Context, e provisioning.Event) {
				if e.Status == tenant.StepCompleted || e.Status == tenant.StepFailed {
					seen[e.Step] = e.Duration
				}
			}
			if err := c.act(p.service(provisioning.PipelineOptions{Observer: observe}), w); errs.KindOf(err) != c.fail {
				t.Fatal(err)
			}
			logged := w.durations(w.only().ID)
			if len(logged) < 5 || len(seen) != len(logged) {
				t.Errorf("%d steps were observed and %d logged", len(seen), len(logged))
			}
			for step, want := range logged {
				if got := seen[step]; got != want || got <= 0 {
					t.Errorf("%s: the observer got %v and the log has %v", step, got, want)
				}
			}
		})
	}
}

// durations returns the durations in the log rows.
func (w *world) durations(tenantID uuid.UUID) map[tenant.Step]time.Duration {
	w.t.Helper()
	log, err := w.db.Log(w.t.Context(), tenantID, false)
	if err != nil {
		w.t.Fatal(err)
	}
	all := map[tenant.Step]time.Duration{}
	for _, e := range log {
		all[e.Step] = e.Duration
	}
	return all
}
