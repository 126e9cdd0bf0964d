package queue_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestQueue_Clocks: the database's clock decides, whatever that of this host says.
func TestQueue_Clocks(t *testing.T) {
	server := testenv.StartClockedServer(t)

	t.Run("HostAhead", func(t *testing.T) {
		server.Shift(-time.Hour)
		ahead := newFixture(t, server.URL) // A process that starts then.
		p := ahead.newProcess()
		ahead.startWorker(p)
		ahead.waitForStatus(ahead.submit("Ahead"), tenant.StatusActive)
	})

	t.Run("HostBehind", func(t *testing.T) {
		server.Shift(time.Hour)
		behind := newFixture(t, server.URL)
		p := behind.newProcess()
		var deploys atomic.Int64
		p.onDeploy = func(context.Context, tenant.Tenant) error {
			deploys.Add(1)
			return errs.Errorf(errs.KindTransient, "deploy", "not now")
		}
		behind.startWorker(p)
		s := behind.submit("Behind")
		behind.waitFor("the first attempt has failed", func() bool {
			return value[bool](behind, `SELECT errors IS NOT NULL FROM river_job WHERE id = $1::text::bigint`, s.JobID)
		})
		// The pause is five seconds, a fifth more or less.
		if !value[bool](behind, `SELECT attempt = 1 AND scheduled_at - (errors[1]->>'at')::timestamptz BETWEEN interval '3 seconds' AND interval '7 seconds'
			FROM river_job WHERE id = $1::text::bigint`, s.JobID) || deploys.Load() > 2 {
			t.Error(behind.dump())
		}
	})

	t.Run("RescuesNoRunningJob", func(t *testing.T) {
		server.Shift(-time.Hour)
		ahead := newFixture(t, server.URL)
		p := ahead.newProcess()
		deploying := make(chan struct{}, 1)
		p.onDeploy = func(ctx context.Context, _ tenant.Tenant) error {
			select {
			case deploying <- struct{}{}:
			default:
			}
			<-p.testDone
			return errKilled
		}
		q := ahead.startWorker(p)
		ahead.submit("Running")
		<-deploying
		if n, err := q.StuckJobs(t.Context(), time.Now().Add(-20*time.Minute)); n != 0 || err != nil {
			t.Errorf("%d jobs, %v", n, err)
		}
	})

	t.Run("SetBackAfterCrash", func(t *testing.T) {
		server.Shift(0)
		first := newFixture(t, server.URL)
		p := first.newProcess()
		deploying := make(chan struct{})
		p.onDeploy = func(ctx context.Context, _ tenant.Tenant) error {
			close(deploying)
			<-p.testDone
			return errKilled
		}
		first.startWorker(p)
		s := first.submit("Crashed")
		<-deploying
		p.kill()
		server.Shift(-time.Hour)
		next := newFixture(t, server.URL)
		alive := next.newProcess()
		r := next.newReconciler(alive)
		next.startQueue(queue.Options{Runner: alive, ReconcileEvery: 200 * time.Millisecond, Reconcile: func(ctx context.Context) error {
			_, err := r.Pass(ctx)
			return err
		}})
		next.waitForStatus(s, tenant.StatusActive)
	})
}
