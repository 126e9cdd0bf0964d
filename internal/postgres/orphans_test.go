package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// The reconciler's own tests are in packages provisioning and queue; these check
// which tenants a pass selects.

func (b fixture) useQueue() {
	b.T.Helper()
	q, err := queue.Open(b.T.Context(), queue.Options{URL: b.Pool().Config().ConnString()})
	if err != nil {
		b.T.Fatal(err)
	}
	b.T.Cleanup(q.Close)
	b.UseQueue(q)
}

func (b fixture) submitNamed(name string) provisioning.Submission {
	b.T.Helper()
	s, err := b.Submit(b.T.Context(), b.Draft(postgrestest.Inputs(name)), nil)
	if err != nil {
		b.T.Fatal(err)
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
			b.ClaimNew(postgrestest.Inputs(fmt.Sprintf("Abandoned %d", i)))
			run := b.ClaimNew(postgrestest.Inputs(fmt.Sprintf("Interrupted %d", i)))
			record := tenant.StepRecord{Step: tenant.StepCreateSchema, Status: tenant.StepFailed, Error: "x"}
			if err := b.BeginRollback(t.Context(), run, provisioning.RollbackToFailed, record); err != nil {
				t.Fatal(err)
			}
			b.submitNamed(fmt.Sprintf("Lost %d", i))
			b.submitNamed(fmt.Sprintf("Used up %d", i))
		}
		b.Exec(`UPDATE tenants SET updated_at = now() - interval '2 hours', run_expires_at = run_expires_at - interval '2 hours'`)
		b.Exec(`DELETE FROM river_job WHERE id IN (SELECT job_id FROM tenants WHERE name LIKE 'Lost%')`)
		b.Exec(`UPDATE river_job SET state = 'discarded', finalized_at = now()`)
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
				b.Exec(`UPDATE tenants SET status = 'FAILED', job_id = NULL WHERE id = $1`, id) // As the reconciler does it.
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
		b.ClaimNew(postgrestest.Inputs("Clinic"))
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
			b.Exec(`UPDATE provisioning_logs SET updated_at = now() - interval '2 hours'`)
			b.Exec(`UPDATE tenants SET ` + c.set)
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
		b.Exec(`UPDATE tenants SET updated_at = now() - interval '2 hours'`)
		b.UseQueue(nil)
		_, err := b.FindOrphans(t.Context(), orphanQuery)
		postgrestest.WantKind(t, err, errs.KindPermanent)
	})
}
