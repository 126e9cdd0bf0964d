package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
)

// TestServer_WithoutWorker: moves are queued for a worker elsewhere, and what cannot be
// queued is refused. The responses are those of the OpenAPI document.
func TestServer_WithoutWorker(t *testing.T) {
	t.Parallel()
	setup := func(t *testing.T) (b *testServer, path string) {
		t.Helper()
		b = setupWith(t, serverOptions{Options: api.Options{WithoutWorker: true, Retention: api.NoRetention}, worker: true})
		created := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted)
		b.waitForJob(created, "completed")
		return b, "/admin/tenants/" + created.str("tenantId")
	}
	t.Run("QueuesMoves", func(t *testing.T) {
		b, path := setup(t)
		purge := map[string]any{"confirm": "Clinic"}
		for _, c := range []struct {
			method, path string
			body         any
			operation    string
			status       string
		}{
			{http.MethodPost, path + "/repair", nil, "repair", "ACTIVE"},
			{http.MethodPost, path + "/suspend", nil, "suspend", "SUSPENDED"},
			{http.MethodPost, path + "/resume", nil, "resume", "ACTIVE"},
			{http.MethodDelete, path, nil, "archive", "ARCHIVED"},
			{http.MethodPost, path + "/unarchive", nil, "unarchive", "ACTIVE"},
			{http.MethodPost, path + "/archive", nil, "archive", "ARCHIVED"},
			{http.MethodPost, path + "/purge", purge, "purge", "ARCHIVED"},
		} {
			got := b.do(c.method, c.path, c.body).want(http.StatusAccepted)
			if got.str("status") != "queued" || got.str("message") != "The job to "+c.operation+" Clinic has been queued" || got.header.Get("Location") != path {
				t.Errorf("%s, %v", got.text, got.header)
			}
			if job := b.waitForJob(got, "completed"); job.str("move") != c.operation {
				t.Errorf("%s", job.text)
			}
			if got := b.do(http.MethodGet, path, nil); got.str("status") != c.status {
				t.Errorf("after %s: %s", c.operation, got.text)
			}
		}
		if got := b.do(http.MethodPost, path+"/purge", purge).want(http.StatusOK); got.str("purgedAt") == "" {
			t.Errorf("%s", got.text)
		}
		b.do(http.MethodPost, path+"/unarchive", nil).want(http.StatusConflict)
		b.do(http.MethodPost, path+"/purge", map[string]any{"confirm": "Other"}).wantFieldErrors("confirm")
		b.do(http.MethodDelete, "/admin/tenants/"+uuid.NewString(), nil).want(http.StatusNotFound)
		b.do(http.MethodPost, "/admin/tenants/"+uuid.NewString()+"/purge", purge).want(http.StatusNotFound)
	})
	t.Run("RefusesWhatCannotBeQueued", func(t *testing.T) {
		b, path := setup(t)
		for call, remedy := range map[string]string{
			"POST /admin/tenants/provision": "queue the tenant with POST /admin/tenants", "POST " + path + "/provision": "/retry",
			"POST " + path + "/database-credentials":                                "a server with a worker",
			"POST " + path + "/database-credentials/" + uuid.NewString() + "/renew": "a server with a worker",
			"DELETE " + path + "/database-credentials/" + uuid.NewString():          "a server with a worker",
			"POST /admin/blueprints":                                                "a server with a worker", "POST /admin/blueprints/validate": "a server with a worker",
			"POST /admin/blueprints/clinic/activate": "a server with a worker", "DELETE /admin/blueprints/clinic": "a server with a worker",
			"GET " + path + "/verify": "a server with a worker", "POST " + path + "/migrate": "a server with a worker", "POST /admin/tenants/adopt": "a server with a worker",
			"GET /admin/registry/verify": "a server with a worker", "GET /admin/platform/check": "a server with a worker",
		} {
			method, target, _ := strings.Cut(call, " ")
			got := b.do(method, target, nil).want(http.StatusNotImplemented)
			if !strings.Contains(got.str("detail"), "this server runs without a worker") || !strings.Contains(got.str("detail"), remedy) {
				t.Errorf("%s: %s", call, got.text)
			}
		}
		if strings.Contains(b.log.String(), "request failed") {
			t.Error("a refusal is logged as a failure of the server")
		}
		b.key = "" // Callers without a key do not learn it.
		b.do(http.MethodPost, path+"/provision", nil).want(http.StatusUnauthorized)
	})
}

// waitForJob waits until the job of a 202 has a state.
func (b *testServer) waitForJob(queued response, state string) (job response) {
	b.t.Helper()
	b.waitFor("the job is "+state, func() bool {
		job = b.do(http.MethodGet, "/jobs/"+queued.str("jobId"), nil).want(http.StatusOK)
		return job.str("state") == state
	})
	return job
}
