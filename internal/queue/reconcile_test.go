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
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
)

// startReconciling begins to work as tenant-api does.
func (w *world) startReconciling(p *process, change ...func(*queue.Queue)) *queue.Queue {
	w.t.Helper()
	r := w.reconciler(p)
	return w.startWith(queue.Options{Runner: p, ReconcileEvery: leaseTTL / 10, Reconcile: func(ctx context.Context) error {
		_, err := r.Pass(ctx)
		return err
	}}, change...)
}

// TestQueue_DeadWorker lets a worker die at a point of a run. What it has in
// River's table stays there as it is: running.
func TestQueue_DeadWorker(t *testing.T) {
	for name, die := range map[string]func(p *process, deployed func() error) error{
		"BeforeTheContract": func(p *process, _ func() error) error { p.die(); return errDead },
		"AfterTheContract": func(p *process, deployed func() error) error {
			err := deployed()
			p.die()
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := setup(t)
			p := w.process()
			p.onDeploy = func(_ context.Context, tenant provisioning.Tenant) error {
				return die(p, func() error {
					w.mu.Lock()
					defer w.mu.Unlock()
					w.contracts[tenant.ID]++
					return errDead
				})
			}
			w.startWith(queue.Options{Runner: p, Workers: 1})
			s := w.submit("Clinic")
			w.await("it is dead", p.isDead)
			w.startReconciling(w.process())
			w.awaitStatus(s, provisioning.StatusActive)
			w.invariants(s)
			if state := w.river(s.JobID); state != "running" {
				t.Errorf("River says that the first job is %s", state)
			}
			if n := value[int](w, `SELECT count(*) FROM river_job`); n != 2 {
				t.Errorf("%d jobs", n)
			}
		})
	}
	t.Run("WithAHundredQueued", func(t *testing.T) {
		w := setup(t)
		w.crashes = 1
		p := w.process()
		var runs sync.Map
		p.onDeploy = func(_ context.Context, tenant provisioning.Tenant) error {
			runs.Store(tenant.ID, true)
			n := 0
			runs.Range(func(any, any) bool { n++; return true })
			if n == 20 {
				p.die()
			}
			return nil
		}
		w.start(p)
		all := w.submitMany(100)
		w.await("it is dead", p.isDead)
		w.startReconciling(w.process())
		for _, s := range all {
			w.awaitStatus(s, provisioning.StatusActive)
		}
		w.invariants(all...)
	})
}

func TestReconciler_Jobs(t *testing.T) {
	pass := func(w *world, r *provisioning.Reconciler) provisioning.Report {
		w.t.Helper()
		report, err := r.Pass(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		return report
	}
	old := `updated_at = now() - interval '1 minute'`
	for _, c := range []struct {
		name   string
		river  string
		tenant string
	}{
		{"Missing", `DELETE FROM river_job`, old},
		{"Completed", `UPDATE river_job SET state = 'completed', finalized_at = now()`, old},
		{"Cancelled", `UPDATE river_job SET state = 'cancelled', finalized_at = now()`, old},
		{"Silent", `UPDATE river_job SET state = 'running', attempted_at = now() - interval '1 minute'`, old},
		{"LeaseOut", `UPDATE river_job SET state = 'running', attempted_at = now() - interval '1 minute'`,
			`status = 'PROVISIONING', run_epoch = 1, run_expires_at = now() - interval '1 second'`},
		{"InterruptedRollback", `UPDATE river_job SET state = 'running', attempted_at = now() - interval '1 minute'`,
			`status = 'PROVISIONING', undo = 'FAILED', run_epoch = 1, run_expires_at = now() - interval '1 second'`},
	} {
		t.Run(c.name+"IsReplaced", func(t *testing.T) {
			w := setup(t)
			s := w.submit("Clinic")
			w.exec(c.river)
			w.exec(`UPDATE tenants SET ` + c.tenant)
			r := w.reconciler(w.process())
			if report := pass(w, r); len(report.Requeued) != 1 || report.Requeued[0] != s.Tenant.ID {
				t.Fatalf("%+v", report)
			}
			next := value[string](w, `SELECT job_id::text FROM tenants WHERE job_id = last_job_id`)
			if next == s.JobID || w.river(next) != "available" {
				t.Errorf("job %s after %s", next, s.JobID)
			}
			w.exec(`UPDATE tenants SET updated_at = now() - interval '1 minute'`)
			if report := pass(w, r); !report.Empty() {
				t.Errorf("and again: %+v", report)
			}
			w.start(w.process())
			w.await("it is at rest", func() bool { return !w.get(s).Queued })
		})
	}
	for _, c := range []struct {
		name   string
		river  string
		tenant string
	}{
		{"Available", ``, old},
		{"Retryable", `UPDATE river_job SET state = 'retryable', attempt = 1, scheduled_at = now() + interval '1 hour'`, old},
		{"Running", `UPDATE river_job SET state = 'running', attempted_at = now()`, old},
		{"Held", `UPDATE river_job SET state = 'running', attempted_at = now() - interval '1 minute'`,
			`status = 'PROVISIONING', run_expires_at = now() + interval '1 minute', ` + old},
		{"GivenBackJustNow", `UPDATE river_job SET state = 'running', attempted_at = now() - interval '1 minute'`,
			`status = 'PROVISIONING', ` + old}, // The log's first row is new.
		{"New", `DELETE FROM river_job`, `updated_at = now()`},
		{"Live", `DELETE FROM river_job`, live + `, ` + old},
	} {
		t.Run(c.name+"IsLeftAlone", func(t *testing.T) {
			w := setup(t)
			s := w.submit("Clinic")
			if c.river != "" {
				w.exec(c.river)
			}
			w.exec(`UPDATE tenants SET ` + c.tenant)
			if report := pass(w, w.reconciler(w.process())); !report.Empty() {
				t.Errorf("%+v", report)
			}
			if job := value[*string](w, `SELECT job_id::text FROM tenants`); job != nil && *job != s.JobID {
				t.Errorf("job %s after %s", *job, s.JobID)
			}
		})
	}
	t.Run("UsedUpIsGivenUp", func(t *testing.T) {
		w := setup(t)
		s := w.submit("Clinic")
		w.exec(`UPDATE river_job SET state = 'discarded', attempt = 5, finalized_at = now()`)
		w.exec(`UPDATE tenants SET ` + old)
		if report := pass(w, w.reconciler(w.process())); len(report.GivenUp) != 1 || len(report.Requeued) != 0 {
			t.Errorf("%+v", report)
		}
		if got := w.get(s); got.Status != provisioning.StatusFailed || got.Queued || got.ProvisioningError == "" {
			t.Errorf("%+v", got)
		}
		if j := w.job(s.JobID); j.State != provisioning.JobFailed {
			t.Errorf("%+v", j)
		}
	})
	// An attempt that is out of time keeps its progress. The last one leaves a tenant
	// that no job works on any more.
	t.Run("OutOfTimeIsGivenUpInTheEnd", func(t *testing.T) {
		w := setup(t)
		p := w.process(func(o *provisioning.PipelineOptions) { o.StepGrace = 100 * time.Millisecond })
		p.onDeploy = func(ctx context.Context, _ provisioning.Tenant) error {
			<-ctx.Done()
			return ctx.Err()
		}
		s := w.submit("Clinic")
		w.exec(`UPDATE river_job SET max_attempts = 2`)
		w.startWith(queue.Options{Runner: p, JobTimeout: time.Second}, (*queue.Queue).Quick)
		w.await("the attempts are used up", func() bool { return w.river(s.JobID) == "discarded" })
		if got := w.get(s); got.Status != provisioning.StatusProvisioning || !got.Queued {
			t.Errorf("%+v", got)
		}
		if j := w.job(s.JobID); j.State != provisioning.JobRetrying || j.Attempt != 2 || !strings.Contains(j.Error, "the time allowed ran out") {
			t.Errorf("%+v", j)
		}
		w.exec(`UPDATE tenants SET ` + old + `, run_expires_at = NULL`)
		w.exec(`UPDATE provisioning_logs SET ` + old)
		if report := pass(w, w.reconciler(w.process())); len(report.GivenUp) != 1 {
			t.Errorf("%+v", report)
		}
		if got := w.get(s); got.Status != provisioning.StatusFailed || got.Queued {
			t.Errorf("%+v", got)
		}
	})
	t.Run("AWorkerThatOnlySleptIsCalledOff", func(t *testing.T) {
		w := setup(t)
		p := w.process()
		asleep, awake := make(chan struct{}), make(chan struct{})
		var deploys atomic.Int32
		p.onDeploy = func(context.Context, provisioning.Tenant) error {
			if deploys.Add(1) > 1 {
				return nil
			}
			p.die()
			close(asleep)
			<-awake
			return errDead
		}
		w.start(p)
		s := w.submit("Clinic")
		<-asleep
		w.exec(`UPDATE tenants SET run_expires_at = now() - interval '1 second'`)
		w.exec(`UPDATE river_job SET attempted_at = now() - interval '1 minute'`)
		p.revive()
		if report := pass(w, w.reconciler(w.process())); len(report.Requeued) != 1 {
			t.Fatalf("%+v", report)
		}
		w.awaitStatus(s, provisioning.StatusActive)
		close(awake)
		w.await("River is done with it", func() bool { return w.river(s.JobID) == "cancelled" })
		w.invariants(s)
	})
	t.Run("OnlyOnceByManyReplicas", func(t *testing.T) {
		w := setup(t)
		all := w.submitMany(20)
		w.exec(`DELETE FROM river_job`)
		w.exec(`UPDATE tenants SET ` + old)
		var passes sync.WaitGroup
		for range 4 {
			r := w.reconciler(w.process())
			passes.Go(func() {
				if _, err := r.Pass(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		passes.Wait()
		if n := value[int](w, `SELECT count(*) FROM river_job`); n != len(all) {
			t.Errorf("%d jobs for %d tenants", n, len(all))
		}
		w.start(w.process())
		for _, s := range all {
			w.awaitStatus(s, provisioning.StatusActive)
		}
	})
}

func TestQueue_Replace(t *testing.T) {
	const silence = 10 * time.Second
	for _, c := range []struct {
		name, river string
		unworked    bool
		want        string // kept, another or none.
	}{
		{"Available", ``, false, "kept"},
		{"Scheduled", `UPDATE river_job SET state = 'scheduled'`, false, "kept"},
		{"Retryable", `UPDATE river_job SET state = 'retryable'`, false, "kept"},
		{"Running", `UPDATE river_job SET state = 'running', attempted_at = now() - interval '9 seconds'`, false, "kept"},
		{"Silent", `UPDATE river_job SET state = 'running', attempted_at = now() - interval '11 seconds'`, true, "another"},
		{"Completed", `UPDATE river_job SET state = 'completed', finalized_at = now()`, true, "another"},
		{"Cancelled", `UPDATE river_job SET state = 'cancelled', finalized_at = now()`, true, "another"},
		{"Discarded", `UPDATE river_job SET state = 'discarded', finalized_at = now()`, true, "none"},
		{"Gone", `DELETE FROM river_job`, true, "another"},
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
			lost, err := w.queue.Unworked(t.Context(), []int64{job}, silence)
			if err != nil || (len(lost) == 1) != c.unworked {
				t.Errorf("unworked: %v, %v", lost, err)
			}
			var next int64
			err = pgx.BeginFunc(t.Context(), w.db.Pool(), func(tx pgx.Tx) (err error) {
				next, err = w.queue.Replace(t.Context(), tx, job, s.Tenant.ID, silence)
				return err
			})
			is := map[int64]string{0: "none", job: "kept"}[next]
			if is == "" && w.job(strconv.FormatInt(next, 10)).TenantID == s.Tenant.ID {
				is = "another"
			}
			if err != nil || is != c.want {
				t.Errorf("job %d instead of %d: %s, %v", next, job, is, err)
			}
		})
	}
}

// TestQueue_ServerRestart lets the server crash under load: a backend that is
// killed makes it end all connections and recover, and what it had not written
// to the disk is lost.
func TestQueue_ServerRestart(t *testing.T) {
	t.Parallel()
	server, err := pgserver.Start(t.Context(), pgserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	url := server.URL("postgres")
	if err := postgrestest.Migrate(t.Context(), url); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, url)
	w.crashes = 3
	w.startReconciling(w.process(), (*queue.Queue).Brisk)
	var accepted []provisioning.Submission
	submit := func() {
		if s, err := w.service.Submit(t.Context(), inputs(fmt.Sprintf("Clinic %d", len(accepted))), nil); err == nil {
			accepted = append(accepted, s)
		} else if provisioning.KindOf(err) == provisioning.KindConflict { // The answer before this one was lost.
			found, err := w.db.FindByName(t.Context(), fmt.Sprintf("Clinic %d", len(accepted)))
			if err == nil {
				accepted = append(accepted, provisioning.Submission{Tenant: found})
			}
		}
	}
	for round := range w.crashes {
		w.await("twenty more are accepted", func() bool { submit(); return len(accepted) >= 20*(round+1) })
		pid := 0
		w.await("the server answers", func() bool { return w.db.Pool().QueryRow(t.Context(), `SELECT pg_backend_pid()`).Scan(&pid) == nil })
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	w.await("twenty more are accepted", func() bool { submit(); return len(accepted) >= 20*(w.crashes+1) })
	w.await("all are live", func() bool {
		unfinished := -1
		err := w.db.Pool().QueryRow(t.Context(), `SELECT count(*) FROM tenants WHERE status <> 'ACTIVE'`).Scan(&unfinished)
		return err == nil && unfinished == 0
	})
	for i, s := range accepted {
		if s.JobID == "" {
			accepted[i].JobID = value[string](w, `SELECT last_job_id::text FROM tenants WHERE id = $1`, s.Tenant.ID)
		}
	}
	w.invariants(accepted...)
}
