//go:build unix

package main_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestServe_Failover: a server with two hosts is not ready while only the standby answers,
// and provisions again after its promotion, without a restart.
func TestServe_Failover(t *testing.T) {
	t.Parallel()
	primary, standby := testenv.PrimaryAndStandby(t)
	url := primary.URL("postgres")
	if err := testenv.Migrate(context.WithoutCancel(t.Context()), url); err != nil {
		t.Fatal(err)
	}
	w := newTestEnv(t, url)
	w.env["DATABASE_URL"] = strings.Replace(url, fmt.Sprintf("127.0.0.1:%d", primary.Port()), fmt.Sprintf("127.0.0.1:%d,127.0.0.1:%d", standby.Port(), primary.Port()), 1)
	p := w.start(w.createKey("admin"), "serve")
	ready := func() int { return p.call(http.MethodGet, "/readyz", nil).status }
	if got := ready(); got != http.StatusOK {
		t.Fatalf("ready: %d", got)
	}
	p.call(http.MethodPost, "/admin/tenants", clinic("Before")).want(t, http.StatusAccepted)
	w.waitFor("the tenant", w.hasActive(1))
	replicated := testenv.Connect(t, primary.URL("postgres"))
	w.waitFor("replication", func() bool {
		var done bool
		err := replicated.QueryRow(t.Context(), `SELECT coalesce(bool_and(replay_lsn >= pg_current_wal_lsn()), false) FROM pg_stat_replication`).Scan(&done)
		return err == nil && done
	})
	if err := primary.Crash(); err != nil {
		t.Fatal(err)
	}
	w.waitFor("not ready", func() bool { return ready() == http.StatusServiceUnavailable })
	if _, err := testenv.Connect(t, standby.URL("postgres")).Exec(t.Context(), `SELECT pg_promote()`); err != nil {
		t.Fatal(err)
	}
	w.waitFor("ready", func() bool { return ready() == http.StatusOK })
	id := p.call(http.MethodPost, "/admin/tenants", clinic("After")).want(t, http.StatusAccepted).str("tenantId")
	w.waitFor("the tenant", func() bool { return p.call(http.MethodGet, "/admin/tenants/"+id, nil).str("status") == "ACTIVE" })
}
