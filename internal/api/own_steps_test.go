package api_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/webhook"
)

// stepSender may reach programs of the test.
func stepSender() *webhook.Client {
	return webhook.New(webhook.Options{Webhook: config.Webhook{
		Allow:  config.Hosts{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
		Secret: func(string) (config.Secret, error) { return "whsec_dGhlIHNlY3JldCBvZiB0aGUgdGVzdHMsIDMyIGJ5dGVz", nil },
	}})
}

// publishStep publishes the blueprint clinic with the step REGISTER, which answer answers.
func (b *testServer) publishStep(answer func(path string) (status int, retryAfter, body string)) {
	b.t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status, retryAfter, body := answer(r.URL.Path)
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	b.t.Cleanup(server.Close)
	postgrestest.PublishBlueprint(b.t, b.db, fstest.MapFS{"blueprint.yaml": {Data: fmt.Appendf(nil, `apiVersion: healthcare-platform/v1
kind: Blueprint
name: clinic
steps:
  - name: REGISTER
    after: SEED_ROLES_AND_USER
    webhook: {url: "%[1]s/do", secret: BLUEPRINT_SECRET_X, timeout: 5s, deadline: 1m}
    undo: {url: "%[1]s/undo"}
`, server.URL)}})
}

var withSteps = map[string]any{"name": "Clinic", "adminEmail": "ada@clinic.example", "adminFirstName": "Ada", "adminLastName": "Lovelace", "blueprint": "clinic"}

// TestServer_CreateTenant_ReplaysAfterRetire: a repeated request gets its first answer, also when
// its blueprint makes no new tenants any more.
func TestServer_CreateTenant_ReplaysAfterRetire(t *testing.T) {
	b := setup(t)
	b.publishStep(func(string) (int, string, string) { return http.StatusOK, "", "" })
	create := func(key string, body any) response {
		return b.do(http.MethodPost, "/admin/tenants", body, "Idempotency-Key", key)
	}
	first := create("k1", withSteps).want(http.StatusAccepted)
	if err := b.db.Blueprints.Retire(t.Context(), "clinic"); err != nil {
		t.Fatal(err)
	}
	again := create("k1", withSteps).want(http.StatusAccepted)
	if again.text != first.text || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("%s %v, first %s", again.text, again.header, first.text)
	}
	other := maps.Clone(withSteps)
	other["name"] = "Hospital"
	create("k1", other).want(http.StatusUnprocessableEntity)
	create("k2", other).want(http.StatusBadRequest)
	if n := b.registry.Count(); n != 1 {
		t.Errorf("%d tenants", n)
	}
}

// TestServer_OwnSteps: a worker repeats a request when it is due, without using up an attempt of its
// job, and outputs are shown only to those who may change tenants.
func TestServer_OwnSteps(t *testing.T) {
	b := setupWith(t, serverOptions{worker: true})
	var requests atomic.Int32
	b.publishStep(func(string) (int, string, string) {
		if n := requests.Add(1); n < 3 {
			return http.StatusAccepted, "1", ""
		}
		return http.StatusOK, "", `{"outputs": {"key": "s3cret"}}`
	})
	queued := b.do(http.MethodPost, "/admin/tenants", withSteps).want(http.StatusAccepted)
	job := b.waitForJob(queued, "completed")
	if requests.Load() != 3 || job.json["attempt"] != 1.0 {
		t.Errorf("%d requests: %s", requests.Load(), job.text)
	}
	path := "/admin/tenants/" + queued.str("tenantId")
	if got := b.do(http.MethodGet, path, nil).want(http.StatusOK); as[map[string]any](got.json["outputs"])["key"] != "s3cret" {
		t.Error(got.text)
	}
	if got := b.do(http.MethodGet, path+"/provisioning-status", nil); !strings.Contains(got.text, `"REGISTER"`) || !strings.Contains(got.text, `{"outputs":["key"]}`) || strings.Contains(got.text, "s3cret") {
		t.Error(got.text)
	}
	if got := b.do(http.MethodGet, "/admin/tenants/health?tenantId="+queued.str("tenantId"), nil); !strings.Contains(got.text, "s3cret") {
		t.Error(got.text)
	}
	reader := "Bearer " + b.createKey("reader", access.ScopeRead)
	for _, path := range []string{path, "/admin/tenants/health?tenantId=" + queued.str("tenantId"), "/admin/tenants?view=full", path + "/provisioning-status", path + "/audit"} {
		if got := b.do(http.MethodGet, path, nil, "Authorization", reader).want(http.StatusOK); strings.Contains(got.text, "s3cret") {
			t.Errorf("%s shows outputs to a reader", path)
		}
	}
	if got := b.do(http.MethodGet, "/admin/tenants?view=full", nil); strings.Contains(got.text, "s3cret") {
		t.Error("a list shows outputs")
	}
	if strings.Contains(b.log.String(), "s3cret") {
		t.Error("the log has outputs")
	}
}

// TestServer_SkipUndo: what could not be undone is named, and skipped with a reason.
func TestServer_SkipUndo(t *testing.T) {
	b := setupWith(t, serverOptions{worker: true})
	var healthy atomic.Bool
	b.publishStep(func(string) (int, string, string) {
		if healthy.Load() {
			return http.StatusOK, "", ""
		}
		return http.StatusForbidden, "", ""
	})
	queued := b.do(http.MethodPost, "/admin/tenants", withSteps).want(http.StatusAccepted)
	b.waitForJob(queued, "failed")
	path := "/admin/tenants/" + queued.str("tenantId")
	if got := b.do(http.MethodGet, path, nil); !strings.Contains(got.str("provisioningError"), "Left over: the step REGISTER, whose undo failed: the answer was Forbidden (403)") {
		t.Error(got.text)
	}
	b.waitForJob(b.do(http.MethodPost, path+"/retry", nil).want(http.StatusAccepted), "failed")
	skip := path + "/skip-undo"
	for body, field := range map[string]string{
		`{"reason": "r"}`: "steps", `{"steps": [], "reason": "r"}`: "steps", `{"steps": "REGISTER", "reason": "r"}`: "steps", `{"steps": [7], "reason": "r"}`: "steps[0]",
		`{"steps": ["OTHER"], "reason": "r"}`: "steps", `{"steps": ["REGISTER"], "reason": " "}`: "reason", `{"steps": ["REGISTER"]}`: "reason",
	} {
		b.do(http.MethodPost, skip, body).wantFieldErrors(field)
	}
	done := map[string]any{"steps": []string{"REGISTER"}, "reason": "deleted by hand"}
	if got := b.do(http.MethodPost, skip, done).want(http.StatusOK); got.str("status") != "skipped" {
		t.Error(got.text)
	}
	b.do(http.MethodPost, skip, done).wantFieldErrors("steps") // Nothing is left over now.
	healthy.Store(true)
	b.waitForJob(b.do(http.MethodPost, path+"/retry", nil).want(http.StatusAccepted), "completed")
	if got := b.do(http.MethodGet, path+"/audit", nil); !strings.Contains(got.text, "tenant.skip_undo") || !strings.Contains(got.text, "deleted by hand") {
		t.Error(got.text)
	}
}

// TestServer_UndoLater: a job whose undo has to wait ends as failed when it is done.
func TestServer_UndoLater(t *testing.T) {
	b := setupWith(t, serverOptions{worker: true})
	var undos atomic.Int32
	b.publishStep(func(path string) (int, string, string) {
		if path == "/do" {
			return http.StatusForbidden, "", ""
		}
		if undos.Add(1) == 1 {
			return http.StatusServiceUnavailable, "1", ""
		}
		return http.StatusNoContent, "", ""
	})
	queued := b.do(http.MethodPost, "/admin/tenants", withSteps).want(http.StatusAccepted)
	job := b.waitForJob(queued, "failed")
	got := b.do(http.MethodGet, "/admin/tenants/"+queued.str("tenantId"), nil).want(http.StatusOK)
	if undos.Load() != 2 || got.str("status") != "FAILED" || got.str("provisioningError") != "step REGISTER failed: the answer was Forbidden (403)" {
		t.Errorf("%d undos; %s; %s", undos.Load(), job.text, got.text)
	}
}
