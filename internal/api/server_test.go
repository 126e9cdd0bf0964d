package api_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/events"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// flakyService reports no changes for a while, or panics.
type flakyService struct {
	api.Service
	fail, panics atomic.Bool
	failed       atomic.Int64
}

func (f *flakyService) Changes(ctx context.Context, id uuid.UUID, after int64) (events.Changes, error) {
	if f.panics.Load() {
		panic("while a stream is open")
	}
	if f.fail.Load() {
		f.failed.Add(1)
		return events.Changes{}, errs.Errorf(errs.KindTransient, "read changes", "the database does not answer")
	}
	return f.Service.Changes(ctx, id, after)
}

func (f *flakyService) List(ctx context.Context, q tenant.ListQuery) (tenant.Page, error) {
	if f.panics.Load() {
		panic(fmt.Sprintf("hck_secret %v", q))
	}
	if f.fail.Load() {
		return tenant.Page{}, errors.New("dial tcp 127.0.0.1:5432: SELECT * FROM secrets; password=x")
	}
	return f.Service.List(ctx, q)
}

// hangingService is a service whose database does not answer.
type hangingService struct{ api.Service }

func (hangingService) Get(ctx context.Context, _ uuid.UUID) (tenant.Tenant, error) {
	<-ctx.Done()
	return tenant.Tenant{}, ctx.Err()
}

func TestNew(t *testing.T) {
	b := setup(t)
	good := func() api.Options {
		return api.Options{Service: struct{ api.Service }{}, Jobs: struct{ provisioning.Jobs }{}, Notifier: noopNotifier{}, Keys: b.db.APIKeys, Blueprints: b.db.Blueprints, Maintenance: struct{ api.Maintenance }{}}
	}
	for name, mutate := range map[string]func(*api.Options){
		"Service": func(o *api.Options) { o.Service = nil }, "Jobs": func(o *api.Options) { o.Jobs = nil }, "Notifier": func(o *api.Options) { o.Notifier = nil },
		"Keys": func(o *api.Options) { o.Keys = nil }, "Blueprints": func(o *api.Options) { o.Blueprints = nil }, "Maintenance": func(o *api.Options) { o.Maintenance = nil }, "OIDC": func(o *api.Options) { o.OIDC.Issuer = "https://issuer.example" },
		"negative": func(o *api.Options) { o.RateLimit = -1 }, "MaxConnections": func(o *api.Options) { o.MaxConnections = 10 },
	} {
		o := good()
		mutate(&o)
		if _, err := api.New(o); errs.KindOf(err) != errs.KindInvalid || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	o := good()
	o.Metrics = prometheus.NewRegistry()
	s, err := api.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Close(t.Context())
	if _, err := api.New(o); errs.KindOf(err) != errs.KindInvalid || !strings.Contains(err.Error(), "Metrics") {
		t.Errorf("%v", err)
	}
}

func TestServer_ServeHTTP(t *testing.T) {
	t.Parallel()
	t.Run("Returns404ForUnknownPaths", func(t *testing.T) {
		b := setup(t)
		for _, path := range []string{"/", "/admin", "/admin/", "/admin/tenants/", "//admin/tenants", "/admin//tenants", "/admin/./tenants", "/admin/x/../tenants", "/admin/tenants/%2e%2e", "/openapi.yaml", "/schemas/Tenant.json",
			"/jobs", "/jobs/", "/docs/", "/metrics", "/%ff", "/health/x"} {
			b.do(http.MethodGet, path, nil).want(http.StatusNotFound)
		}
	})
	t.Run("Returns405WithAllow", func(t *testing.T) {
		b := setup(t)
		for path, allow := range map[string]string{"/admin/tenants": "GET, HEAD, POST", "/admin/tenants/x": "DELETE, GET, HEAD, PATCH", "/admin/tenants/x/purge": "POST", "/admin/tenants/health": "GET, HEAD", "/admin/tenants/provision": "POST", "/health": "GET, HEAD", "/docs": "GET, HEAD"} {
			for _, method := range []string{http.MethodPut, http.MethodOptions, http.MethodTrace, "QUERY"} {
				if got := b.do(method, path, nil).want(http.StatusMethodNotAllowed); got.header.Get("Allow") != allow {
					t.Errorf("%s %s: %q", method, path, got.header.Get("Allow"))
				}
			}
		}
		for _, path := range []string{"/admin/tenants/health", "/admin/tenants/provision"} { // Not ids of tenants.
			b.do(http.MethodPatch, path, nil).want(http.StatusMethodNotAllowed)
			b.do(http.MethodDelete, path, nil).want(http.StatusMethodNotAllowed)
		}
		if got := b.do(http.MethodHead, "/admin/tenants", nil).want(http.StatusOK); got.text != "" {
			t.Errorf("%s", got.text)
		}
		for _, request := range []string{"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "CONNECT x:1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"} {
			if got := b.sendRaw(request); !strings.HasPrefix(got, "HTTP/1.1 404 ") || !strings.Contains(got, "problem+json") {
				t.Errorf("%s", got)
			}
		}
	})
	t.Run("SetsRequestID", func(t *testing.T) {
		b := setup(t)
		if got := b.do(http.MethodGet, "/health", nil, "X-Request-Id", "my-Request_1.2"); got.header.Get("X-Request-Id") != "my-Request_1.2" {
			t.Errorf("%v", got.header)
		}
		seen := map[string]bool{}
		for _, odd := range []string{"", "a b", "<script>", "ä", strings.Repeat("x", 65)} {
			id := b.do(http.MethodGet, "/health", nil, "X-Request-Id", odd).header.Get("X-Request-Id")
			if id == odd || len(id) != 36 || seen[id] {
				t.Errorf("%q became %q", odd, id)
			}
			seen[id] = true
		}
	})
	t.Run("LogsOneLinePerRequest", func(t *testing.T) {
		b := setup(t)
		got := b.do(http.MethodPost, "/admin/tenants", clinicNamed("Secret Clinic")).want(http.StatusAccepted)
		log, id := b.log.String(), got.header.Get("X-Request-Id")
		if strings.Count(log, id) != 1 || !strings.Contains(log, "method=POST route=/admin/tenants status=202") || strings.Contains(log, "Secret Clinic") || strings.Contains(log, b.key[17:]) {
			t.Errorf("%s", log)
		}
	})
	t.Run("HidesInternalErrors", func(t *testing.T) {
		var service *flakyService
		b := setupWith(t, serverOptions{wrapService: func(s api.Service) api.Service { service = &flakyService{Service: s}; return service }})
		service.fail.Store(true)
		got := b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusInternalServerError)
		if !strings.Contains(b.log.String(), "dial tcp 127.0.0.1:5432") || !strings.Contains(b.log.String(), got.header.Get("X-Request-Id")) {
			t.Error("the log does not say it")
		}
	})
	t.Run("RecoversFromPanic", func(t *testing.T) {
		var service *flakyService
		b := setupWith(t, serverOptions{wrapService: func(s api.Service) api.Service { service = &flakyService{Service: s}; return service }})
		service.panics.Store(true)
		got := b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusInternalServerError)
		if strings.Contains(got.text, "hck_secret") || !strings.Contains(b.log.String(), "request panicked") || !strings.Contains(b.log.String(), "goroutine") {
			t.Errorf("%s", got.text)
		}
		service.panics.Store(false)
		b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusOK)
	})
	t.Run("AbortsStreamOnPanic", func(t *testing.T) {
		var service *flakyService
		b := setupWith(t, serverOptions{timeouts: api.Timeouts{PollInterval: 5 * time.Millisecond}, wrapService: func(s api.Service) api.Service { service = &flakyService{Service: s}; return service }})
		id := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId")
		stream := b.openEventStream(id, "")
		stream.next()
		service.panics.Store(true)
		for {
			if _, err := stream.lines.ReadString('\n'); err != nil {
				if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Error("it ended as if it were whole")
				}
				break
			}
		}
		service.panics.Store(false)
		if b.handler.ActiveEventStreams() != 0 {
			t.Error("its place is not free")
		}
		b.do(http.MethodGet, "/health", nil).want(http.StatusOK)
	})
	t.Run("RejectsNonUTF8Headers", func(t *testing.T) {
		b := setup(t)
		b.do(http.MethodGet, "/admin/tenants", nil, "X-Odd", "\xff").wantFieldErrors("X-Odd")
		b.do(http.MethodGet, "/admin/tenants", nil, "User-Agent", "k\xe4se").wantFieldErrors("User-Agent")
	})
	t.Run("TimesOutHangingDatabase", func(t *testing.T) {
		b := setupWith(t, serverOptions{timeouts: api.Timeouts{Work: 20 * time.Millisecond}, wrapService: func(s api.Service) api.Service { return hangingService{s} }})
		got := b.do(http.MethodGet, "/admin/tenants/"+uuid.NewString(), nil).want(http.StatusServiceUnavailable)
		if got.header.Get("Retry-After") == "" {
			t.Errorf("%v", got.header)
		}
	})
}

func TestServer_Metrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	b := setupWith(t, serverOptions{Options: api.Options{Metrics: registry}})
	id := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId")
	b.do(http.MethodGet, "/admin/tenants", nil, "Authorization", "").want(http.StatusUnauthorized)
	b.do(http.MethodGet, "/nowhere", nil).want(http.StatusNotFound)
	stream := b.openEventStream(id, "")
	stream.next()
	read := func() string {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		for _, f := range families {
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					fmt.Fprintf(&all, "%s=%s ", l.GetName(), l.GetValue())
				}
				fmt.Fprintf(&all, "%d %g\n", m.GetHistogram().GetSampleCount(), m.GetGauge().GetValue()+m.GetCounter().GetValue())
			}
		}
		return all.String()
	}
	want := []string{"operation=create-tenant status=2xx 1 0", "operation=list-tenants status=4xx 1 0", "operation=none status=4xx 1 0", "kind=events 0 1", "status=401 0 1", "status=404 0 1", "status=429 0 0"}
	got := read()
	for _, line := range want {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("%q is not in\n%s", line, got)
		}
	}
	if strings.Contains(got, "stream-tenant-events") {
		t.Errorf("a stream is measured like a request:\n%s", got)
	}
	b.handler.Drain()
	stream.readAll()
	b.waitFor("the closed stream is no longer counted", func() bool { return strings.Contains(read(), "kind=events 0 0\n") })
}

func TestNewServer(t *testing.T) {
	t.Parallel()
	t.Run("HasLimits", func(t *testing.T) {
		b := setup(t)
		if s := b.httpServer; s.ReadHeaderTimeout != 5*time.Second || s.IdleTimeout != time.Minute || s.MaxHeaderBytes != 16<<10 || s.ReadTimeout != 10*time.Second || s.WriteTimeout != 0 {
			t.Errorf("%+v", s)
		}
		if got := b.sendRaw("GET /health HTTP/1.1\r\nHost: x\r\nX-Large: " + strings.Repeat("x", 30<<10) + "\r\n\r\n"); !strings.HasPrefix(got, "HTTP/1.1 431 ") {
			t.Errorf("%.200s", got)
		}
	})
	t.Run("DropsClientThatDoesNotRead", func(t *testing.T) {
		b := setupWith(t, serverOptions{timeouts: api.Timeouts{Write: 20 * time.Millisecond}})
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if err := as[*net.TCPConn](conn).SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		// Far more than the network buffers for a client that does not read.
		if _, err := io.WriteString(conn, strings.Repeat("GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n", 400)); err != nil {
			t.Fatal(err)
		}
		b.waitFor("the connection is cut", func() bool {
			_, err := io.WriteString(conn, "\r\n")
			return err != nil
		})
	})
	t.Run("ShutdownEndsStreams", func(t *testing.T) {
		b := setup(t)
		id := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId")
		stream := b.openEventStream(id, "")
		stream.next()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := b.httpServer.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		stream.readAll()
	})
	t.Run("EvictsIdleConnections", func(t *testing.T) {
		const limit, connCount = 8, 400
		b := setupWith(t, serverOptions{Options: api.Options{MaxConnections: limit, MaxProvisionStreams: 1, MaxEventStreams: 1}})
		b.client.CloseIdleConnections()
		as[*http.Transport](as[specTransport](b.client.Transport).next).DisableKeepAlives = true
		id := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId")
		stream := b.openEventStream(id, "")
		stream.next()
		conns := make([]net.Conn, connCount)
		for i := range conns {
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			conns[i] = conn
			if i%2 == 0 { // An unfinished request header is not a request either.
				_, _ = io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: x\r\n")
			}
			if i%100 == 0 {
				b.do(http.MethodGet, "/health", nil).want(http.StatusOK)
			}
		}
		b.do(http.MethodGet, "/health", nil).want(http.StatusOK)
		for _, conn := range conns[:connCount-limit] { // The oldest connections were closed.
			_ = conn.SetReadDeadline(time.Now().Add(30 * time.Second))
			if _, err := conn.Read(make([]byte, 1)); errors.Is(err, context.DeadlineExceeded) || err == nil {
				t.Fatalf("%v", err)
			}
		}
		b.do(http.MethodDelete, "/admin/tenants/"+id, nil).want(http.StatusOK)
		if got := stream.readAll(); len(got) == 0 || got[len(got)-1].name != "end" {
			t.Errorf("the stream was cut: %s", eventNames(got))
		}
	})
	t.Run("KeepsActiveConnections", func(t *testing.T) {
		var store *countingStore
		b := setupWith(t, serverOptions{
			Options:  api.Options{MaxConnections: 4, MaxProvisionStreams: 1, MaxEventStreams: 1},
			wrapKeys: func(s access.Store) access.Store { store = &countingStore{Store: s}; return store },
		})
		transport := as[*http.Transport](as[specTransport](b.client.Transport).next)
		transport.DisableKeepAlives = true
		id := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId")
		finish, deploying := make(chan struct{}), make(chan struct{})
		b.deployer.setDeploy(func(context.Context, tenant.Tenant) error { close(deploying); <-finish; return nil })
		stream := b.openEventStream(id, "")
		stream.next()
		run := b.openStream(b.request(http.MethodPost, "/admin/tenants/provision", clinicNamed("Hospital")))
		<-deploying
		slow, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = slow.Close() }()
		before := store.finds.Load()
		_, _ = io.WriteString(slow, "POST /admin/tenants HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\nAuthorization: Bearer "+b.key+"\r\n\r\n{")
		b.waitFor("every slot has a request", func() bool { return store.finds.Load() > before })
		b.do(http.MethodGet, "/health", nil).want(http.StatusOK)
		_, _ = io.WriteString(slow, `"a": 1 }`)
		close(finish)
		if rest := run.readAll(); rest[len(rest)-1].name != "outcome" {
			t.Errorf("%s", eventNames(rest))
		}
	})
}
