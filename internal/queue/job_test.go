package queue_test

import (
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func TestQueue_Job(t *testing.T) {
	t.Run("NotFound", func(t *testing.T) {
		w := setup(t)
		for _, id := range []string{"", "0", "-1", "7", "007", "+7", "x", "9999999999999999999999", "1; DROP TABLE river_job"} {
			if _, err := w.queue.Job(t.Context(), id); errs.KindOf(err) != errs.KindNotFound {
				t.Errorf("%q: %v", id, err)
			}
		}
	})
	live := func(w *fixture) { w.registry.Activate() }
	ended := func(status tenant.Status, err string) func(w *fixture) {
		return func(w *fixture) { w.registry.EndJobs(status, err) }
	}
	replaced := func(w *fixture) { w.registry.ReplaceJobs(value[string](w, `SELECT max(id)::text FROM river_job`)) }
	// River's row and the registry differ; the registry is right.
	for _, c := range []struct {
		name     string
		river    string           // Changes the job.
		tenant   func(w *fixture) // Changes the tenant.
		want     provisioning.JobState
		finished bool
		err      string
	}{
		{"Available", ``, nil, provisioning.JobQueued, false, ""},
		{"Running", `state = 'running', attempt = 1, attempted_at = now()`, nil, provisioning.JobRunning, false, ""},
		{"Retryable", `state = 'retryable', attempt = 1, errors = ARRAY['{"error": "first"}', '{"error": "second"}']::jsonb[]`, nil, provisioning.JobRetrying, false, "second"},
		{"DueAgain", `attempt = 2, errors = ARRAY['{"error": "first"}']::jsonb[]`, nil, provisioning.JobRetrying, false, "first"},
		{"Postponed", `state = 'scheduled'`, nil, provisioning.JobQueued, false, ""},
		{"FinishedWithUnfinishedTenant", `state = 'completed', attempt = 1, finalized_at = now()`, nil, provisioning.JobRetrying, false, ""},
		{"RunningAndLive", `state = 'running', attempt = 1`, live, provisioning.JobCompleted, true, ""},
		{"RunningAndArchivedAfterLive", `state = 'running', attempt = 1`, func(w *fixture) { w.registry.Activate(); w.registry.Archive(0) }, provisioning.JobCompleted, true, ""},
		{"RunningAndFailed", `state = 'running', attempt = 1`, ended(tenant.StatusFailed, "no funds"), provisioning.JobFailed, true, "no funds"},
		{"AvailableAndAborted", ``, ended(tenant.StatusArchived, ""), provisioning.JobFailed, true, "was aborted"},
		{"CompletedAndLive", `state = 'completed', attempt = 1, finalized_at = now()`, live, provisioning.JobCompleted, true, ""},
		{"CompletedAndFailed", `state = 'completed', attempt = 1, finalized_at = now()`, ended(tenant.StatusFailed, "no funds"), provisioning.JobFailed, true, "no funds"},
		{"FailedAndLiveByAnotherJob", `state = 'cancelled', attempt = 1, finalized_at = now(), errors = ARRAY['{"error": "JobCancelError: no funds"}']::jsonb[]`, live, provisioning.JobFailed, true, "no funds"},
		{"CancelledAndLive", `state = 'cancelled', attempt = 1, finalized_at = now(), metadata = '{"cancel_attempted_at": "now"}', errors = ARRAY['{"error": "x"}']::jsonb[]`, live, provisioning.JobCompleted, true, ""},
		{"CancelledAndFailed", `state = 'cancelled', attempt = 1, finalized_at = now(), metadata = '{"cancel_attempted_at": "now"}', errors = ARRAY['{"error": "x"}']::jsonb[]`, ended(tenant.StatusFailed, "no funds"), provisioning.JobFailed, true, "no funds"},
		{"Discarded", `state = 'discarded', attempt = 5, finalized_at = now(), errors = ARRAY['{"error": "busy"}']::jsonb[]`, ended(tenant.StatusFailed, ""), provisioning.JobFailed, true, "busy"},
		{"ProvisionedInForeground", `state = 'running', attempt = 1`, ended(tenant.StatusProvisioning, ""), provisioning.JobRunning, false, ""},
		{"ReplacedByRunningJob", `state = 'running', attempt = 1`, replaced, provisioning.JobRunning, false, ""},
		{"FinishedAndReplaced", `state = 'completed', attempt = 1, finalized_at = now()`, replaced, provisioning.JobRunning, false, ""},
		{"ReplacedByLostJob", `state = 'running', attempt = 1`, func(w *fixture) { w.registry.ReplaceJobs("4711") }, provisioning.JobQueued, false, ""},
		{"WithoutTenant", `args = '{"tenant_id": "x"}'`, nil, provisioning.JobQueued, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := setup(t)
			s := w.submit("Clinic")
			w.exec(`INSERT INTO river_job (kind, args, max_attempts, queue, state, attempt) SELECT kind, args, 5, queue, 'running', 1 FROM river_job`)
			if c.river != "" {
				w.exec(`UPDATE river_job SET `+c.river+` WHERE id = $1::text::bigint`, s.JobID)
			}
			if c.tenant != nil {
				c.tenant(w)
			}
			j := w.job(s.JobID)
			if j.State != c.want || j.FinishedAt.IsZero() == c.finished || !strings.Contains(j.Error, c.err) || c.err == "" && j.Error != "" {
				t.Errorf("%+v", j)
			}
		})
	}
}
