package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// The reconciler's own tests are in packages provisioning and queue; these check
// which tenants a pass selects.

func (b fixture) useQueue() {
	b.t.Helper()
	q, err := queue.Open(b.t.Context(), queue.Options{URL: b.Pool().Config().ConnString()})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(q.Close)
	b.UseQueue(q)
}

func (b fixture) submitNamed(name string) provisioning.Submission {
	b.t.Helper()
	s, err := b.Submit(b.t.Context(), b.draft(inputs(name)), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

var orphanQuery = provisioning.OrphanQuery{HeartbeatTimeout: 10 * time.Second, AbandonAfter: time.Hour, Limit: 2}

func TestDB_FindOrphans(t *testing.T) {
	t.Parallel()

	t.Run("LimitsOrphansPerKind", func(t *testing.T) {
		b := setup(t)
		b.useQueue()
		const perKind = 3
		for i := range perKind {
			b.claimNew(inputs(fmt.Sprintf("Abandoned %d", i)))
			run := b.claimNew(inputs(fmt.Sprintf("Interrupted %d", i)))
			record := tenant.StepRecord{Step: tenant.StepCreateSchema, Status: tenant.StepFailed, Error: "x"}
			if err := b.BeginRollback(t.Context(), run, provisioning.RollbackToFailed, record); err != nil {
				t.Fatal(err)
			}
			b.submitNamed(fmt.Sprintf("Lost %d", i))
			b.submitNamed(fmt.Sprintf("Used up %d", i))
		}
		b.exec(`UPDATE tenants SET updated_at = now() - interval '2 hours', run_expires_at = run_expires_at - interval '2 hours'`)
		b.exec(`DELETE FROM river_job WHERE id IN (SELECT job_id FROM tenants WHERE name LIKE 'Lost%')`)
		b.exec(`UPDATE river_job SET state = 'discarded', finalized_at = now()`)
		requeued, exhausted := map[uuid.UUID]int{}, map[uuid.UUID]int{}
		for range perKind * 2 {
			orphans, err := b.FindOrphans(t.Context(), orphanQuery)
			if err != nil || len(orphans.Abandoned) != 2 || len(orphans.Interrupted) != 2 || len(orphans.Requeued)+len(orphans.Exhausted) > 2 {
				t.Fatalf("%+v, %v", orphans, err)
			}
			for _, id := range orphans.Requeued {
				requeued[id]++
			}
			for _, id := range orphans.Exhausted {
				exhausted[id]++
				b.exec(`UPDATE tenants SET status = 'FAILED', job_id = NULL WHERE id = $1`, id) // As the reconciler does it.
			}
		}
		if len(requeued) != perKind || len(exhausted) != perKind {
			t.Errorf("%d requeued, %d exhausted", len(requeued), len(exhausted))
		}
		for id, n := range requeued {
			if n != 1 || value[int](b, `SELECT count(*) FROM river_job j JOIN tenants t ON t.job_id = j.id AND t.last_job_id = j.id WHERE t.id = $1 AND j.state = 'available'`, id) != 1 {
				t.Errorf("%s was queued %d times", id, n)
			}
		}
	})
	t.Run("WaitsBeforeAbandoning", func(t *testing.T) {
		b := setup(t)
		b.claimNew(inputs("Clinic"))
		for _, c := range []struct {
			set       string
			abandoned int
		}{
			{`updated_at = now() - interval '2 hours'`, 0}, // Its lease is held.
			{`run_expires_at = now() - interval '59 minutes'`, 0},
			{`run_expires_at = now() - interval '61 minutes'`, 1},
			{`run_expires_at = NULL`, 1},
			{`updated_at = now() - interval '59 minutes'`, 0},
		} {
			b.exec(`UPDATE provisioning_logs SET updated_at = now() - interval '2 hours'`)
			b.exec(`UPDATE tenants SET ` + c.set)
			orphans, err := b.FindOrphans(t.Context(), orphanQuery)
			if err != nil || len(orphans.Abandoned) != c.abandoned {
				t.Errorf("%s: %+v, %v", c.set, orphans, err)
			}
		}
	})
	t.Run("RequiresQueue", func(t *testing.T) {
		b := setup(t)
		b.useQueue()
		b.submitNamed("Clinic")
		b.exec(`UPDATE tenants SET updated_at = now() - interval '2 hours'`)
		b.UseQueue(nil)
		_, err := b.FindOrphans(t.Context(), orphanQuery)
		wantKind(t, err, errs.KindPermanent)
	})
}
