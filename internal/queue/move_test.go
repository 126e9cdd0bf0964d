package queue_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// mover is a worker's mover whose moves can fail.
type mover struct {
	*fixture
	onArchive func(ctx context.Context, id uuid.UUID) error

	mu       sync.Mutex
	callers  []audit.Caller
	recorded []audit.Event
}

func (m *mover) Archive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	m.mu.Lock()
	m.callers = append(m.callers, audit.CallerOf(ctx))
	m.mu.Unlock()
	if m.onArchive != nil {
		return tenant.Tenant{}, m.onArchive(ctx, id)
	}
	return m.service.Archive(ctx, id)
}

func (m *mover) Suspend(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error) {
	return m.service.Suspend(ctx, id)
}

func (m *mover) Resume(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	return m.service.Resume(ctx, id)
}

func (m *mover) Unarchive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	return m.service.Unarchive(ctx, id)
}

func (m *mover) Purge(ctx context.Context, id uuid.UUID, confirm string, retention time.Duration) (provisioning.PurgeCertificate, error) {
	return m.service.Purge(ctx, id, confirm, retention)
}

func (m *mover) Repair(ctx context.Context, id uuid.UUID) (tenant.Tenant, []string, error) {
	return m.db.Repair(ctx, id)
}

func (m *mover) Record(ctx context.Context, events ...audit.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recorded = append(m.recorded, events...)
	return m.db.Record(ctx, events...)
}

func (m *mover) start(o queue.Options, change ...func(*queue.Queue)) {
	m.t.Helper()
	o.Runner, o.Mover = m.newProcess(), m
	m.startQueue(o, change...)
}

// move queues a move.
func (f *fixture) move(id uuid.UUID, r provisioning.MoveRequest) provisioning.Submission {
	f.t.Helper()
	s, err := f.service.SubmitMove(f.t.Context(), id, r)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

var archive = provisioning.MoveRequest{Move: provisioning.MoveArchive}

func (f *fixture) waitForJob(id string, want provisioning.JobState) provisioning.Job {
	f.t.Helper()
	f.waitFor("job "+id+" is "+string(want), func() bool { return f.job(id).State == want })
	return f.job(id)
}

func TestQueue_Moves(t *testing.T) {
	t.Parallel()
	t.Run("RunsEachMoveForItsCaller", func(t *testing.T) {
		m := &mover{fixture: setup(t)}
		m.start(queue.Options{})
		s := m.submit("Clinic")
		m.waitForStatus(s, tenant.StatusActive)
		caller := audit.Caller{Kind: audit.CallerAPIKey, ID: "k1", RequestID: "r-1"}
		ctx := audit.WithCaller(t.Context(), caller)
		for _, r := range []provisioning.MoveRequest{
			{Move: provisioning.MoveRepair}, archive, {Move: provisioning.MoveUnarchive}, archive, {Move: provisioning.MovePurge, Confirm: "Clinic"},
		} {
			queued, err := m.service.SubmitMove(ctx, s.Tenant.ID, r)
			if err != nil {
				t.Fatal(err)
			}
			if job := m.waitForJob(queued.JobID, provisioning.JobCompleted); job.Move != r.Move || job.TenantID != s.Tenant.ID || job.FinishedAt.IsZero() || job.Error != "" {
				t.Errorf("%+v", job)
			}
		}
		if got := m.get(s); got.PurgedAt.IsZero() {
			t.Errorf("%+v", got)
		}
		if m.callers[0] != caller {
			t.Errorf("caller %+v", m.callers[0])
		}
	})
	t.Run("KeepsWorkersRetention", func(t *testing.T) { // Whatever the server wrote into the job.
		m := &mover{fixture: setup(t)}
		m.start(queue.Options{Retention: time.Hour})
		s := m.submit("Clinic")
		m.waitForStatus(s, tenant.StatusActive)
		if _, err := m.service.Archive(t.Context(), s.Tenant.ID); err != nil {
			t.Fatal(err)
		}
		queued := m.move(s.Tenant.ID, provisioning.MoveRequest{Move: provisioning.MovePurge, Confirm: "Clinic"})
		if job := m.waitForJob(queued.JobID, provisioning.JobFailed); !strings.Contains(job.Error, "its data are kept until") {
			t.Errorf("%+v", job)
		}
		if got := m.get(s); !got.PurgedAt.IsZero() {
			t.Errorf("%+v", got)
		}
	})
	t.Run("OneJobForOneTenant", func(t *testing.T) {
		m := &mover{fixture: setup(t)}
		s := m.submit("Clinic")
		var (
			wg   sync.WaitGroup
			mu   sync.Mutex
			jobs = map[string]int{}
		)
		for range 8 {
			wg.Go(func() {
				queued, err := m.service.SubmitMove(t.Context(), s.Tenant.ID, archive)
				mu.Lock()
				defer mu.Unlock()
				if jobs[queued.JobID]++; err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(jobs) != 1 {
			t.Errorf("jobs %v", jobs)
		}
		if _, err := m.service.Archive(t.Context(), s.Tenant.ID); err != nil { // By another process.
			t.Fatal(err)
		}
		purge := provisioning.MoveRequest{Move: provisioning.MovePurge, Confirm: "Clinic"}
		_, err := m.service.SubmitMove(t.Context(), s.Tenant.ID, purge)
		if errs.KindOf(err) != errs.KindConflict || !strings.Contains(errs.SafeMessage(err), "to archive this tenant, has not ended yet; wait for it") {
			t.Error(err)
		}
		m.exec(`UPDATE river_job SET state = 'completed', finalized_at = now() WHERE kind = 'move_tenant'`)
		if again := m.move(s.Tenant.ID, purge); jobs[again.JobID] != 0 {
			t.Errorf("%+v, %v", again, jobs)
		}
	})
	t.Run("RefusesWhatTheTenantDoesNotPermit", func(t *testing.T) {
		m := &mover{fixture: setup(t)}
		s := m.submit("Clinic")
		for move, kind := range map[provisioning.Move]errs.Kind{
			provisioning.MoveUnarchive: errs.KindConflict, provisioning.MovePurge: errs.KindConflict, provisioning.MoveRepair: errs.KindConflict, "dance": errs.KindInvalid,
		} {
			if _, err := m.service.SubmitMove(t.Context(), s.Tenant.ID, provisioning.MoveRequest{Move: move, Confirm: "Clinic"}); errs.KindOf(err) != kind {
				t.Errorf("%s: %v", move, err)
			}
		}
		_, err := m.service.SubmitMove(t.Context(), s.Tenant.ID, provisioning.MoveRequest{Move: provisioning.MovePurge, Confirm: "Another"})
		if errs.KindOf(err) != errs.KindInvalid {
			t.Error(err)
		}
		if _, err := m.service.SubmitMove(t.Context(), uuid.New(), archive); errs.KindOf(err) != errs.KindNotFound {
			t.Error(err)
		}
	})
	failures := map[string]struct {
		failure  func() error
		attempts int
		message  string
	}{
		"ConflictEndsJob":    {func() error { return errs.Errorf(errs.KindConflict, "archive", "it is another tenant's") }, 1, "it is another tenant's"},
		"PermanentEndsJob":   {func() error { return errs.Errorf(errs.KindPermanent, "archive", "the schema is gone") }, 1, "the schema is gone"},
		"TransientIsRetried": {func() error { return errs.Errorf(errs.KindTransient, "archive", "the database is away") }, queue.MaxAttempts, "the database is away"},
		"PanicIsRetried":     {func() error { panic("s3cret") }, queue.MaxAttempts, "an internal error; the log has the cause"},
	}
	for name, c := range failures {
		t.Run(name, func(t *testing.T) {
			m := &mover{fixture: setup(t), onArchive: func(context.Context, uuid.UUID) error { return c.failure() }}
			s := m.submit("Clinic")
			queued := m.move(s.Tenant.ID, archive)
			m.start(queue.Options{}, (*queue.Queue).RetryImmediately)
			if job := m.waitForJob(queued.JobID, provisioning.JobFailed); job.Attempt != c.attempts || job.Error != c.message {
				t.Errorf("%+v", job)
			}
			m.mu.Lock()
			defer m.mu.Unlock()
			if len(m.recorded) != 1 || m.recorded[0].Action != audit.ActionArchive || m.recorded[0].Outcome != audit.OutcomeRejected ||
				m.recorded[0].TenantID != s.Tenant.ID || m.recorded[0].Detail["error"] != c.message || m.recorded[0].Detail["job"] != queued.JobID {
				t.Errorf("%+v", m.recorded)
			}
		})
	}
}

// TestQueue_RescuesMoves: the job of a worker that died is run again, long before River would,
// or ends when its attempts are used up.
func TestQueue_RescuesMoves(t *testing.T) {
	m := &mover{fixture: setup(t)}
	lost, exhausted, running := m.submit("Lost"), m.submit("Exhausted"), m.submit("Running")
	jobs := map[string]string{} // By name.
	for _, s := range []provisioning.Submission{lost, exhausted, running} {
		jobs[s.Tenant.Name] = m.move(s.Tenant.ID, archive).JobID
	}
	m.exec(`UPDATE river_job SET state = 'running', attempt = 1, attempted_at = now() - interval '4 minutes' WHERE kind = 'move_tenant'`)
	m.exec(`UPDATE river_job SET attempt = max_attempts WHERE id = $1::text::bigint`, jobs["Exhausted"])
	m.exec(`UPDATE river_job SET attempted_at = now() - interval '3 minutes' WHERE id = $1::text::bigint`, jobs["Running"])
	m.start(queue.Options{Reconcile: func(context.Context) error { return nil }})
	m.waitForJob(jobs["Lost"], provisioning.JobCompleted)
	if job := m.waitForJob(jobs["Exhausted"], provisioning.JobFailed); job.Error != "the worker stopped during the move" || job.FinishedAt.IsZero() {
		t.Errorf("%+v", job)
	}
	m.waitFor("the record of the failure", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		return len(m.recorded) == 1
	})
	if e := m.recorded[0]; e.TenantID != exhausted.Tenant.ID || e.Action != audit.ActionArchive || e.Outcome != audit.OutcomeRejected ||
		e.Detail["job"] != jobs["Exhausted"] || e.Detail["error"] != "the worker stopped during the move" {
		t.Errorf("%+v", e)
	}
	if job := m.job(jobs["Running"]); job.State != provisioning.JobRunning {
		t.Errorf("%+v", job)
	}
	if got := m.get(lost); got.Status != tenant.StatusArchived {
		t.Errorf("%+v", got)
	}
}
