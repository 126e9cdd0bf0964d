package queue_test

import (
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

func TestQueue_Job(t *testing.T) {
	t.Run("NotFound", func(t *testing.T) {
		w := setup(t)
		for _, id := range []string{"", "0", "-1", "7", "007", "+7", "x", "9999999999999999999999", "1; DROP TABLE tenants"} {
			if _, err := w.queue.Job(t.Context(), id); errs.KindOf(err) != errs.KindNotFound {
				t.Errorf("%q: %v", id, err)
			}
		}
	})
	// River's row and the registry differ; the registry is right.
	for _, c := range []struct {
		name     string
		river    string // Changes the job.
		tenant   string // Changes the tenant.
		want     provisioning.JobState
		finished bool
		err      string
	}{
		{"Available", ``, ``, provisioning.JobQueued, false, ""},
		{"Running", `state = 'running', attempt = 1, attempted_at = now()`, ``, provisioning.JobRunning, false, ""},
		{"Retryable", `state = 'retryable', attempt = 1, errors = ARRAY['{"error": "first"}', '{"error": "second"}']::jsonb[]`, ``, provisioning.JobRetrying, false, "second"},
		{"DueAgain", `attempt = 2, errors = ARRAY['{"error": "first"}']::jsonb[]`, ``, provisioning.JobRetrying, false, "first"},
		{"Postponed", `state = 'scheduled'`, ``, provisioning.JobQueued, false, ""},
		{"FinishedWithUnfinishedTenant", `state = 'completed', attempt = 1, finalized_at = now()`, ``, provisioning.JobRetrying, false, ""},
		{"RunningAndLive", `state = 'running', attempt = 1`, activeTenantSet, provisioning.JobCompleted, true, ""},
		{"RunningAndArchivedAfterLive", `state = 'running', attempt = 1`, `job_id = NULL, status = 'ARCHIVED', activated_at = now()`, provisioning.JobCompleted, true, ""},
		{"RunningAndFailed", `state = 'running', attempt = 1`, `job_id = NULL, status = 'FAILED', provisioning_error = 'no funds'`, provisioning.JobFailed, true, "no funds"},
		{"AvailableAndAborted", ``, `job_id = NULL, status = 'ARCHIVED'`, provisioning.JobFailed, true, "was aborted"},
		{"CompletedAndLive", `state = 'completed', attempt = 1, finalized_at = now()`, activeTenantSet, provisioning.JobCompleted, true, ""},
		{"CompletedAndFailed", `state = 'completed', attempt = 1, finalized_at = now()`, `job_id = NULL, status = 'FAILED', provisioning_error = 'no funds'`, provisioning.JobFailed, true, "no funds"},
		{"FailedAndLiveByAnotherJob", `state = 'cancelled', attempt = 1, finalized_at = now(), errors = ARRAY['{"error": "JobCancelError: no funds"}']::jsonb[]`, activeTenantSet, provisioning.JobFailed, true, "no funds"},
		{"CancelledAndLive", `state = 'cancelled', attempt = 1, finalized_at = now(), metadata = '{"cancel_attempted_at": "now"}', errors = ARRAY['{"error": "x"}']::jsonb[]`, activeTenantSet, provisioning.JobCompleted, true, ""},
		{"CancelledAndFailed", `state = 'cancelled', attempt = 1, finalized_at = now(), metadata = '{"cancel_attempted_at": "now"}', errors = ARRAY['{"error": "x"}']::jsonb[]`, `job_id = NULL, status = 'FAILED', provisioning_error = 'no funds'`, provisioning.JobFailed, true, "no funds"},
		{"Discarded", `state = 'discarded', attempt = 5, finalized_at = now(), errors = ARRAY['{"error": "busy"}']::jsonb[]`, `job_id = NULL, status = 'FAILED'`, provisioning.JobFailed, true, "busy"},
		{"ProvisionedInForeground", `state = 'running', attempt = 1`, `job_id = NULL, status = 'PROVISIONING'`, provisioning.JobRunning, false, ""},
		{"ReplacedByRunningJob", `state = 'running', attempt = 1`, `job_id = (SELECT max(id) FROM river_job)`, provisioning.JobRunning, false, ""},
		{"FinishedAndReplaced", `state = 'completed', attempt = 1, finalized_at = now()`, `job_id = (SELECT max(id) FROM river_job)`, provisioning.JobRunning, false, ""},
		{"ReplacedByLostJob", `state = 'running', attempt = 1`, `job_id = 4711`, provisioning.JobQueued, false, ""},
		{"WithoutTenant", `args = '{"tenant_id": "x"}'`, ``, provisioning.JobQueued, false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := setup(t)
			s := w.submit("Clinic")
			w.exec(`INSERT INTO river_job (kind, args, max_attempts, queue, state, attempt) SELECT kind, args, 5, queue, 'running', 1 FROM river_job`)
			if c.river != "" {
				w.exec(`UPDATE river_job SET `+c.river+` WHERE id = $1::text::bigint`, s.JobID)
			}
			if c.tenant != "" {
				w.exec(`UPDATE tenants SET ` + c.tenant)
			}
			j := w.job(s.JobID)
			if j.State != c.want || j.FinishedAt.IsZero() == c.finished || !strings.Contains(j.Error, c.err) || c.err == "" && j.Error != "" {
				t.Errorf("%+v", j)
			}
		})
	}
}

const activeTenantSet = `job_id = NULL, status = 'ACTIVE', activated_at = now(), soroban_contract_id = 'C'`
