package queue_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// startWithReconciler starts a worker as tenant-api does.
func (f *fixture) startWithReconciler(p *process, change ...func(*queue.Queue)) *queue.Queue {
	f.t.Helper()
	r := f.newReconciler(p)
	return f.startQueue(queue.Options{Runner: p, ReconcileEvery: leaseTTL / 10, Reconcile: func(ctx context.Context) error {
		_, err := r.Pass(ctx)
		return err
	}}, change...)
}

// TestQueue_RecoversFromKilledWorker kills a worker at a point of a run. Its job stays
// "running" in River's table.
func TestQueue_RecoversFromKilledWorker(t *testing.T) {
	for name, killAt := range map[string]func(p *process, deployed func() error) error{
		"BeforeContract": func(p *process, _ func() error) error { p.kill(); return errKilled },
		"AfterContract": func(p *process, deployed func() error) error {
			err := deployed()
			p.kill()
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := setup(t)
			p := w.newProcess()
			p.onDeploy = func(_ context.Context, deploying tenant.Tenant) error {
				return killAt(p, func() error {
					w.mu.Lock()
					defer w.mu.Unlock()
					w.contracts[deploying.ID]++
					return errKilled
				})
			}
			w.startQueue(queue.Options{Runner: p, Workers: 1})
			s := w.submit("Clinic")
			w.waitFor("it is dead", p.isKilled)
			w.startWithReconciler(w.newProcess())
			w.waitForStatus(s, tenant.StatusActive)
			w.assertInvariants(s)
			if state := w.riverState(s.JobID); state != "running" {
				t.Errorf("the state of the first job in River is %s", state)
			}
			if n := value[int](w, `SELECT count(*) FROM river_job`); n != 2 {
				t.Errorf("%d jobs", n)
			}
		})
	}
	t.Run("WithAHundredQueued", func(t *testing.T) {
		w := setup(t)
		w.maxExtraMails = 1
		p := w.newProcess()
		var runs sync.Map
		p.onDeploy = func(_ context.Context, deploying tenant.Tenant) error {
			runs.Store(deploying.ID, true)
			n := 0
			runs.Range(func(any, any) bool { n++; return true })
			if n == 20 {
				p.kill()
			}
			return nil
		}
		w.startWorker(p)
		all := w.submitMany(100)
		w.waitFor("it is dead", p.isKilled)
		w.startWithReconciler(w.newProcess())
		for _, s := range all {
			w.waitForStatus(s, tenant.StatusActive)
		}
		w.assertInvariants(all...)
	})
}

func TestReconciler_RescuesOrphanedJobs(t *testing.T) {
	runPass := func(w *fixture, r *provisioning.Reconciler) provisioning.Report {
		w.t.Helper()
		report, err := r.Pass(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		return report
	}
	aged := func(r *registrytest.Registry) { r.SetUpdated(-time.Minute) }
	for _, c := range []struct {
		name   string
		river  string
		tenant func(r *registrytest.Registry)
	}{
		{"Missing", `DELETE FROM river_job`, aged},
		{"Completed", `UPDATE river_job SET state = 'completed', finalized_at = now()`, aged},
		{"Cancelled", `UPDATE river_job SET state = 'cancelled', finalized_at = now()`, aged},
		{"NoHeartbeat", `UPDATE river_job SET state = 'running', attempted_at = now() - interval '1 minute'`, aged},
		{"LeaseExpired", `UPDATE river_job SET state = 'running', attempted_at = now() - interval '1 minute'`,
			func(r *registrytest.Registry) { r.Claim(-time.Second) }},
		{"InterruptedRollback", `UPDATE river_job SET state = 'running', attempted_at = now() - interval '1 minute'`,
			func(r *registrytest.Registry) { r.Claim(-time.Second); r.BeginRollbacks() }},
	} {
		t.Run(c.name+"IsRescued", func(t *testing.T) {
			w := setup(t)
			s := w.submit("Clinic")
			w.exec(c.river)
			c.tenant(w.registry)
			r := w.newReconciler(w.newProcess())
			if report := runPass(w, r); len(report.Requeued) != 1 || report.Requeued[0] != s.Tenant.ID {
				t.Fatalf("%+v", report)
			}
			replacement, newest := w.registry.Jobs(s.Tenant.ID.String())
			if replacement != newest || replacement == s.JobID || w.riverState(replacement) != "available" {
				t.Errorf("job %s after %s", replacement, s.JobID)
			}
			aged(w.registry)
			if report := runPass(w, r); !report.Empty() {
				t.Errorf("and again: %+v", report)
			}
			w.startWorker(w.newProcess())
			w.waitFor("it is at rest", func() bool { return !w.get(s).Queued })
		})
	}
	for _, c := range []struct {
		name   string
		river  string
		tenant func(r *registrytest.Registry)
	}{
		{"Available", ``, aged},
		{"Retryable", `UPDATE river_job SET state = 'retryable', attempt = 1, scheduled_at = now() + interval '1 hour'`, aged},
		{"Running", `UPDATE river_job SET state = 'running', attempted_at = now()`, aged},
		{"Leased", `UPDATE river_job SET state = 'running', attempted_at = now() - interval '1 minute'`,
			func(r *registrytest.Registry) { r.Claim(time.Minute); aged(r) }},
		{"JustReleased", `UPDATE river_job SET state = 'running', attempted_at = now() - interval '1 minute'`,
			func(r *registrytest.Registry) { r.Claim(time.Minute); r.EndLeases(); aged(r) }}, // The log's first row is new.
		{"New", `DELETE FROM river_job`, func(r *registrytest.Registry) { r.SetUpdated(0) }},
		{"Live", `DELETE FROM river_job`, func(r *registrytest.Registry) { r.Activate(); aged(r) }},
	} {
		t.Run(c.name+"IsKept", func(t *testing.T) {
			w := setup(t)
			s := w.submit("Clinic")
			if c.river != "" {
				w.exec(c.river)
			}
			c.tenant(w.registry)
			if report := runPass(w, w.newReconciler(w.newProcess())); !report.Empty() {
				t.Errorf("%+v", report)
			}
			if job, _ := w.registry.Jobs(s.Tenant.ID.String()); job != "" && job != s.JobID {
				t.Errorf("job %s after %s", job, s.JobID)
			}
		})
	}
	t.Run("ExhaustedJobFailsTenant", func(t *testing.T) {
		w := setup(t)
		s := w.submit("Clinic")
		w.exec(`UPDATE river_job SET state = 'discarded', attempt = 5, finalized_at = now()`)
		aged(w.registry)
		if report := runPass(w, w.newReconciler(w.newProcess())); len(report.Failed) != 1 || len(report.Requeued) != 0 {
			t.Errorf("%+v", report)
		}
		if got := w.get(s); got.Status != tenant.StatusFailed || got.Queued || got.ProvisioningError == "" {
			t.Errorf("%+v", got)
		}
		if j := w.job(s.JobID); j.State != provisioning.JobFailed {
			t.Errorf("%+v", j)
		}
	})
	// An attempt that timed out keeps its progress. The last one leaves a tenant without a
	// working job.
	t.Run("FailsAfterRepeatedTimeouts", func(t *testing.T) {
		w := setup(t)
		p := w.newProcess(func(o *provisioning.PipelineOptions) { o.StepGrace = 100 * time.Millisecond })
		p.onDeploy = func(ctx context.Context, _ tenant.Tenant) error {
			<-ctx.Done()
			return ctx.Err()
		}
		s := w.submit("Clinic")
		w.exec(`UPDATE river_job SET max_attempts = 2`)
		w.startQueue(queue.Options{Runner: p, JobTimeout: time.Second}, (*queue.Queue).RetryImmediately)
		w.waitFor("the attempts are used up", func() bool { return w.riverState(s.JobID) == "discarded" })
		if got := w.get(s); got.Status != tenant.StatusProvisioning || !got.Queued {
			t.Errorf("%+v", got)
		}
		if j := w.job(s.JobID); j.State != provisioning.JobRetrying || j.Attempt != 2 || !strings.Contains(j.Error, "the time allowed ran out") {
			t.Errorf("%+v", j)
		}
		aged(w.registry)
		w.registry.EndLeases()
		w.registry.SetStepsUpdated(-time.Minute)
		if report := runPass(w, w.newReconciler(w.newProcess())); len(report.Failed) != 1 {
			t.Errorf("%+v", report)
		}
		if got := w.get(s); got.Status != tenant.StatusFailed || got.Queued {
			t.Errorf("%+v", got)
		}
	})
	t.Run("CancelsJobOfPausedWorker", func(t *testing.T) {
		w := setup(t)
		p := w.newProcess()
		paused, blocked := make(chan struct{}), make(chan struct{})
		resume := sync.OnceFunc(func() { close(blocked) })
		defer resume() // Otherwise a failure would block the worker's end.
		var deploys atomic.Int32
		p.onDeploy = func(context.Context, tenant.Tenant) error {
			if deploys.Add(1) > 1 {
				return nil
			}
			p.kill()
			close(paused)
			<-blocked
			return errKilled
		}
		w.startWorker(p)
		s := w.submit("Clinic")
		<-paused
		w.waitFor("the heartbeat ends", func() bool { return p.refusedRenewals.Load() > 0 })
		w.registry.ExpireLeases(time.Second)
		w.exec(`UPDATE river_job SET attempted_at = now() - interval '1 minute'`)
		p.revive()
		if report := runPass(w, w.newReconciler(w.newProcess())); len(report.Requeued) != 1 {
			t.Fatalf("%+v", report)
		}
		w.waitForStatus(s, tenant.StatusActive)
		resume()
		w.waitFor("River is done with it", func() bool { return w.riverState(s.JobID) == "cancelled" })
		w.assertInvariants(s)
	})
	t.Run("RescuesOnceWithManyReplicas", func(t *testing.T) {
		w := setup(t)
		all := w.submitMany(20)
		w.exec(`DELETE FROM river_job`)
		aged(w.registry)
		var wg sync.WaitGroup
		for range 4 {
			r := w.newReconciler(w.newProcess())
			wg.Go(func() {
				if _, err := r.Pass(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := value[int](w, `SELECT count(*) FROM river_job`); n != len(all) {
			t.Errorf("%d jobs for %d tenants", n, len(all))
		}
		w.startWorker(w.newProcess())
		for _, s := range all {
			w.waitForStatus(s, tenant.StatusActive)
		}
	})
}

func TestQueue_RescueJob(t *testing.T) {
	const heartbeatTimeout = 10 * time.Second
	for _, c := range []struct {
		name, river string
		unworked    bool
		want        string // kept, another or none.
	}{
		{"Available", ``, false, "kept"},
		{"Scheduled", `UPDATE river_job SET state = 'scheduled'`, false, "kept"},
		{"Retryable", `UPDATE river_job SET state = 'retryable'`, false, "kept"},
		{"Running", `UPDATE river_job SET state = 'running', attempted_at = now() - interval '9 seconds'`, false, "kept"},
		{"NoHeartbeat", `UPDATE river_job SET state = 'running', attempted_at = now() - interval '11 seconds'`, true, "another"},
		{"Completed", `UPDATE river_job SET state = 'completed', finalized_at = now()`, true, "another"},
		{"Cancelled", `UPDATE river_job SET state = 'cancelled', finalized_at = now()`, true, "another"},
		{"Discarded", `UPDATE river_job SET state = 'discarded', finalized_at = now()`, true, "none"},
		{"Deleted", `DELETE FROM river_job`, true, "another"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := setup(t)
			s := w.submit("Clinic")
			job, err := strconv.ParseInt(s.JobID, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if c.river != "" {
				w.exec(c.river)
			}
			orphaned, err := w.queue.OrphanedJobs(t.Context(), []int64{job}, heartbeatTimeout)
			if err != nil || (len(orphaned) == 1) != c.unworked {
				t.Errorf("unworked: %v, %v", orphaned, err)
			}
			var replacement int64
			err = pgx.BeginFunc(t.Context(), w.db.Pool(), func(tx pgx.Tx) (err error) {
				replacement, err = w.queue.RescueJob(t.Context(), tx, job, s.Tenant.ID, heartbeatTimeout)
				return err
			})
			outcome := map[int64]string{0: "none", job: "kept"}[replacement]
			if outcome == "" && w.job(strconv.FormatInt(replacement, 10)).TenantID == s.Tenant.ID {
				outcome = "another"
			}
			if err != nil || outcome != c.want {
				t.Errorf("job %d instead of %d: %s, %v", replacement, job, outcome, err)
			}
		})
	}
}

// TestQueue_SurvivesServerCrash crashes the server under load: a killed backend makes the
// server close all connections and recover, and unwritten data is lost.
func TestQueue_SurvivesServerCrash(t *testing.T) {
	t.Parallel()
	server, err := pgserver.Start(t.Context(), pgserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	url := server.URL("postgres")
	if err := testenv.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	w := newFixture(t, url)
	w.maxExtraMails = 3
	w.startWithReconciler(w.newProcess(), (*queue.Queue).RetryQuickly)
	var accepted []provisioning.Submission
	submit := func() {
		if s, err := w.service.Submit(t.Context(), inputs(fmt.Sprintf("Clinic %d", len(accepted))), nil); err == nil {
			accepted = append(accepted, s)
		} else if errs.KindOf(err) == errs.KindConflict { // The previous response was lost.
			found, err := w.db.FindByName(t.Context(), fmt.Sprintf("Clinic %d", len(accepted)))
			if err == nil {
				accepted = append(accepted, provisioning.Submission{Tenant: found})
			}
		}
	}
	for round := range w.maxExtraMails {
		w.waitFor("twenty more are accepted", func() bool { submit(); return len(accepted) >= 20*(round+1) })
		pid := 0
		w.waitFor("the server answers", func() bool { return w.db.Pool().QueryRow(t.Context(), `SELECT pg_backend_pid()`).Scan(&pid) == nil })
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	w.waitFor("twenty more are accepted", func() bool { submit(); return len(accepted) >= 20*(w.maxExtraMails+1) })
	w.waitFor("all are live", func() bool {
		all, err := w.db.List(t.Context(), tenant.ListQuery{Limit: 1})
		live, err2 := w.db.List(t.Context(), tenant.ListQuery{Status: tenant.StatusActive, Limit: 1})
		return err == nil && err2 == nil && live.Total == all.Total
	})
	w.registry = registrytest.Open(t, url) // The crashes ended the connection.
	for i, s := range accepted {
		if s.JobID == "" {
			_, accepted[i].JobID = w.registry.Jobs(s.Tenant.ID.String())
		}
	}
	w.assertInvariants(accepted...)
}
