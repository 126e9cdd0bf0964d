package apiclient_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/apiclient"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// queueingClient moves tenants through a server that queues moves.
type queueingClient struct {
	tenantService
	moves *apiclient.Client
}

func (c queueingClient) Archive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	return c.moves.Archive(ctx, id)
}

func (c queueingClient) Suspend(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error) {
	return c.moves.Suspend(ctx, id)
}

func (c queueingClient) Resume(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	return c.moves.Resume(ctx, id)
}

func (c queueingClient) Unarchive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error) {
	return c.moves.Unarchive(ctx, id)
}

func (c queueingClient) Purge(ctx context.Context, id uuid.UUID, confirm string, retention time.Duration) (provisioning.PurgeCertificate, error) {
	return c.moves.Purge(ctx, id, confirm, retention)
}

func (c queueingClient) Repair(ctx context.Context, id uuid.UUID) (tenant.Tenant, []string, error) {
	return c.moves.Repair(ctx, id)
}

// startWorker runs the jobs of a registry until the test ends.
func (w *testServer) startWorker() {
	w.t.Helper()
	pipeline, err := provisioning.NewPipeline(w.db, w, w, provisioning.PipelineOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx := context.WithoutCancel(w.t.Context())
	worker, err := queue.Open(ctx, queue.Options{URL: w.url, Runner: pipeline, Mover: w.service})
	if err == nil {
		w.t.Cleanup(worker.Close)
		err = worker.Start(ctx)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = worker.Stop(ctx) })
}

// TestClient_FollowsQueuedMoves: the client behaves the same when the server queues moves
// for a worker.
func TestClient_FollowsQueuedMoves(t *testing.T) {
	t.Parallel()
	for _, c := range slices.Concat(conformance, promises) {
		if !slices.Contains([]string{"Archives", "UnarchivesAndPurges", "HonoursRequestedRetention", "ReturnsNotFoundForUnknownTenant"}, c.name) {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newTestServer(t, 0)
			w.startWorker()
			c.test(t, w, queueingClient{w.service, w.client(w.queueing.URL)})
		})
	}
	t.Run("RepairsAndFails", func(t *testing.T) {
		t.Parallel()
		w := newTestServer(t, 0)
		w.startWorker()
		client := w.client(w.queueing.URL)
		out, err := w.service.Provision(t.Context(), clinic())
		if err != nil {
			t.Fatal(err)
		}
		exec := func(statement string) {
			t.Helper()
			if _, err := w.db.Pool().Exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		exec(`REVOKE SELECT ON ` + out.Tenant.SchemaName + `.users FROM ` + out.Tenant.DatabaseRole)
		if got, _, err := client.Repair(t.Context(), out.Tenant.ID); err != nil || got.Status != tenant.StatusActive {
			t.Errorf("%+v, %v", got, err)
		}
		exec(`DROP TABLE ` + out.Tenant.SchemaName + `.users CASCADE`)
		_, _, err = client.Repair(t.Context(), out.Tenant.ID)
		wantKind(t, err, errs.KindPermanent)
		if !strings.Contains(errs.SafeMessage(err), "restore it from a backup") {
			t.Error(err)
		}
		_, err = client.Provision(t.Context(), clinic())
		wantKind(t, err, errs.KindNoWorker)
		if !strings.Contains(errs.SafeMessage(err), "send the request to a server with a worker") {
			t.Error(err)
		}
	})
}

// TestClient_BoundsWaitForJob: a job that no worker runs is not waited for without end.
func TestClient_BoundsWaitForJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var polls atomic.Int32
		transport := roundTripper(func(r *http.Request) *http.Response {
			answer := &http.Response{StatusCode: http.StatusAccepted, Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader(`{"jobId":"7"}`))}
			if r.Method == http.MethodGet {
				polls.Add(1)
				answer.StatusCode, answer.Body = http.StatusOK, io.NopCloser(strings.NewReader(`{"state":"queued","error":null}`))
			}
			return answer
		})
		client, err := apiclient.New(apiclient.Options{URL: "http://127.0.0.1", Token: "hck_x", HTTPClient: &http.Client{Transport: transport}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Archive(t.Context(), uuid.New())
		wantKind(t, err, errs.KindTransient)
		if !strings.Contains(errs.SafeMessage(err), "queued this as job 7, which has not ended in time; check that a worker runs") {
			t.Error(err)
		}
		if n := polls.Load(); n > 320 { // 15 minutes.
			t.Errorf("%d requests", n)
		}
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, stop)
		_, err = client.Archive(ctx, uuid.New())
		wantKind(t, err, errs.KindCancelled)
	})
}

// TestClient_JobUnreadable: a key may request a move and not read its job.
func TestClient_JobUnreadable(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			problem(w, http.StatusForbidden, `{"detail":"it needs the scope tenants:read","requestId":"r-1"}`)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"jobId":"7"}`)
	}))
	t.Cleanup(server.Close)
	client, err := apiclient.New(apiclient.Options{URL: server.URL, Token: "hck_x"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Purge(t.Context(), uuid.New(), "Clinic", 0)
	wantKind(t, err, errs.KindPermanent)
	if got := errs.SafeMessage(err); got != "tenant-api has queued this as job 7, which cannot be read with this key: it needs the scope tenants:read" {
		t.Error(got)
	}
}

type roundTripper func(*http.Request) *http.Response

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }
