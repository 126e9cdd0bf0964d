//go:build unix

package main_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue/queuetest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// accepted collects the tenants whose POST returned 202.
type accepted struct {
	mu  sync.Mutex
	ids map[string]string // By name.
}

// postTenants POSTs tenants from eight clients until all are sent or the server is gone.
func (p *process) postTenants(tenants int, onSent func(i int)) *accepted {
	p.t.Helper()
	a := &accepted{ids: map[string]string{}}
	var wg sync.WaitGroup
	for client := range 8 {
		wg.Go(func() {
			for i := client; i < tenants; i += 8 {
				name := fmt.Sprintf("Clinic %d", i)
				got, err := p.do(http.MethodPost, "/admin/tenants", clinic(name))
				if err == nil && got.status == http.StatusAccepted {
					a.mu.Lock()
					a.ids[name] = got.str("tenantId")
					a.mu.Unlock()
				} else if err == nil && got.status < 500 {
					p.t.Errorf("%s: %d %s", name, got.status, got.text)
				}
				if onSent != nil {
					onSent(i)
				}
			}
		})
	}
	wg.Wait()
	return a
}

// assertActive checks that accepted tenants are ACTIVE under their id.
func (w *testEnv) assertActive(got *accepted) {
	w.t.Helper()
	active := map[string]string{}
	for _, t := range w.registry.All(tenant.StatusActive) {
		active[t.ID] = t.Name
	}
	for name, id := range got.ids {
		if active[id] != name {
			w.t.Errorf("%s was accepted and is not ACTIVE", name)
		}
	}
}

// TestServe_SurvivesKillDuringPOSTs: every tenant whose POST returned 202 ends ACTIVE after a
// restart, and no other one is left incomplete.
func TestServe_SurvivesKillDuringPOSTs(t *testing.T) {
	w := setup(t)
	first := w.start(w.createKey("tenants:write"), "serve")
	var once sync.Once
	at := 30 + rand.N(40)
	got := first.postTenants(100, func(i int) {
		if i >= at {
			once.Do(first.kill)
		}
	})
	if len(got.ids) == 0 || len(got.ids) == 100 {
		t.Fatalf("%d of 100 were accepted: the kill came too early or too late", len(got.ids))
	}
	w.start("", "worker")
	w.waitFor("all jobs to end", w.allActive)
	w.assertActive(got)
	w.assertInvariants()
}

// TestServe_SurvivesRepeatedKills: two servers on one registry, one of which is
// killed and replaced while both run jobs.
func TestServe_SurvivesRepeatedKills(t *testing.T) {
	w := setup(t)
	token := w.createKey("tenants:write")
	front := w.start(token, "serve", "--worker=false")
	var all sync.WaitGroup
	var got *accepted
	all.Go(func() { got = front.postTenants(60, nil) })
	for range 4 {
		worker := w.start("", "worker", "--workers", "4")
		before := w.registry.Count(tenant.StatusActive)
		w.waitFor("some progress", func() bool {
			n := w.registry.Count(tenant.StatusActive)
			return n >= before+5 || n >= 60
		})
		worker.kill()
	}
	all.Wait()
	w.start("", "worker")
	w.start("", "worker") // Two workers must not both run one tenant.
	w.waitFor("all tenants", w.hasActive(60))
	if len(got.ids) != 60 {
		t.Errorf("%d were accepted", len(got.ids))
	}
	w.assertInvariants()
}

// TestServe_StopsGracefully: a running tenant is released and continued at once, and the
// stop does not count as an attempt.
func TestServe_StopsGracefully(t *testing.T) {
	w := setup(t)
	w.net.Faults().HoldQueue(true)
	first := w.start(w.createKey("tenants:write"), "serve")
	created := first.call(http.MethodPost, "/admin/tenants", clinic("Clinic")).want(t, http.StatusAccepted)
	w.waitFor("the deployment", func() bool { return w.net.Faults().QueueSize() > 0 })
	w.net.Faults().HoldQueue(false)
	if code := first.terminate(); code != 0 {
		t.Errorf("exit code %d: %s", code, first.log.String())
	}
	second := w.start(first.token, "serve")
	w.waitFor("the tenant", w.hasActive(1))
	w.assertInvariants()
	job := second.call(http.MethodGet, "/jobs/"+created.str("jobId"), nil).want(t, http.StatusOK)
	if job.str("state") != "completed" || job.body["attempt"] != float64(1) {
		t.Errorf("job %v", job.body)
	}
}

func TestServe_DeleteAbortsProvisioning(t *testing.T) {
	w := setup(t)
	p := w.start(w.createKey("tenants:write"), "serve")
	w.net.Faults().HoldQueue(true)
	created := p.call(http.MethodPost, "/admin/tenants", clinic("Clinic")).want(t, http.StatusAccepted)
	w.waitFor("the deployment", func() bool { return w.net.Faults().QueueSize() > 0 })
	id := created.str("tenantId")
	deleted := p.call(http.MethodDelete, "/admin/tenants/"+id, nil).want(t, http.StatusOK)
	if deleted.str("status") != "archived" || deleted.str("message") != "Tenant "+id+" has been archived" {
		t.Errorf("%s", deleted.text)
	}
	w.net.Faults().HoldQueue(false)
	jobs := queuetest.Open(t, w.env["DATABASE_URL"])
	w.waitFor("the end of the job", func() bool { return jobs.Unfinished() == 0 })
	if w.registry.Count(tenant.StatusArchived) != 1 || w.registry.WereLive() != 0 {
		t.Error("the aborted tenant is live")
	}
	ownerless := func(what string) bool { return strings.Contains(what, "schemas without a tenant") }
	if w.registry.Schemas() != 0 || slices.ContainsFunc(w.registry.Inconsistencies(), ownerless) {
		t.Error("its schema still exists")
	}
	job := p.call(http.MethodGet, "/jobs/"+created.str("jobId"), nil).want(t, http.StatusOK)
	if job.str("state") != "failed" {
		t.Errorf("job %v", job.body)
	}
}

// TestServe_SurvivesDatabaseRestart: no job is lost, and readiness names the failed check.
func TestServe_SurvivesDatabaseRestart(t *testing.T) {
	t.Parallel()
	ctx := context.WithoutCancel(t.Context())
	server, err := pgserver.Start(ctx, pgserver.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	if err := testenv.Migrate(ctx, server.URL("postgres")); err != nil {
		t.Fatal(err)
	}
	w := newTestEnv(t, server.URL("postgres"))
	p := w.start(w.createKey("tenants:write"), "serve")
	var (
		all sync.WaitGroup
		got *accepted
	)
	ready := func() int { return p.call(http.MethodGet, "/readyz", nil).status }
	all.Go(func() {
		got = p.postTenants(80, func(int) { time.Sleep(20 * time.Millisecond) }) // Before, during and after the restart.
	})
	w.waitFor("some tenants", func() bool { return w.registry.Count() > 10 })
	if err := server.Crash(); err != nil {
		t.Fatal(err)
	}
	w.waitFor("503 from readiness", func() bool { return ready() == http.StatusServiceUnavailable })
	if body := p.call(http.MethodGet, "/readyz", nil); body.status == http.StatusServiceUnavailable && body.str("status") != "unavailable" {
		t.Errorf("readiness returns %s", body.text)
	}
	p.call(http.MethodGet, "/livez", nil).want(t, http.StatusOK)
	if err := server.Resume(ctx); err != nil {
		t.Fatal(err)
	}
	w.waitFor("200 from readiness", func() bool { return ready() == http.StatusOK })
	all.Wait()
	w.registry = registrytest.Open(t, w.env["DATABASE_URL"]) // The crash ended the connections.
	w.waitFor("all jobs to end", w.allActive)
	w.assertActive(got)
	w.assertInvariants()
}
