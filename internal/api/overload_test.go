package api_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/passwordhash"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// stuckService has reads that begin and do not end before release.
type stuckService struct {
	api.Service
	begun   chan struct{}
	release chan struct{}
}

func (s stuckService) Get(ctx context.Context, _ uuid.UUID) (tenant.Tenant, error) {
	s.begun <- struct{}{}
	select {
	case <-s.release:
	case <-ctx.Done():
	}
	return tenant.Tenant{}, context.Canceled
}

// assertProbes fails the test unless all probes succeed.
func (b *testServer) assertProbes() {
	b.t.Helper()
	for _, path := range []string{"/livez", "/health", "/readyz"} {
		b.do(http.MethodGet, path, nil).want(http.StatusOK)
	}
}

// TestServer_Probes: probes are answered whatever else is exhausted.
func TestServer_Probes(t *testing.T) {
	t.Parallel()
	t.Run("WhileAllRequestSlotsAreTaken", func(t *testing.T) {
		stuck := stuckService{begun: make(chan struct{}), release: make(chan struct{})}
		b := setupWith(t, serverOptions{
			timeouts:    api.Timeouts{Work: never},
			Options:     api.Options{MaxConnections: 8, MaxProvisionStreams: 1, MaxEventStreams: 1},
			wrapService: func(s api.Service) api.Service { stuck.Service = s; return stuck },
		})
		b.client.CloseIdleConnections()
		as[*http.Transport](as[specTransport](b.client.Transport).next).DisableKeepAlives = true
		path := "/admin/tenants/" + uuid.NewString()
		var wg sync.WaitGroup
		for range 7 { // All but the one that is reserved.
			wg.Go(func() { b.do(http.MethodGet, path, nil).want(http.StatusServiceUnavailable) })
			<-stuck.begun
		}
		b.assertProbes()
		for range 3 {
			got := b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusServiceUnavailable)
			if !strings.Contains(got.str("detail"), "7 requests in progress") || got.header.Get("Retry-After") == "" {
				t.Errorf("%v, %s", got.header, got.text)
			}
		}
		b.do(http.MethodGet, "/openapi.json", nil).want(http.StatusOK)
		// Connections that nobody holds take no place from a probe, also beyond the limit.
		for range 50 {
			_, _ = io.WriteString(b.dial(), "GET /livez HTTP/1.1\r\nHost: x\r\n")
		}
		b.assertProbes()
		close(stuck.release)
		wg.Wait()
		b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusOK)
	})
	t.Run("WhileAllDatabaseConnectionsAreTaken", func(t *testing.T) {
		var check func(context.Context) error
		b := setupWith(t, serverOptions{Options: api.Options{Checks: []api.Check{{Name: "database", Run: func(ctx context.Context) error { return check(ctx) }}}}})
		check = b.db.CheckWritable
		b.db.Pool().Reset()
		for range b.db.Pool().Config().MaxConns {
			conn, err := b.db.Pool().Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Release()
		}
		b.assertProbes()
	})
	t.Run("ConcurrentOnesShareTheChecks", func(t *testing.T) {
		begun, release := make(chan struct{}, 100), make(chan struct{})
		b := setupWith(t, serverOptions{
			timeouts: api.Timeouts{Check: never},
			Options: api.Options{Checks: []api.Check{{Name: "database", Run: func(context.Context) error {
				begun <- struct{}{}
				<-release
				return nil
			}}}},
		})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { b.do(http.MethodGet, "/readyz", nil).want(http.StatusOK) })
		}
		<-begun
		b.do(http.MethodGet, "/livez", nil).want(http.StatusOK)
		close(release)
		wg.Wait()
	})
}

// TestServer_PasswordFlood: of many requests with a password, those that cannot be served are
// refused with the cause, and probes are answered meanwhile.
func TestServer_PasswordFlood(t *testing.T) {
	const flood = 30
	b := setupWith(t, serverOptions{Options: api.Options{RequestContext: passwordhash.LimitWait}, timeouts: api.Timeouts{Work: never}})
	paths := make([]string, flood)
	for i := range paths {
		paths[i] = "/admin/tenants/" + b.do(http.MethodPost, "/admin/tenants", clinicNamed(fmt.Sprint("Clinic ", i))).want(http.StatusAccepted).str("tenantId")
	}
	var wg sync.WaitGroup
	answers := make(chan response, flood)
	for _, path := range paths {
		wg.Go(func() { answers <- b.do(http.MethodPatch, path, map[string]any{"adminPassword": password}) })
	}
	b.assertProbes()
	wg.Wait()
	close(answers)
	changed := 0
	for got := range answers {
		switch {
		case got.status == http.StatusOK:
			changed++
		case got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || !strings.Contains(got.str("detail"), "hashes passwords"):
			t.Errorf("%d %v: %s", got.status, got.header, got.text)
		}
	}
	if changed == 0 {
		t.Error("no password was changed")
	}
	t.Logf("%d of %d passwords were changed", changed, flood)
}

// TestServer_StreamsOfOneKey: one key gets a part of the streams, and others the rest.
func TestServer_StreamsOfOneKey(t *testing.T) {
	t.Parallel()
	t.Run("Events", func(t *testing.T) {
		b := setupWith(t, serverOptions{Options: api.Options{MaxEventStreams: 8}})
		path := "/admin/tenants/" + b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId") + "/events"
		for range 2 {
			b.openStream(b.request(http.MethodGet, path, nil)).next()
		}
		got := b.do(http.MethodGet, path, nil).want(http.StatusTooManyRequests)
		if !strings.Contains(got.str("detail"), "this key has 2 event streams open, the limit of one key, of the server's 8") || got.header.Get("Retry-After") == "" {
			t.Errorf("%v, %s", got.header, got.text)
		}
		other := b.createKey("other", access.ScopeRead)
		b.openStream(b.request(http.MethodGet, path, nil, "Authorization", "Bearer "+other)).next()
	})
	t.Run("Provisionings", func(t *testing.T) {
		b := setupWith(t, serverOptions{Options: api.Options{MaxProvisionStreams: 2}})
		deploying, finish := make(chan struct{}, 2), make(chan struct{})
		b.deployer.setDeploy(func(context.Context, tenant.Tenant) error { deploying <- struct{}{}; <-finish; return nil })
		first := b.openStream(b.request(http.MethodPost, "/admin/tenants/provision", clinic()))
		<-deploying
		got := b.do(http.MethodPost, "/admin/tenants/provision", clinicNamed("Hospital")).want(http.StatusTooManyRequests)
		if !strings.Contains(got.str("detail"), "1 provisionings inside requests open") || got.header.Get("Retry-After") == "" {
			t.Errorf("%v, %s", got.header, got.text)
		}
		other := b.createKey("other", access.ScopeWrite)
		second := b.openStream(b.request(http.MethodPost, "/admin/tenants/provision", clinicNamed("Hospital"), "Authorization", "Bearer "+other))
		<-deploying
		close(finish)
		for _, stream := range []*eventReader{first, second} {
			if all := stream.readAll(); all[len(all)-1].name != "outcome" {
				t.Errorf("%s", eventNames(all))
			}
		}
	})
}
