//go:build unix

package main_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// directory is another program, which the step REGISTER of the blueprint clinic calls.
type directory struct {
	*httptest.Server
	refuses atomic.Bool // 403.
	undos   atomic.Int32
}

// newDirectory starts the program, with the settings to reach it.
func (w *testEnv) newDirectory() *directory {
	w.t.Helper()
	d := &directory{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case d.refuses.Load():
			rw.WriteHeader(http.StatusForbidden)
		case r.URL.Path == "/undo":
			d.undos.Add(1)
		}
	}))
	w.t.Cleanup(d.Close)
	w.env["BLUEPRINT_SECRET_DIRECTORY"], w.env["WEBHOOK_ALLOW"] = "whsec_dGhlIHNlY3JldCBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVz", "127.0.0.1"
	return d
}

// publishSteps publishes the blueprint clinic with a step that the directory answers.
func (w *testEnv) publishSteps(d *directory) {
	w.t.Helper()
	w.mustRun("blueprints", "publish", writeBlueprint(w.t, map[string]string{"migrations/0001_patients.sql": clinicPatients, "blueprint.yaml": clinicYAML + fmt.Sprintf(`steps:
  - name: REGISTER
    after: SEED_ROLES_AND_USER
    webhook: {url: "%[1]s/do", secret: BLUEPRINT_SECRET_DIRECTORY}
    undo: {url: "%[1]s/undo"}
`, d.URL)}), "--activate")
}

// createFailed makes a tenant whose step and undo the directory refuses.
func (w *testEnv) createFailed(server *process, d *directory, name string) {
	w.t.Helper()
	d.refuses.Store(true)
	body := clinic(name)
	body["blueprint"] = "clinic"
	server.call(http.MethodPost, "/admin/tenants", body).want(w.t, http.StatusAccepted)
	w.waitFor("the rollback of "+name, func() bool { return w.registry.Named(name).Status == tenant.StatusFailed })
}

// TestTenantsRetry: the command says what it needs, shows what is left over, and provisions once
// that is undone or skipped.
func TestTenantsRetry(t *testing.T) {
	w := setup(t)
	d := w.newDirectory()
	w.publishSteps(d)
	server := w.start(w.createKey("tenants:write"), "serve")
	w.createFailed(server, d, "Clinic")
	id := w.registry.Named("Clinic").ID
	for _, c := range []struct {
		code int
		text string
		args []string
	}{
		{2, "give one tenant, as an id or name:NAME", nil},
		{2, "--reason is set without --skip-undo", []string{"name:Clinic", "--reason", "x"}},
		{2, "--reason is not set; say why the undo is skipped", []string{"name:Clinic", "--skip-undo", "REGISTER"}},
		{2, "--skip-undos", []string{"name:Clinic", "--skip-undos", "REGISTER"}},
		{1, "there is no tenant named Nobody", []string{"name:Nobody"}},
		{2, "--skip-undo has OTHER, of which nothing is left over; give one of REGISTER", []string{"name:Clinic", "--skip-undo", "OTHER", "--reason", "x"}},
		{2, "--reason is not set", []string{"name:Clinic", "--skip-undo", "REGISTER", "--reason", " "}},
		{2, "--reason has 1001 characters", []string{"name:Clinic", "--skip-undo", "REGISTER", "--reason", strings.Repeat("x", 1001)}},
	} {
		w.run(append([]string{"tenants", "retry"}, c.args...)...).want(t, c.code, c.text)
	}
	w.run("tenants", "retry", "name:Clinic").want(t, 1, "what it did in attempt 1 is left over, and its undo failed again: the answer was Forbidden (403)",
		"tenant-api tenants retry "+id+" --skip-undo REGISTER --reason TEXT")
	w.mustRun("tenants", "show", "name:Clinic").want(t, 0, "FAILED", "REGISTER", "the undo failed: the answer was Forbidden (403)")

	d.refuses.Store(false)
	done := w.mustRun("tenants", "retry", "name:Clinic", "--skip-undo", "REGISTER", "--reason", "deleted by hand")
	if want := fmt.Sprintf("The tenant \"Clinic\" (%s) is ACTIVE.\n", id); done.out != want {
		t.Errorf("it prints %q, want %q", done.out, want)
	}
	for _, line := range []string{"RUN_MIGRATIONS COMPLETED in ", "REGISTER IN_PROGRESS\n", "REGISTER COMPLETED in ", "SEND_WELCOME_EMAIL COMPLETED in "} {
		if !strings.Contains(done.err, line) {
			t.Errorf("no %q in the progress:\n%s", line, done.err)
		}
	}
	if n := d.undos.Load(); n != 0 {
		t.Errorf("%d undone, although it was skipped", n)
	}
	w.run("tenants", "retry", id).want(t, 1, "ACTIVE")
	if events := server.call(http.MethodGet, "/admin/tenants/"+id+"/audit", nil).want(t, http.StatusOK); !strings.Contains(events.text, `"reason":"deleted by hand"`) {
		t.Errorf("no reason in %s", events.text)
	}

	w.createFailed(server, d, "Hospice")
	d.refuses.Store(false)
	if r := w.printed(0, "tenants", "retry", "name:Hospice", "--json"); r == nil || d.undos.Load() != 1 {
		t.Errorf("%v, %d undone", r, d.undos.Load())
	}
}

// TestTenantsPurge_SkipUndo: nothing is purged while a step cannot be undone, unless it is skipped.
func TestTenantsPurge_SkipUndo(t *testing.T) {
	w := setup(t)
	d := w.newDirectory()
	w.publishSteps(d)
	server := w.start(w.createKey("tenants:write"), "serve")
	body := clinic("Clinic")
	body["blueprint"] = "clinic"
	created := server.call(http.MethodPost, "/admin/tenants", body).want(t, http.StatusAccepted)
	w.waitFor("the tenant", w.hasActive(1))
	server.call(http.MethodDelete, "/admin/tenants/"+created.str("tenantId"), nil)
	purge := []string{"tenants", "purge", "name:Clinic", "--confirm", "Clinic", "--retention", "0s"}
	with := func(more ...string) []string { return append(purge[:len(purge):len(purge)], more...) }
	d.refuses.Store(true)
	w.run(purge...).want(t, 1, "the step REGISTER could not be undone, so nothing was purged: the answer was Forbidden (403)", "--skip-undo REGISTER --reason TEXT")
	w.run(with("--skip-undo", "REGISTER")...).want(t, 2, "--reason is not set")
	w.run(with("--reason", "x")...).want(t, 2, "--reason is set without --skip-undo")
	w.run(with("--skip-undo", "OTHER", "--reason", "x")...).want(t, 2, "--skip-undo has OTHER, of which nothing is left over; give one of REGISTER")
	if shown := w.mustRun("tenants", "show", "name:Clinic"); strings.Contains(shown.out, "Purged") {
		t.Error(shown.out)
	}
	w.run(with("--skip-undo", "REGISTER", "--reason", "deleted by hand")...).want(t, 0, `"purgedAt"`, `"kept"`)
	if n := d.undos.Load(); n != 0 {
		t.Errorf("%d undone", n)
	}
}
