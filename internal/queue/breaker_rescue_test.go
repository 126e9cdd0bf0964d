package queue_test

import (
	"context"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// TestQueue_FailedMoveOfADeadWorkerIsInTheAuditLog: the guide says that a failure of a queued
// move is in the tenant's audit log. It is not, if its worker died in the last attempt.
func TestQueue_FailedMoveOfADeadWorkerIsInTheAuditLog(t *testing.T) {
	m := &mover{fixture: setup(t)}
	m.start(queue.Options{Reconcile: func(context.Context) error { return nil }, ReconcileEvery: time.Second})
	s := m.submit("Clinic")
	m.waitForStatus(s, tenant.StatusActive)
	var job string
	if err := m.db.Pool().QueryRow(t.Context(), `INSERT INTO river_job (args, kind, max_attempts, attempt, queue, state, attempted_at, scheduled_at)
		VALUES (jsonb_build_object('tenant_id', $1::text, 'move', 'archive'), 'move_tenant', 5, 5, 'moves', 'running', now() - interval '5 minutes', now()) RETURNING id::text`, s.Tenant.ID.String()).Scan(&job); err != nil {
		t.Fatal(err)
	}
	m.waitForJob(job, provisioning.JobFailed)
	m.waitFor("the event", func() bool {
		var n int
		err := m.db.Pool().QueryRow(t.Context(), `SELECT count(*) FROM audit_events WHERE tenant_id = $1 AND action = 'tenant.archive' AND outcome = 'REJECTED'`, s.Tenant.ID).Scan(&n)
		return err == nil && n == 1
	})
}
