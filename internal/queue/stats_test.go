package queue_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestQueue_Stats: jobs that have not ended are counted by queue and state, and the oldest that is
// due has its age.
func TestQueue_Stats(t *testing.T) {
	w := setup(t)
	if err := w.queue.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	db := testenv.Connect(t, w.url)
	for _, row := range []struct{ queue, state, due string }{
		{"provisioning", "available", "-90 seconds"}, {"provisioning", "available", "-10 seconds"}, {"provisioning", "retryable", "5 minutes"},
		{"provisioning", "scheduled", "1 second"}, {"provisioning", "running", "-1 hour"}, {"moves", "scheduled", "-20 seconds"},
		{"of another program", "available", "-1 day"}, {"provisioning", "completed", "-1 day"},
	} {
		if _, err := db.Exec(t.Context(), `INSERT INTO river_job (kind, queue, state, args, max_attempts, scheduled_at, finalized_at)
			VALUES ('x', $1, $2::text::river_job_state, '{}', 5, now() + $3::text::interval, CASE WHEN $2 = 'completed' THEN now() END)`, row.queue, row.state, row.due); err != nil {
			t.Fatal(err)
		}
	}
	stats := func() monitoring.Queue {
		t.Helper()
		got, err := w.queue.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	got := stats()
	if got.WorkerSeen || got.WorkerAlive || len(got.Queues) != 2 || queue.Names()[0] != got.Queues[0].Name {
		t.Fatalf("%+v", got)
	}
	provisioning, moves := got.Queues[0], got.Queues[1]
	if j := provisioning.Jobs; len(j) != 4 || j[monitoring.JobAvailable] != 2 || j[monitoring.JobRetryable] != 1 || j[monitoring.JobScheduled] != 1 || j[monitoring.JobRunning] != 1 {
		t.Errorf("%v", j)
	}
	if due := provisioning.OldestDue.Round(10 * time.Second); due != 90*time.Second {
		t.Errorf("the oldest job is due for %v", due)
	}
	if moves.OldestDue.Round(10*time.Second) != 20*time.Second || moves.Jobs[monitoring.JobScheduled] != 1 {
		t.Errorf("%+v", moves)
	}
	for _, worker := range []struct {
		name, sql string
		alive     bool
		seen      time.Duration
	}{
		{"Lost", `INSERT INTO river_queue (name, created_at, updated_at) VALUES ('provisioning', now() - interval '1 day', now() - interval '2 hours')`, false, 2 * time.Hour},
		{"ExpiredLeader", `INSERT INTO river_leader (leader_id, elected_at, expires_at) VALUES ('worker', now() - interval '1 hour', now() - interval '45 seconds')`, false, time.Minute},
		{"Leader", `UPDATE river_leader SET expires_at = now() + interval '15 seconds'`, true, 0},
		{"Started", `UPDATE river_leader SET expires_at = now() - interval '1 hour'; UPDATE river_queue SET updated_at = now()`, true, 0},
	} {
		if _, err := db.Exec(t.Context(), worker.sql); err != nil {
			t.Fatal(err)
		}
		if got := stats(); !got.WorkerSeen || got.WorkerAlive != worker.alive || got.LastSeen.Round(10*time.Second) != worker.seen {
			t.Errorf("%s: %+v", worker.name, got)
		}
	}
	if pool := w.queue.PoolStats(); pool.Name != "queue" || pool.Max != queue.DefaultMaxConnections || pool.Acquires == 0 {
		t.Errorf("%+v", pool)
	}
}

// TestQueue_JobEnded: the end of each attempt is reported with its outcome, and a worker that runs is
// seen.
func TestQueue_JobEnded(t *testing.T) {
	m := &mover{fixture: setup(t)}
	var (
		mu   sync.Mutex
		ends []queue.JobEnd
	)
	reported := func(kind string, outcome monitoring.JobOutcome) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return slices.Contains(ends, queue.JobEnd{Kind: kind, Outcome: outcome})
		}
	}
	p := m.newProcess()
	var deployments atomic.Int32
	p.onDeploy = func(context.Context, tenant.Tenant) error {
		switch n := deployments.Add(1); {
		case n <= 2: // Each attempt has two tries.
			return errs.Errorf(errs.KindTransient, "deploy", "the network is busy")
		case n == 3:
			return errs.Errorf(errs.KindPermanent, "deploy", "the account is empty")
		}
		return nil
	}
	m.startQueue(queue.Options{Runner: p, Mover: m, JobEnded: func(e queue.JobEnd) {
		mu.Lock()
		defer mu.Unlock()
		ends = append(ends, e)
	}}, (*queue.Queue).RetryImmediately)
	m.waitForStatus(m.submit("Clinic"), tenant.StatusFailed)
	m.waitFor("a retried attempt", reported(monitoring.KindProvision, monitoring.JobRetried))
	m.waitFor("a failed job", reported(monitoring.KindProvision, monitoring.JobFailed))
	s := m.submit("Other Clinic")
	m.waitForStatus(s, tenant.StatusActive)
	m.waitFor("a completed job", reported(monitoring.KindProvision, monitoring.JobCompleted))
	m.move(s.Tenant.ID, archive)
	m.waitFor("a completed move", reported("archive", monitoring.JobCompleted))
	mu.Lock()
	defer mu.Unlock()
	for _, e := range ends {
		if !slices.Contains(queue.JobKinds(), e.Kind) || !slices.Contains(monitoring.JobOutcomes(), e.Outcome) {
			t.Errorf("%+v", e)
		}
	}
	if stats, err := m.queue.Stats(t.Context()); err != nil || !stats.WorkerAlive {
		t.Errorf("%+v, %v", stats, err)
	}
}

func TestJobOutcome(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err     error
		attempt int
		want    monitoring.JobOutcome
	}{
		"Done": {nil, 1, monitoring.JobCompleted}, "Snoozed": {river.JobSnooze(time.Second), 5, monitoring.JobPostponed},
		"Cancelled": {river.JobCancel(errors.New("no")), 1, monitoring.JobFailed},
		"Retried":   {errors.New("busy"), 4, monitoring.JobRetried}, "LastAttempt": {errors.New("busy"), 5, monitoring.JobFailed},
	} {
		if got := queue.JobOutcome(c.err, c.attempt, 5); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if kind := queue.KindOfMove("drop everything"); kind != "unknown" {
		t.Errorf("the kind of a move that nobody knows is %q", kind)
	}
}
