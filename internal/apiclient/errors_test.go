package apiclient_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/apiclient"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// newTestClient returns a client of a server that is not tenant-api, or is faulty.
func newTestClient(t *testing.T, handler http.HandlerFunc) (*apiclient.Client, *atomic.Int32) {
	t.Helper()
	requests := &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	w := &testServer{t: t, token: "hck_secret.secret"}
	return w.client(server.URL), requests
}

func problem(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func TestClient_ErrorResponses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer   http.HandlerFunc
		kind     errs.Kind
		message  string
		requests int32
	}{
		"WrongToken": {func(w http.ResponseWriter, _ *http.Request) {
			problem(w, 401, `{"title":"Unauthorized","detail":"x","requestId":"r-1"}`)
		}, errs.KindPermanent, "tenant-api did not accept the token (request r-1)", 1},
		"NoScope": {func(w http.ResponseWriter, _ *http.Request) {
			problem(w, 403, `{"detail":"it needs the scope tenants:write","requestId":"r-1"}`)
		}, errs.KindPermanent, "does not permit this operation with the token: it needs the scope tenants:write (request r-1)", 1},
		"ServerFault": {func(w http.ResponseWriter, _ *http.Request) {
			problem(w, 500, `{"detail":"an internal error","requestId":"r-1"}`)
		}, errs.KindPermanent, "an internal error (request r-1)", 1},
		"ServiceUnavailable": {func(w http.ResponseWriter, _ *http.Request) {
			problem(w, 503, `{"detail":"the database does not answer"}`)
		}, errs.KindTransient, "the database does not answer", 4},
		"BadGateway": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "bad gateway", http.StatusBadGateway)
		}, errs.KindTransient, "the server in front of tenant-api returned 502", 4},
		"NotTenantAPI": {http.NotFound, errs.KindPermanent, "the server at the given address is not tenant-api (status 404); check the URL", 1},
		"NotTenantAPIWith200": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "<html>")
		}, errs.KindPermanent, "not tenant-api", 1},
		"Redirect": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://127.0.0.1:1/stolen")
			w.WriteHeader(http.StatusTemporaryRedirect)
		}, errs.KindPermanent, "is not tenant-api (status 307)", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, requests := newTestClient(t, c.answer)
			_, err := client.Get(t.Context(), uuid.New())
			wantKind(t, err, c.kind)
			if !strings.Contains(errs.SafeMessage(err), c.message) || requests.Load() != c.requests {
				t.Errorf("%q after %d requests", errs.SafeMessage(err), requests.Load())
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("the token is shown: %v", err)
			}
		})
	}
}

func TestClient_Retry(t *testing.T) {
	t.Parallel()
	t.Run("HonoursRetryAfterWithoutCountingAttempts", func(t *testing.T) {
		t.Parallel()
		clock := &fakeClock{}
		var n atomic.Int32
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if n.Add(1) <= 6 { // More than the number of attempts.
				w.Header().Set("Retry-After", "7")
				problem(w, 429, `{"detail":"too many requests"}`)
				return
			}
			problem(w, 404, `{"detail":"there is none"}`)
		}))
		defer server.Close()
		client, err := apiclient.New(apiclient.Options{URL: server.URL, Token: "x", Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Get(t.Context(), uuid.New())
		wantKind(t, err, errs.KindNotFound)
		if len(clock.slept) != 6 || clock.slept[0] != 7*time.Second {
			t.Errorf("slept %v", clock.slept)
		}
	})
	t.Run("ConnectionRefused", func(t *testing.T) {
		t.Parallel()
		w := &testServer{t: t, token: "x"}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := listener.Addr().String()
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		out, err := w.client("http://"+address).Provision(t.Context(), clinic())
		wantKind(t, err, errs.KindTransient)
		if got := errs.SafeMessage(err); got != "tenant-api does not answer at http://"+address+"; check that it runs there and that TENANT_API_URL (api.url) is correct" || out.Tenant.ID != uuid.Nil {
			t.Errorf("%q", got)
		}
		_, err = w.client("https://"+address).Get(t.Context(), uuid.New())
		wantKind(t, err, errs.KindTransient)
	})
	t.Run("UntrustedCertificate", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewTLSServer(http.NotFoundHandler())
		defer server.Close()
		_, err := (&testServer{t: t, token: "x"}).client(server.URL).Get(t.Context(), uuid.New())
		wantKind(t, err, errs.KindPermanent)
		if !strings.Contains(errs.SafeMessage(err), "certificate of tenant-api at "+server.URL+" cannot be verified") {
			t.Error(err)
		}
	})
	t.Run("StopsOnCancel", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		client, _ := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
		_, err := client.Get(ctx, uuid.New())
		wantKind(t, err, errs.KindCancelled)
	})
}

// fakeClock is a clock that does not wait.
type fakeClock struct {
	clock.System
	slept []time.Duration
}

func (r *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	r.slept = append(r.slept, d)
	return ctx.Err()
}

// startProxy puts a proxy in front of the server. For each response, cut returns after how
// many bytes the connection breaks; 0 is never.
func (w *testServer) startProxy(cutAfter func(r *http.Request) int) string {
	w.t.Helper()
	target, err := url.Parse(w.server.URL)
	if err != nil {
		w.t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if n := cutAfter(r); n > 0 {
			out = &truncatingWriter{ResponseWriter: out, remaining: n}
		}
		proxy.ServeHTTP(out, r)
	}))
	w.t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

type truncatingWriter struct {
	http.ResponseWriter
	remaining int
}

func (c *truncatingWriter) Write(p []byte) (int, error) {
	if c.remaining -= len(p); c.remaining < 0 {
		panic(http.ErrAbortHandler)
	}
	return c.ResponseWriter.Write(p)
}

// Unwrap lets the proxy flush.
func (c *truncatingWriter) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// TestClient_TruncatedStreams: wherever the connection breaks, exactly one tenant exists at
// the end, and the caller receives it.
func TestClient_TruncatedStreams(t *testing.T) {
	t.Parallel()
	for _, at := range []int{1, 700, 1200, 1800, 2400} {
		t.Run(fmt.Sprintf("After%dBytes", at), func(t *testing.T) {
			t.Parallel()
			w := newTestServer(t, 0)
			var n, cuts atomic.Int32
			client := w.client(w.startProxy(func(r *http.Request) int {
				if r.Method == http.MethodPost && n.Add(1) == 1 {
					cuts.Add(1)
					return at
				}
				return 0
			}))
			in := clinic()
			out, err := client.Provision(t.Context(), in)
			if err != nil || out.Tenant.Status != tenant.StatusActive || cuts.Load() != 1 {
				t.Fatalf("%+v, %v", out, err)
			}
			page, err := w.db.List(t.Context(), tenant.ListQuery{Limit: 10})
			if err != nil || page.Total != 1 || page.Tenants[0].ID != out.Tenant.ID {
				t.Errorf("%+v, %v", page, err)
			}
		})
	}
}

func TestClient_IdleStream(t *testing.T) {
	t.Parallel()
	w := newTestServer(t, 0)
	hang := make(chan struct{})
	var n atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && n.Add(1) == 1 {
			out.Header().Set("Content-Type", "text/event-stream")
			out.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(out).Flush()
			<-hang
			return
		}
		w.handler.ServeHTTP(out, r)
	}))
	defer server.Close()
	defer close(hang)
	client := w.client(server.URL)
	client.SetIdleTimeout(50 * time.Millisecond)
	w.onDeploy = nil
	out, err := client.Provision(t.Context(), clinic())
	if err != nil || out.Tenant.Status != tenant.StatusActive || n.Load() < 2 {
		t.Errorf("%+v after %d requests, %v", out, n.Load(), err)
	}
}

// TestClient_ReportsSteps: an observer receives the same steps as from the service.
func TestClient_ReportsSteps(t *testing.T) {
	t.Parallel()
	w := newTestServer(t, 0)
	if _, err := w.client(w.server.URL).Provision(t.Context(), clinic()); err != nil {
		t.Fatal(err)
	}
	reported := w.steps.String()
	for _, step := range tenant.Steps() {
		if !strings.Contains(reported, string(step)+" COMPLETED") {
			t.Errorf("%s is missing in %s", step, reported)
		}
	}
}

func TestNew(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]apiclient.Options{
		"NoURL": {Token: "x"}, "NoScheme": {URL: "h", Token: "x"}, "Query": {URL: "http://h?x=y", Token: "x"},
		"NoToken": {URL: "http://h"}, "TokenOfTwoLines": {URL: "http://h", Token: "a\nb"}, "Password": {URL: "http://u:p@h", Token: "x"},
	} {
		if _, err := apiclient.New(o); errs.KindOf(err) != errs.KindInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestClient_Inspect_OlderServer: a 404 of an older server must not be read as missing
// tenants, or the provider would remove all tenants from its state.
func TestClient_Inspect_OlderServer(t *testing.T) {
	t.Parallel()
	client, _ := newTestClient(t, func(w http.ResponseWriter, _ *http.Request) { problem(w, 404, `{"title":"Not Found"}`) })
	_, err := client.Inspect(t.Context(), []uuid.UUID{uuid.New()})
	wantKind(t, err, errs.KindPermanent)
	if !strings.Contains(errs.SafeMessage(err), "it is older than this program") {
		t.Error(err)
	}
}
