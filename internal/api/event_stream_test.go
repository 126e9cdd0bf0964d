package api_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func (b *testServer) openEventStream(id, lastEventID string) *eventReader {
	b.t.Helper()
	return b.openStream(b.request(http.MethodGet, "/admin/tenants/"+id+"/events", nil, "Last-Event-ID", lastEventID))
}

// noopNotifier never reports a change.
type noopNotifier struct{}

func (noopNotifier) Watch(uuid.UUID) (<-chan struct{}, func()) { return nil, func() {} }

func TestServer_StreamEvents(t *testing.T) {
	t.Parallel()
	t.Run("SendsEachChangeAndEnds", func(t *testing.T) {
		b := setupWith(t, serverOptions{worker: true, timeouts: api.Timeouts{PollInterval: time.Hour}})
		deploying, finish := make(chan struct{}), make(chan struct{})
		b.deployer.setDeploy(func(context.Context, tenant.Tenant) error { close(deploying); <-finish; return nil })
		id := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId")
		<-deploying
		stream := b.openEventStream(id, "")
		if first := stream.next(); first.name != "status" || first.id != "" || first.json["status"] != "PROVISIONING" || first.json["tenantId"] != id {
			t.Errorf("%+v", first)
		}
		for {
			e := stream.next()
			if e.name != "step" || e.id == "" {
				t.Fatalf("%+v", e)
			}
			if e.json["step"] == "DEPLOY_SOROBAN_CONTRACT" {
				if e.json["status"] != "IN_PROGRESS" || e.json["durationMs"] != nil {
					t.Errorf("%+v", e)
				}
				break
			}
		}
		close(finish)
		rest := stream.readAll()
		if got := eventNames(rest); !strings.HasSuffix(got, "step status end") || rest[len(rest)-1].json["status"] != "ACTIVE" {
			t.Errorf("%s", got)
		}
		latest := int64(0)
		for _, e := range rest {
			if e.name == "step" {
				id, err := strconv.ParseInt(e.id, 10, 64)
				if err != nil || id <= latest {
					t.Errorf("id %q after %d", e.id, latest)
				}
				latest = id
			}
		}
	})
	t.Run("PollsForMissedChanges", func(t *testing.T) {
		b := setupWith(t, serverOptions{timeouts: api.Timeouts{PollInterval: 5 * time.Millisecond}, noNotifications: true})
		id := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId")
		stream := b.openEventStream(id, "")
		if first, second := stream.next(), stream.next(); first.name != "status" || first.json["status"] != "PENDING" || second.json["step"] != "CREATE_TENANT_RECORD" {
			t.Errorf("%+v, %+v", first, second)
		}
		b.do(http.MethodDelete, "/admin/tenants/"+id, nil).want(http.StatusOK)
		if got := stream.readAll(); len(got) < 2 || got[len(got)-1].name != "end" || got[len(got)-1].json["status"] != "ARCHIVED" || got[len(got)-2].name != "status" {
			t.Errorf("%s", eventNames(got))
		}
	})
	t.Run("ResumesFromLastEventID", func(t *testing.T) {
		b := setup(t)
		id := as[string](b.createActive(clinic())["id"])
		all := b.openEventStream(id, "").readAll()
		if got := eventNames(all); got != "status step step step step step step step end" {
			t.Fatalf("%s", got)
		}
		if again := b.openEventStream(id, "0").readAll(); len(again) != len(all) {
			t.Errorf("%s", eventNames(again))
		}
		rest := b.openEventStream(id, all[3].id).readAll()
		if got := eventNames(rest); got != "status step step step step end" || rest[1].id != all[4].id {
			t.Errorf("%s", got)
		}
		path := "/admin/tenants/" + id + "/events"
		if got := b.do(http.MethodGet, path, nil, "Last-Event-ID", all[7].id).want(http.StatusNoContent); got.text != "" {
			t.Errorf("%s", got.text)
		}
		b.do(http.MethodGet, path, nil, "Last-Event-ID", "9999999").want(http.StatusNoContent)
		for _, odd := range []string{"x", "-1", "1.5", " ", "99999999999999999999"} {
			b.do(http.MethodGet, path, nil, "Last-Event-ID", odd).wantFieldErrors("Last-Event-ID")
		}
	})
	t.Run("ReportsProvisioningError", func(t *testing.T) {
		b := setup(t)
		b.deployer.setDeploy(func(context.Context, tenant.Tenant) error {
			return errs.Errorf(errs.KindPermanent, "deploy", "fund the account")
		})
		failed := b.provision("/admin/tenants/provision", clinic())
		id := as[string](as[map[string]any](failed[len(failed)-1].json["tenant"])["id"])
		all := b.openEventStream(id, "").readAll()
		last := all[len(all)-1]
		if last.name != "end" || last.json["status"] != "FAILED" || !strings.Contains(as[string](last.json["provisioningError"]), "fund the account") {
			t.Errorf("%+v", last)
		}
	})
	t.Run("SendsKeepAlives", func(t *testing.T) {
		b := setupWith(t, serverOptions{timeouts: api.Timeouts{EventKeepAlive: 5 * time.Millisecond}})
		id := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId")
		stream := b.openEventStream(id, "")
		for {
			line, err := stream.lines.ReadString('\n')
			if err != nil {
				t.Fatal("the stream ended without one")
			}
			if line == ": keep-alive\n" {
				break
			}
		}
	})
	t.Run("LimitsConcurrentStreams", func(t *testing.T) {
		b := setupWith(t, serverOptions{Options: api.Options{MaxEventStreams: 1}})
		id := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId")
		ctx, leave := context.WithCancel(t.Context())
		defer leave()
		stream := b.openStream(b.request(http.MethodGet, "/admin/tenants/"+id+"/events", nil).WithContext(ctx))
		stream.next()
		path := "/admin/tenants/" + id + "/events"
		if got := b.do(http.MethodGet, path, nil).want(http.StatusServiceUnavailable); got.header.Get("Retry-After") == "" {
			t.Errorf("%v", got.header)
		}
		leave()
		b.waitFor("there is a place again", func() bool { return b.handler.ActiveEventStreams() == 0 })
		b.openEventStream(id, "")
	})
	t.Run("SurvivesRegistryOutage", func(t *testing.T) {
		var service *flakyService
		b := setupWith(t, serverOptions{timeouts: api.Timeouts{PollInterval: 2 * time.Millisecond}, wrapService: func(s api.Service) api.Service { service = &flakyService{Service: s}; return service }})
		id := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId")
		stream := b.openEventStream(id, "")
		stream.next()
		service.fail.Store(true)
		b.waitFor("it has polled without a change", func() bool { return service.failed.Load() > 2 })
		service.fail.Store(false)
		b.do(http.MethodDelete, "/admin/tenants/"+id, nil).want(http.StatusOK)
		if got := stream.readAll(); got[len(got)-1].name != "end" {
			t.Errorf("%s", eventNames(got))
		}
	})
	t.Run("EndsOnDrain", func(t *testing.T) {
		b := setup(t)
		id := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId")
		stream := b.openEventStream(id, "")
		stream.next()
		b.handler.Drain()
		if got := stream.readAll(); strings.Contains(eventNames(got), "end") {
			t.Errorf("%s", eventNames(got))
		}
	})
	t.Run("DropsClientThatDoesNotRead", func(t *testing.T) {
		// Keep-alives fill the network buffers faster than steps.
		b := setupWith(t, serverOptions{timeouts: api.Timeouts{EventKeepAlive: time.Microsecond, Write: 20 * time.Millisecond}})
		id := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId")
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if err := as[*net.TCPConn](conn).SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, "GET /admin/tenants/"+id+"/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+b.key+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		b.waitFor("it follows", func() bool { return b.handler.ActiveEventStreams() == 1 })
		b.waitFor("it is given up", func() bool { return b.handler.ActiveEventStreams() == 0 })
	})
	t.Run("KeepsReadingClient", func(t *testing.T) {
		b := setupWith(t, serverOptions{timeouts: api.Timeouts{EventKeepAlive: 10 * time.Millisecond, Write: 100 * time.Millisecond}})
		id := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId")
		began, stream := time.Now(), b.openEventStream(id, "")
		for time.Since(began) < 500*time.Millisecond {
			if _, err := stream.lines.ReadString('\n'); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("Returns404ForUnknownTenant", func(t *testing.T) {
		b := setup(t)
		b.do(http.MethodGet, "/admin/tenants/"+uuid.NewString()+"/events", nil).want(http.StatusNotFound)
		b.do(http.MethodGet, "/admin/tenants/x/events", nil).want(http.StatusNotFound)
	})
	t.Run("HeadRequestHasNoBody", func(t *testing.T) {
		b := setup(t)
		id := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId")
		if got := b.do(http.MethodHead, "/admin/tenants/"+id+"/events", nil).want(http.StatusOK); got.header.Get("Content-Type") != "text/event-stream" {
			t.Errorf("%v", got.header)
		}
	})
}
