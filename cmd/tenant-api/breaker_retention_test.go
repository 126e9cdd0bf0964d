package main_test

import (
	"net/http"
	"testing"
)

// TestWorker_KeepsItsRetentionWhateverAJobSays: a server without a worker, or who has its login,
// queues a purge with the retention that it likes. The worker's own PURGE_RETENTION applies as
// well, as with POST /purge: else that login ends all tenants' data within seconds.
func TestWorker_KeepsItsRetentionWhateverAJobSays(t *testing.T) {
	w := setupLeastPrivilege(t, "PURGE_RETENTION", "720h")
	created := w.do("create-tenant", http.StatusAccepted, clinic("Clinic"))
	id := created.str("tenantId")
	w.finish(created, "provision", "completed")
	w.finish(w.do("archive-tenant", http.StatusAccepted, nil, "{id}", id), "archive", "completed")
	var job int64
	if err := w.login.QueryRow(t.Context(), `INSERT INTO river_job (args, kind, max_attempts, queue, state)
		VALUES (jsonb_build_object('tenant_id', $1::text, 'move', 'purge', 'confirm', 'Clinic', 'retention_ms', 0), 'move_tenant', 1, 'moves', 'available') RETURNING id`, id).Scan(&job); err != nil {
		t.Fatal(err)
	}
	w.waitFor("the job", func() bool {
		var ended bool
		_ = w.owner.QueryRow(t.Context(), `SELECT finalized_at IS NOT NULL FROM river_job WHERE id = $1`, job).Scan(&ended)
		return ended
	})
	var purged bool
	if err := w.owner.QueryRow(t.Context(), `SELECT purged_at IS NOT NULL FROM tenants WHERE id = $1`, id).Scan(&purged); err != nil || purged {
		t.Errorf("the tenant was purged at once: %v", err)
	}
}
