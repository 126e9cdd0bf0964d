package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
)

// The reconciler's own tests are in packages provisioning and queue; these are
// about what a pass takes on and what it leaves.

func (b bundle) useQueue() {
	b.t.Helper()
	q, err := queue.Open(b.t.Context(), queue.Options{URL: b.Pool().Config().ConnString()})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(q.Close)
	b.UseQueue(q)
}

func (b bundle) submitted(name string) provisioning.Submission {
	b.t.Helper()
	s, err := b.Submit(b.t.Context(), b.draft(inputs(name)), nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return s
}

var query = provisioning.UnfinishedQuery{Silence: 10 * time.Second, AbandonAfter: time.Hour, Limit: 2}

func TestDB_Unfinished(t *testing.T) {
	t.Parallel()

	t.Run("TakesOnAFewOfEachSort", func(t *testing.T) {
		b := setup(t)
		b.useQueue()
		const each = 3
		for i := range each {
			b.begin(inputs(fmt.Sprintf("Abandoned %d", i)))
			run := b.begin(inputs(fmt.Sprintf("Interrupted %d", i)))
			record := provisioning.StepRecord{Step: provisioning.StepCreateSchema, Status: provisioning.StepFailed, Error: "x"}
			if err := b.BeginUndo(t.Context(), run, provisioning.UndoFailed, record); err != nil {
				t.Fatal(err)
			}
			b.submitted(fmt.Sprintf("Lost %d", i))
			b.submitted(fmt.Sprintf("Used up %d", i))
		}
		b.exec(`UPDATE tenants SET updated_at = now() - interval '2 hours', run_expires_at = run_expires_at - interval '2 hours'`)
		b.exec(`DELETE FROM river_job WHERE id IN (SELECT job_id FROM tenants WHERE name LIKE 'Lost%')`)
		b.exec(`UPDATE river_job SET state = 'discarded', finalized_at = now()`)
		requeued, usedUp := map[uuid.UUID]int{}, map[uuid.UUID]int{}
		for range each * 2 {
			found, err := b.Unfinished(t.Context(), query)
			if err != nil || len(found.Abandoned) != 2 || len(found.Interrupted) != 2 || len(found.Requeued)+len(found.Exhausted) > 2 {
				t.Fatalf("%+v, %v", found, err)
			}
			for _, id := range found.Requeued {
				requeued[id]++
			}
			for _, id := range found.Exhausted {
				usedUp[id]++
				b.exec(`UPDATE tenants SET status = 'FAILED', job_id = NULL WHERE id = $1`, id) // As the reconciler does.
			}
		}
		if len(requeued) != each || len(usedUp) != each {
			t.Errorf("%d queued again, %d used up", len(requeued), len(usedUp))
		}
		for id, n := range requeued {
			if n != 1 || value[int](b, `SELECT count(*) FROM river_job j JOIN tenants t ON t.job_id = j.id AND t.last_job_id = j.id WHERE t.id = $1 AND j.state = 'available'`, id) != 1 {
				t.Errorf("%s was queued %d times", id, n)
			}
		}
	})
	t.Run("LeavesTheForegroundItsTime", func(t *testing.T) {
		b := setup(t)
		b.begin(inputs("Clinic"))
		for _, c := range []struct {
			set       string
			abandoned int
		}{
			{`updated_at = now() - interval '2 hours'`, 0}, // It is held.
			{`run_expires_at = now() - interval '59 minutes'`, 0},
			{`run_expires_at = now() - interval '61 minutes'`, 1},
			{`run_expires_at = NULL`, 1},
			{`updated_at = now() - interval '59 minutes'`, 0},
		} {
			b.exec(`UPDATE provisioning_logs SET updated_at = now() - interval '2 hours'`)
			b.exec(`UPDATE tenants SET ` + c.set)
			found, err := b.Unfinished(t.Context(), query)
			if err != nil || len(found.Abandoned) != c.abandoned {
				t.Errorf("%s: %+v, %v", c.set, found, err)
			}
		}
	})
	t.Run("NeedsTheQueue", func(t *testing.T) {
		b := setup(t)
		b.useQueue()
		b.submitted("Clinic")
		b.exec(`UPDATE tenants SET updated_at = now() - interval '2 hours'`)
		b.UseQueue(nil)
		_, err := b.Unfinished(t.Context(), query)
		wantKind(t, err, provisioning.KindPermanent)
	})
}
