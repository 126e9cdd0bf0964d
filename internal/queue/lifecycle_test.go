package queue_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func TestQueue_Enqueue(t *testing.T) {
	t.Run("CommitsWithTenant", func(t *testing.T) {
		w := setup(t)
		s := w.submit("Clinic")
		if s.JobID == "" || !s.Tenant.Queued || w.riverState(s.JobID) != "available" {
			t.Errorf("%+v", s)
		}
		if j := w.job(s.JobID); j.State != provisioning.JobQueued || j.TenantID != s.Tenant.ID || j.MaxAttempts != queue.MaxAttempts ||
			j.Attempt != 0 || j.CreatedAt.IsZero() || !j.FinishedAt.IsZero() || j.ID != s.JobID {
			t.Errorf("%+v", j)
		}
	})
	t.Run("RollsBackWithCaller", func(t *testing.T) {
		w := setup(t)
		errStop := errors.New("stop")
		err := pgx.BeginFunc(t.Context(), w.db.Pool(), func(tx pgx.Tx) error {
			if _, err := w.queue.Enqueue(t.Context(), tx, uuid.New()); err != nil {
				return err
			}
			return errStop
		})
		if !errors.Is(err, errStop) || value[int](w, `SELECT count(*) FROM river_job`) != 0 {
			t.Errorf("%v", err)
		}
	})
}

func TestQueue_Work(t *testing.T) {
	t.Run("ProvisionsTenant", func(t *testing.T) {
		w := setup(t)
		w.startWorker(w.newProcess())
		s := w.submit("Clinic")
		w.waitForStatus(s, tenant.StatusActive)
		w.assertInvariants(s)
	})
	t.Run("IsSeen", func(t *testing.T) {
		w := setup(t)
		s := w.submit("Clinic")
		w.registry.SetUpdated(-time.Hour)
		if r, err := w.db.WaitingForWorker(t.Context(), 0); err != nil || r.Tenants != 1 {
			t.Errorf("%+v, %v, want a queued tenant that waits", r, err)
		}
		release := make(chan struct{})
		p := w.newProcess()
		p.onDeploy = func(context.Context, tenant.Tenant) error { <-release; return nil }
		w.startWorker(p)
		w.waitForStatus(s, tenant.StatusProvisioning)
		w.registry.SetUpdated(-time.Hour)
		w.registry.ExpireRun(s.Tenant.ID.String())
		if r, err := w.db.WaitingForWorker(t.Context(), 0); err != nil || r.String() != "" {
			t.Errorf("%q waits although a worker runs, %v", r, err)
		}
		close(release)
		w.waitForStatus(s, tenant.StatusActive)
	})
	t.Run("FindsEveryJob", func(t *testing.T) {
		w := setup(t)
		w.startWorker(w.newProcess())
		var all []provisioning.Submission
		for _, name := range []string{"One", "Two", "Three"} { // Each while the worker is idle.
			all = append(all, w.submit(name))
			w.waitForStatus(all[len(all)-1], tenant.StatusActive)
		}
		all = append(all, w.submitMany(100)...)
		for _, s := range all {
			w.waitForStatus(s, tenant.StatusActive)
		}
		w.assertInvariants(all...)
	})
	t.Run("RunsEarlierJobs", func(t *testing.T) {
		w := setup(t)
		s := w.submit("Clinic")
		w.startWorker(w.newProcess())
		w.waitForStatus(s, tenant.StatusActive)
		w.assertInvariants(s)
	})
	t.Run("RetriesAfterTransientError", func(t *testing.T) {
		w := setup(t)
		p := w.newProcess()
		var deploys atomic.Int32
		retrying := make(chan provisioning.Job, 1)
		p.onDeploy = func(context.Context, tenant.Tenant) error {
			if deploys.Add(1) <= 4 { // Two tries in each of two attempts.
				return errs.Wrap(errors.New("secret-cause"), errs.KindTransient, "deploy", "the network is busy")
			}
			return nil
		}
		w.startWorker(p, (*queue.Queue).RetryImmediately)
		s := w.submit("Clinic")
		go func() {
			w.waitFor("the job is retried", func() bool { return w.job(s.JobID).Error != "" })
			retrying <- w.job(s.JobID)
		}()
		w.waitForStatus(s, tenant.StatusActive)
		w.assertInvariants(s)
		if j := w.job(s.JobID); j.Attempt != 3 || j.Error != "" {
			t.Errorf("%+v", j)
		}
		if j := <-retrying; j.State != provisioning.JobCompleted && !strings.Contains(j.Error, "the network is busy") {
			t.Errorf("%+v", j)
		}
		if text := value[string](w, `SELECT errors::text FROM river_job`); strings.Contains(text, "secret") || !strings.Contains(text, "the network is busy") {
			t.Errorf("River has %s", text)
		}
	})
	t.Run("FailsAfterLastAttempt", func(t *testing.T) {
		w := setup(t)
		p := w.newProcess()
		p.onDeploy = func(context.Context, tenant.Tenant) error {
			return errs.Errorf(errs.KindTransient, "deploy", "the network is busy")
		}
		w.startWorker(p, (*queue.Queue).RetryImmediately)
		s := w.submit("Clinic")
		w.waitForStatus(s, tenant.StatusFailed)
		w.waitFor("River is done", func() bool { return w.riverState(s.JobID) == "discarded" })
		j, got := w.job(s.JobID), w.get(s)
		if j.State != provisioning.JobFailed || j.Attempt != queue.MaxAttempts || !strings.Contains(j.Error, "the network is busy") || j.FinishedAt.IsZero() {
			t.Errorf("%+v", j)
		}
		if got.Queued || got.Attempt != 1 || !strings.Contains(got.ProvisioningError, "the network is busy") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("PermanentErrorFailsImmediately", func(t *testing.T) {
		w := setup(t)
		p := w.newProcess()
		p.onDeploy = func(context.Context, tenant.Tenant) error {
			return errs.Wrap(errors.New("secret-cause"), errs.KindPermanent, "deploy", "there are no funds")
		}
		w.startWorker(p)
		s := w.submit("Clinic")
		w.waitForStatus(s, tenant.StatusFailed)
		w.waitFor("River is done", func() bool { return w.riverState(s.JobID) == "cancelled" })
		if j := w.job(s.JobID); j.State != provisioning.JobFailed || j.Attempt != 1 || !strings.HasPrefix(j.Error, "step DEPLOY_SOROBAN_CONTRACT failed: there are no funds") {
			t.Errorf("%+v", j)
		}
		if text := value[string](w, `SELECT errors::text FROM river_job`); strings.Contains(text, "secret") {
			t.Errorf("River has %s", text)
		}
	})
	t.Run("RecoversFromPanic", func(t *testing.T) {
		w := setup(t)
		p := w.newProcess()
		var deploys atomic.Int32
		p.onDeploy = func(context.Context, tenant.Tenant) error {
			if deploys.Add(1) == 1 {
				panic("secret-panic")
			}
			return nil
		}
		w.startWorker(p, (*queue.Queue).RetryImmediately)
		s := w.submit("Clinic")
		w.waitForStatus(s, tenant.StatusActive)
		w.assertInvariants(s)
		if text := value[string](w, `SELECT errors::text FROM river_job`); strings.Contains(text, "secret") || !strings.Contains(text, "internal error") {
			t.Errorf("River has %s", text)
		}
	})
	t.Run("RejectsUnknownFields", func(t *testing.T) {
		w := setup(t)
		p := w.newProcess()
		w.exec(`INSERT INTO river_job (kind, args, max_attempts, queue) VALUES
			('provision_tenant', '{}', 1, 'provisioning'), ('provision_tenant', '{"tenant_id": 7}', 1, 'provisioning'),
			('something_else', '{}', 1, 'provisioning')`)
		w.startWorker(p)
		w.waitFor("all are discarded", func() bool {
			return value[int](w, `SELECT count(*) FROM river_job WHERE state = 'discarded' AND array_length(errors, 1) = 1`) == 3
		})
		if _, err := w.queue.Job(t.Context(), value[string](w, `SELECT id::text FROM river_job WHERE kind = 'something_else'`)); errs.KindOf(err) != errs.KindNotFound {
			t.Errorf("a job of another kind: %v", err)
		}
		if j := w.job(value[string](w, `SELECT id::text FROM river_job WHERE args = '{}' AND kind = 'provision_tenant'`)); j.State != provisioning.JobFailed || j.TenantID != uuid.Nil {
			t.Errorf("%+v", j)
		}
	})
	t.Run("OneRunAtATime", func(t *testing.T) {
		w := setup(t)
		var deploying, maxConcurrent atomic.Int32
		slow := func(ctx context.Context, _ tenant.Tenant) error {
			now := deploying.Add(1)
			defer deploying.Add(-1)
			maxConcurrent.Store(max(maxConcurrent.Load(), now))
			// Until the other worker has found the tenant's lease taken.
			w.waitFor("the other job is snoozed", func() bool {
				return value[int](w, `SELECT count(*) FROM river_job WHERE metadata->>'snoozes' IS NOT NULL`) == 1
			})
			return nil
		}
		s := w.submit("Clinic")
		w.exec(`INSERT INTO river_job (kind, args, max_attempts, queue) SELECT kind, args, max_attempts, queue FROM river_job`)
		for range 2 {
			p := w.newProcess()
			p.onDeploy = slow
			w.startQueue(queue.Options{Runner: p, Workers: 1})
		}
		w.waitForStatus(s, tenant.StatusActive)
		w.waitFor("both jobs end", func() bool {
			return value[int](w, `SELECT count(*) FROM river_job WHERE state = 'completed' AND attempt = 1`) == 2
		})
		if maxConcurrent.Load() != 1 {
			t.Errorf("%d runs at once", maxConcurrent.Load())
		}
		w.assertInvariants(s)
	})
	t.Run("StopsArchivedTenant", func(t *testing.T) {
		w := setup(t)
		p := w.newProcess()
		started, archived := make(chan struct{}), make(chan struct{})
		p.onDeploy = func(context.Context, tenant.Tenant) error {
			close(started)
			<-archived
			return nil
		}
		w.startWorker(p)
		s := w.submit("Clinic")
		<-started
		got, err := w.service.Archive(t.Context(), s.Tenant.ID)
		close(archived)
		if err != nil || got.Status != tenant.StatusArchived || got.WasLive() {
			t.Fatalf("%+v, %v", got, err)
		}
		w.waitFor("River is done", func() bool { return w.riverState(s.JobID) == "completed" })
		if got := w.get(s); got.Status != tenant.StatusArchived || got.WasLive() || got.Queued {
			t.Errorf("%+v", got)
		}
		if n := value[int](w, `SELECT count(*) FROM pg_namespace WHERE nspname = $1`, s.Tenant.SchemaName); n != 0 {
			t.Errorf("%d schemas", n)
		}
		if j := w.job(s.JobID); j.State != provisioning.JobFailed || j.Error == "" {
			t.Errorf("%+v", j)
		}
	})
}

func TestQueue_Stop(t *testing.T) {
	t.Run("FinishesStepAndReleasesJob", func(t *testing.T) {
		w := setup(t)
		p := w.newProcess()
		started, release := make(chan struct{}), make(chan struct{})
		p.onDeploy = func(ctx context.Context, _ tenant.Tenant) error {
			close(started)
			<-release
			return ctx.Err() // The step is not cancelled.
		}
		first := w.startWorker(p)
		s := w.submit("Clinic")
		<-started
		stopped := make(chan error)
		go func() { stopped <- first.Stop(context.Background()) }()
		second := w.submit("Late")
		close(release)
		if err := <-stopped; err != nil {
			t.Fatal(err)
		}
		if got := w.get(s); got.Status != tenant.StatusProvisioning || !got.Queued {
			t.Errorf("%+v", got)
		}
		if w.riverState(s.JobID) != "available" || value[int](w, `SELECT attempt FROM river_job WHERE id = $1::text::bigint`, s.JobID) != 0 {
			t.Errorf("the job is %s", w.riverState(s.JobID))
		}
		if w.riverState(second.JobID) != "available" {
			t.Errorf("the late job is %s", w.riverState(second.JobID))
		}
		w.startWorker(w.newProcess())
		w.waitForStatus(s, tenant.StatusActive)
		w.waitForStatus(second, tenant.StatusActive)
		w.assertInvariants(s, second)
	})
	t.Run("OtherWorkersFindReleasedJobs", func(t *testing.T) {
		w := setup(t)
		p := w.newProcess()
		started, release := make(chan struct{}), make(chan struct{})
		p.onDeploy = func(context.Context, tenant.Tenant) error {
			close(started)
			<-release
			return nil
		}
		first := w.startWorker(p)
		s := w.submit("Clinic")
		<-started
		w.startWorker(w.newProcess())
		stopped := make(chan error)
		go func() { stopped <- first.Stop(context.Background()) }()
		close(release)
		if err := <-stopped; err != nil {
			t.Fatal(err)
		}
		w.waitForStatus(s, tenant.StatusActive)
		w.assertInvariants(s)
	})
	t.Run("StopReturnsWhenContextEnds", func(t *testing.T) {
		w := setup(t)
		p := w.newProcess()
		started, release := make(chan struct{}), make(chan struct{})
		p.onDeploy = func(context.Context, tenant.Tenant) error {
			close(started)
			<-release
			return nil
		}
		q := w.startWorker(p)
		w.submit("Clinic")
		<-started
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := q.Stop(ctx); errs.KindOf(err) != errs.KindCancelled {
			t.Errorf("%v", err)
		}
		close(release)
		if err := q.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if err := q.Stop(t.Context()); err != nil {
			t.Errorf("stopped twice: %v", err)
		}
	})
	t.Run("StopsAmongManyJobs", func(t *testing.T) {
		w := setup(t)
		first := w.startWorker(w.newProcess())
		all := w.submitMany(100)
		w.waitFor("some are live", func() bool { return w.total(tenant.StatusActive) >= 10 })
		if err := first.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := value[int](w, `SELECT count(*) FROM river_job WHERE state = 'running'`); n != 0 {
			t.Errorf("%d jobs are running after the stop", n)
		}
		if n := w.registry.ValidLeases(); n != 0 {
			t.Errorf("%d leases are held after the stop", n)
		}
		if n := w.total(tenant.StatusActive); n == 100 {
			t.Error("the stop came too late to show anything")
		}
		w.startWorker(w.newProcess())
		for _, s := range all {
			w.waitForStatus(s, tenant.StatusActive)
		}
		w.assertInvariants(all...)
	})
}

func TestQueue_Start(t *testing.T) {
	t.Run("RequiresRunner", func(t *testing.T) {
		w := setup(t)
		if err := w.queue.Start(t.Context()); errs.KindOf(err) != errs.KindInvalid || !strings.Contains(err.Error(), "Runner") {
			t.Errorf("%v", err)
		}
	})
	t.Run("Once", func(t *testing.T) {
		w := setup(t)
		q := w.startWorker(w.newProcess())
		if err := q.Start(t.Context()); errs.KindOf(err) != errs.KindInvalid {
			t.Errorf("%v", err)
		}
	})
	t.Run("RestartsAfterStop", func(t *testing.T) {
		w := setup(t)
		q := w.startWorker(w.newProcess())
		if err := q.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := q.Start(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		s := w.submit("Clinic")
		w.waitForStatus(s, tenant.StatusActive)
	})
	t.Run("ReportsUnreachableDatabase", func(t *testing.T) {
		t.Parallel()
		w := &fixture{t: t, url: "postgres://u:hidden-password@127.0.0.1:1/x"}
		o := w.options()
		o.Runner = &process{}
		q, err := queue.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close()
		for name, err := range map[string]error{"start": q.Start(t.Context()), "migrate": q.Migrate(t.Context())} {
			if errs.KindOf(err) != errs.KindTransient || strings.Contains(err.Error(), "hidden-password") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	t.Run("Reconciles", func(t *testing.T) {
		w := setup(t)
		passed := make(chan struct{}, 100)
		hungPassEnded := make(chan struct{})
		var n atomic.Int32
		q := w.startQueue(queue.Options{Runner: w.newProcess(), ReconcileEvery: 1, Reconcile: func(ctx context.Context) error {
			if n.Add(1) == 1 {
				<-ctx.Done() // Must not delay another pass.
				close(hungPassEnded)
			}
			select {
			case passed <- struct{}{}:
			default:
			}
			return errors.New("something is wrong")
		}})
		for range 3 {
			<-passed
		}
		if err := q.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-hungPassEnded
	})
}
