package provisioning_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// reconciler returns a reconciler of a new process; these tests use no queue.
func (w *world) reconciler(p *process, o provisioning.PipelineOptions, ro provisioning.ReconcilerOptions) *provisioning.Reconciler {
	w.t.Helper()
	r, err := provisioning.NewReconciler(w.db, p.service(o), ro)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) pass(r *provisioning.Reconciler) provisioning.Report {
	w.t.Helper()
	report, err := r.Pass(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

// only is the only tenant.
func (w *world) only() tenant.Tenant {
	w.t.Helper()
	page, err := w.db.List(w.t.Context(), tenant.ListQuery{Limit: 2})
	if err != nil || len(page.Tenants) != 1 {
		w.t.Fatalf("%d tenants, want one: %v", len(page.Tenants), err)
	}
	return page.Tenants[0]
}

// welcomed is the number of tenants whose welcome mail is sent.
func (w *world) welcomed() (n int) {
	w.t.Helper()
	page, err := w.db.List(w.t.Context(), tenant.ListQuery{Limit: tenant.MaxPage})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, t := range page.Tenants {
		if t.WelcomeEmail == tenant.WelcomeEmailSent {
			n++
		}
	}
	return n
}

// abandon sets the last change of all tenants, and the end of their leases, to two hours ago.
func (w *world) abandon() {
	w.t.Helper()
	w.registry.SetUpdated(-2 * time.Hour)
	w.registry.ExpireLeases(2 * time.Hour)
}

func TestNewReconciler(t *testing.T) {
	t.Parallel()
	if _, err := provisioning.NewReconciler(nil, nil, provisioning.ReconcilerOptions{}); errs.KindOf(err) != errs.KindInvalid {
		t.Errorf("%v", err)
	}
}

// TestReconciler_Foreground covers tenants whose runs a caller waits for.
func TestReconciler_Foreground(t *testing.T) {
	t.Parallel()
	t.Run("SkipsLeasedTenant", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.process()
		p.onDeploy = func(context.Context) {
			w.registry.SetUpdated(-2 * time.Hour)
			if report := w.pass(w.reconciler(w.process(), provisioning.PipelineOptions{}, provisioning.ReconcilerOptions{})); !report.Empty() {
				t.Errorf("%+v", report)
			}
		}
		out, err := p.service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		w.invariants("held", out.Tenant.ID)
	})
	// At every point: a tenant younger than an hour is not changed, unless it is in a
	// rollback; an older one is rolled back and can be retried.
	t.Run("FailsAbandonedTenant", func(t *testing.T) {
		t.Parallel()
		for at := 2; ; at++ {
			w := newWorld(t)
			p := w.process()
			p.dieAt = at
			if _, err := p.service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic()); err == nil {
				if at < 8 {
					t.Errorf("a run has %d points", at)
				}
				return
			}
			if w.only().Status == tenant.StatusActive {
				continue // It died after the last commit.
			}
			w.expireLeases()
			r := w.reconciler(w.process(), provisioning.PipelineOptions{}, provisioning.ReconcilerOptions{})
			if report := w.pass(r); !report.Empty() {
				t.Errorf("point %d: changed too early: %+v", at, report)
			}
			w.abandon()
			if report := w.pass(r); len(report.Failed) != 1 {
				t.Errorf("point %d: %+v", at, report)
			}
			if got := w.only(); got.Status != tenant.StatusFailed || got.ProvisioningError == "" || w.schemas() != 0 {
				t.Errorf("point %d: %+v, %d schemas", at, got, w.schemas())
			}
			out, err := w.process().service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic())
			if err != nil {
				t.Fatalf("point %d: %v", at, err)
			}
			w.invariants(fmt.Sprintf("point %d", at), out.Tenant.ID)
		}
	})
	t.Run("FinishesRollback", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.process()
		p.deployErr = func(int) error {
			return errs.Errorf(errs.KindPermanent, "deploy", "there are no funds")
		}
		p.after = func(call string, err error) error {
			if call == "BeginRollback" {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.dead = true
			}
			return err
		}
		if _, err := p.service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic()); err == nil {
			t.Fatal("the run succeeded")
		}
		if w.only().Status != tenant.StatusProvisioning || w.schemas() != 1 {
			t.Fatalf("%+v", w.only())
		}
		w.expireLeases()
		r := w.reconciler(w.process(), provisioning.PipelineOptions{}, provisioning.ReconcilerOptions{})
		if report := w.pass(r); len(report.RolledBack) != 1 {
			t.Errorf("%+v", report)
		}
		if got := w.only(); got.Status != tenant.StatusFailed || got.ProvisioningError != "there are no funds" || w.schemas() != 0 || w.failures != 1 {
			t.Errorf("%+v, %d schemas, %d failure mails", got, w.schemas(), w.failures)
		}
		if report := w.pass(r); !report.Empty() {
			t.Errorf("and again: %+v", report)
		}
	})
	t.Run("ConcurrentRunsMigrateOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.process()
		p.dieAt = 3
		_, _ = p.service(provisioning.PipelineOptions{}).Provision(t.Context(), clinic())
		w.expireLeases()
		w.abandon()
		var (
			passes sync.WaitGroup
			mu     sync.Mutex
			given  int
		)
		for range 4 {
			r := w.reconciler(w.process(), provisioning.PipelineOptions{}, provisioning.ReconcilerOptions{})
			passes.Go(func() {
				report, err := r.Pass(t.Context())
				mu.Lock()
				defer mu.Unlock()
				given += len(report.Failed)
				if err != nil {
					t.Error(err)
				}
			})
		}
		passes.Wait()
		if given != 1 || w.only().Status != tenant.StatusFailed {
			t.Errorf("failed %d times: %+v", given, w.only())
		}
	})
	t.Run("ContinuesAfterError", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		for _, name := range []string{"One", "Two"} {
			p := w.process()
			p.dieAt = 3
			in := clinic()
			in.Name = name
			_, _ = p.service(provisioning.PipelineOptions{}).Provision(t.Context(), in)
		}
		w.expireLeases()
		w.abandon()
		p := w.process()
		first := true
		p.after = func(call string, err error) error {
			if call == "Claim" && first {
				first = false
				return errs.Errorf(errs.KindPermanent, "claim", "something is wrong")
			}
			return err
		}
		report, err := w.reconciler(p, provisioning.PipelineOptions{}, provisioning.ReconcilerOptions{}).Pass(t.Context())
		if len(report.Failed) != 1 || err == nil {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

func (w *world) schemas() int {
	w.t.Helper()
	return w.count(`SELECT count(*) FROM pg_namespace WHERE nspname ~ '_[0-9]{13}$'`)
}

func TestReconciler_Mail(t *testing.T) {
	t.Parallel()
	refused := errs.Errorf(errs.KindTransient, "send", "the mail server is busy")
	// unmailed creates live tenants whose welcome mail is due.
	unmailed := func(t *testing.T, n int) *world {
		t.Helper()
		w := newWorld(t)
		p := w.process()
		p.mailErr = func(int) error { return refused }
		for i := range n {
			in := clinic()
			in.Name = fmt.Sprintf("Clinic %d", i)
			out, err := p.service(provisioning.PipelineOptions{}).Provision(t.Context(), in)
			if err != nil || out.Tenant.WelcomeEmail != tenant.WelcomeEmailPending {
				t.Fatalf("%+v, %v", out, err)
			}
		}
		return w
	}
	t.Run("IsSentWhenDue", func(t *testing.T) {
		t.Parallel()
		w := unmailed(t, 1)
		r := w.reconciler(w.process(), provisioning.PipelineOptions{}, provisioning.ReconcilerOptions{})
		if report := w.pass(r); !report.Empty() || len(w.mails) != 0 {
			t.Errorf("too early: %+v", report)
		}
		w.registry.MakeMailDue()
		if report := w.pass(r); len(report.WelcomeMailsSent) != 1 || len(w.mails) != 1 {
			t.Errorf("%+v, mails %v", report, w.mails)
		}
		if got := w.only(); got.WelcomeEmail != tenant.WelcomeEmailSent {
			t.Errorf("%+v", got)
		}
		w.registry.MakeMailDue()
		if report := w.pass(r); !report.Empty() {
			t.Errorf("and again: %+v", report)
		}
	})
	t.Run("IsRetriedUntilItFails", func(t *testing.T) {
		t.Parallel()
		w := unmailed(t, 1)
		p := w.process()
		p.mailErr = func(int) error { return refused }
		r := w.reconciler(p, provisioning.PipelineOptions{}, provisioning.ReconcilerOptions{})
		tries := 0
		for w.only().WelcomeEmail == tenant.WelcomeEmailPending && tries < 100 {
			w.registry.MakeMailDue()
			if report := w.pass(r); len(report.WelcomeMailsPending) != 1 {
				t.Fatalf("%+v", report)
			}
			tries++
			if report := w.pass(r); !report.Empty() {
				t.Fatalf("retried immediately: %+v", report)
			}
		}
		if got := w.only(); got.WelcomeEmail != tenant.WelcomeEmailFailed || tries < 5 {
			t.Errorf("%+v after %d attempts", got, tries)
		}
	})
	t.Run("IsSentOnceByManyReplicas", func(t *testing.T) {
		t.Parallel()
		w := unmailed(t, 12)
		w.registry.MakeMailDue()
		var passes sync.WaitGroup
		for range 4 {
			p := w.process()
			r := w.reconciler(p, provisioning.PipelineOptions{}, provisioning.ReconcilerOptions{MaxConcurrentMails: 1})
			passes.Go(func() {
				if _, err := r.Pass(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		passes.Wait()
		if len(w.mails) != 12 || w.welcomed() != 12 {
			t.Errorf("mails %v", w.mails)
		}
	})
	t.Run("IsNotSentForArchivedTenant", func(t *testing.T) {
		t.Parallel()
		w := unmailed(t, 1)
		if _, err := w.process().service(provisioning.PipelineOptions{}).Archive(t.Context(), w.only().ID); err != nil {
			t.Fatal(err)
		}
		w.registry.MakeAllMailDue()
		if report := w.pass(w.reconciler(w.process(), provisioning.PipelineOptions{}, provisioning.ReconcilerOptions{})); !report.Empty() || len(w.mails) != 0 {
			t.Errorf("%+v", report)
		}
	})
	t.Run("SlowServerDelaysNoOtherTenant", func(t *testing.T) {
		t.Parallel()
		w := unmailed(t, 1)
		w.registry.MakeMailDue()
		p := w.process()
		sending, answer := make(chan struct{}), make(chan struct{})
		p.mailErr = func(int) error { close(sending); <-answer; return nil }
		r := w.reconciler(p, provisioning.PipelineOptions{}, provisioning.ReconcilerOptions{})
		done := make(chan error)
		go func() {
			_, err := r.Pass(t.Context())
			done <- err
		}()
		<-sending
		dead := w.process()
		dead.dieAt = 3
		in := clinic()
		in.Name = "Another"
		_, _ = dead.service(provisioning.PipelineOptions{}).Provision(t.Context(), in)
		w.expireLeases()
		w.abandon()
		w.registry.MakeMailDue()
		if report := w.pass(r); len(report.Failed) != 1 || len(report.WelcomeMailsSent)+len(report.WelcomeMailsPending) != 0 {
			t.Errorf("%+v", report)
		}
		close(answer)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// shifted is a clock that can be set forward.
type shifted struct {
	clock.System
	mu sync.Mutex
	by time.Duration
}

func (c *shifted) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.System.Now().Add(c.by)
}

func (c *shifted) forward(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by += d
}

func TestReconciler_Purge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	clock := &shifted{}
	r := w.reconciler(w.process(), provisioning.PipelineOptions{Clock: clock}, provisioning.ReconcilerOptions{Batch: 1})
	fill := func() {
		const day = 24 * time.Hour
		w.registry.AddInvitations(false, 8*day, 6*day, -day)
		w.registry.AddInvitations(true, 8*day)
		w.registry.AddRequests(25*time.Hour, 23*time.Hour, 0)
		w.registry.AddSessions(time.Second, -time.Hour)
	}
	fill()
	if report := w.pass(r); report.DeletedRows != (provisioning.DeletedRows{Invitations: 1, Keys: 1, Sessions: 1}) {
		t.Errorf("%+v", report)
	}
	if i, k := w.registry.Invitations(), w.registry.Requests(); i != 3 || k != 2 {
		t.Errorf("%d invitations and %d keys remain", i, k)
	}
	if report := w.pass(r); !report.Empty() { // Nothing is left to do.
		t.Errorf("%+v", report)
	}
	fill()
	if report := w.pass(r); !report.Empty() {
		t.Errorf("the purge ran again immediately: %+v", report)
	}
	clock.forward(time.Hour + time.Minute)
	for range 10 {
		fill()
	}
	if report := w.pass(r); report.Invitations != 11 || report.Keys != 11 {
		t.Errorf("%+v", report)
	}
	w.registry.AddRequests(slices.Repeat([]time.Duration{48 * time.Hour}, 25)...)
	if report := w.pass(r); report.Keys != 20 {
		t.Errorf("more than a batch: %+v", report)
	}
	if report := w.pass(r); report.Keys != 5 {
		t.Errorf("the rest: %+v", report)
	}
}

// TestReconciler_Errors uses a registry that does not answer.
func TestReconciler_Errors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.reconciler(w.process(), provisioning.PipelineOptions{}, provisioning.ReconcilerOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	report, err := r.Pass(ctx)
	if !report.Empty() || !errors.Is(err, context.Canceled) {
		t.Errorf("%+v, %v", report, err)
	}
}
