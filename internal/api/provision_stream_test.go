package api_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// eventNames joins the names of events.
func eventNames(events []event) string {
	list := make([]string, len(events))
	for i, e := range events {
		list[i] = e.name
	}
	return strings.Join(list, " ")
}

func (b *testServer) statusOf(id string) string {
	b.t.Helper()
	return b.do(http.MethodGet, "/admin/tenants/"+id, nil).want(http.StatusOK).str("status")
}

// contextCapture records the context of a provisioning.
type contextCapture struct {
	api.Service
	contexts chan context.Context
}

func (w contextCapture) Provision(ctx context.Context, in tenant.Inputs) (provisioning.Outcome, error) {
	w.contexts <- ctx
	return w.Service.Provision(ctx, in)
}

func TestServer_StreamProvision(t *testing.T) {
	t.Parallel()
	t.Run("SendsStepsThenOutcome", func(t *testing.T) {
		b := setup(t)
		events := b.provision("/admin/tenants/provision", clinic())
		if got := eventNames(events); !strings.HasPrefix(got, "tenant step ") || !strings.HasSuffix(got, "step outcome") || strings.Count(got, "tenant") != 1 || strings.Count(got, "outcome") != 1 {
			t.Errorf("%s", got)
		}
		completed := map[string]bool{}
		for _, e := range events {
			if e.name == "step" && e.json["status"] == "COMPLETED" {
				completed[as[string](e.json["step"])] = true
			}
		}
		if len(completed) != 7 {
			t.Errorf("%v", completed)
		}
		last := events[len(events)-1].json
		tenant := as[map[string]any](last["tenant"])
		if tenant["status"] != "ACTIVE" || tenant["id"] != events[0].json["id"] || last["continued"] != false || last["adopted"] != false || len(as[[]any](last["warnings"])) != 0 {
			t.Errorf("%v", last)
		}
		if got := b.statusOf(as[string](tenant["id"])); got != "ACTIVE" || len(b.mail.Messages()) != 1 {
			t.Errorf("%s, %d mails", got, len(b.mail.Messages()))
		}
	})
	t.Run("RejectsInvalidRequestBeforeStream", func(t *testing.T) {
		b := setup(t)
		b.do(http.MethodPost, "/admin/tenants/provision", map[string]any{"name": "x"}).wantFieldErrors("name", "adminEmail", "adminFirstName", "adminLastName")
		b.do(http.MethodPost, "/admin/tenants/provision", clinic(), "Authorization", "").want(http.StatusUnauthorized)
	})
	t.Run("EndsWithProblemAndTenant", func(t *testing.T) {
		b := setup(t)
		b.deployer.setDeploy(func(context.Context, tenant.Tenant) error {
			return errs.Errorf(errs.KindPermanent, "deploy", "the balance is too low; fund the account")
		})
		events := b.provision("/admin/tenants/provision", clinic())
		last := events[len(events)-1]
		if last.name != "problem" || last.json["kind"] != "permanent" || last.json["status"] != 500.0 || !strings.Contains(as[string](last.json["detail"]), "fund the account") ||
			as[map[string]any](last.json["tenant"])["status"] != "FAILED" || last.json["conflictingTenant"] != nil || last.json["requestId"] == "" {
			t.Errorf("%s", last.data)
		}
		if !strings.Contains(last.data, `"title":"Internal Server Error"`) || !strings.Contains(eventNames(events), "step step") {
			t.Errorf("%s", eventNames(events))
		}
	})
	t.Run("NamesConflictingTenant", func(t *testing.T) {
		b := setup(t)
		id := b.createActive(clinic())["id"]
		events := b.provision("/admin/tenants/provision", clinic())
		last := events[len(events)-1]
		if len(events) != 1 || last.name != "problem" || last.json["kind"] != "conflict" || last.json["status"] != 409.0 || as[map[string]any](last.json["conflictingTenant"])["id"] != id || last.json["tenant"] != nil ||
			as[map[string]any](as[[]any](last.json["errors"])[0])["field"] != "name" {
			t.Errorf("%s: %s", eventNames(events), last.data)
		}
		if got := b.auditRejections(uuid.Nil); len(got) != 1 || got[0].Detail["status"] != 409.0 {
			t.Errorf("%+v", got)
		}
	})
	t.Run("AdoptsOwnTenant", func(t *testing.T) {
		b := setup(t)
		body := clinic()
		body["managedBy"] = "terraform"
		id := b.createActive(body)["id"]
		events := b.provision("/admin/tenants/provision", body)
		if last := events[len(events)-1]; last.name != "outcome" || last.json["adopted"] != true || as[map[string]any](last.json["tenant"])["id"] != id {
			t.Errorf("%s", last.data)
		}
	})
	t.Run("WarnsWhenMailFails", func(t *testing.T) {
		b := setup(t)
		b.mail.RejectRecipients(554, "5.7.1 no", -1)
		events := b.provision("/admin/tenants/provision", clinic())
		if last := events[len(events)-1]; last.name != "outcome" || len(as[[]any](last.json["warnings"])) != 1 || as[map[string]any](last.json["tenant"])["welcomeEmailStatus"] != "FAILED" {
			t.Errorf("%s", last.data)
		}
	})
	t.Run("ReleasesTenantOnDisconnect", func(t *testing.T) {
		caller := make(chan context.Context, 2)
		b := setupWith(t, serverOptions{wrapService: func(s api.Service) api.Service { return contextCapture{s, caller} }})
		deploying := make(chan struct{})
		b.deployer.setDeploy(func(context.Context, tenant.Tenant) error {
			close(deploying)
			<-(<-caller).Done()
			return nil
		})
		ctx, leave := context.WithCancel(t.Context())
		stream := b.openStream(b.request(http.MethodPost, "/admin/tenants/provision", clinic()).WithContext(ctx))
		id := as[string](stream.next().json["id"])
		<-deploying
		leave()
		b.waitFor("the run has ended", func() bool { return b.handler.ActiveProvisionStreams() == 0 })
		if got := b.statusOf(id); got != "PROVISIONING" {
			t.Errorf("status %s", got)
		}
		if n := b.registry.ValidLeases(); n != 0 {
			t.Error("the lease is still held")
		}
		b.deployer.setDeploy(nil)
		events := b.provision("/admin/tenants/provision", clinic())
		if last := events[len(events)-1]; last.name != "outcome" || last.json["continued"] != true || as[map[string]any](last.json["tenant"])["id"] != id {
			t.Errorf("%s", last.data)
		}
	})
	t.Run("RetriesFailedTenant", func(t *testing.T) {
		b := setup(t)
		b.deployer.setDeploy(func(context.Context, tenant.Tenant) error {
			return errs.Errorf(errs.KindPermanent, "deploy", "no")
		})
		failed := b.provision("/admin/tenants/provision", clinic())
		id := as[string](as[map[string]any](failed[len(failed)-1].json["tenant"])["id"])
		b.deployer.setDeploy(nil)
		events := b.provision("/admin/tenants/"+id+"/provision", nil)
		last := events[len(events)-1]
		if tenant, _ := last.json["tenant"].(map[string]any); last.name != "outcome" || tenant["status"] != "ACTIVE" || tenant["id"] != id || tenant["attempt"] != 2.0 {
			t.Errorf("%s", last.data)
		}
	})
	t.Run("SendsKeepAlives", func(t *testing.T) {
		b := setupWith(t, serverOptions{timeouts: api.Timeouts{ProvisionKeepAlive: 5 * time.Millisecond}})
		seen := make(chan struct{})
		b.deployer.setDeploy(func(context.Context, tenant.Tenant) error { <-seen; return nil })
		stream := b.openStream(b.request(http.MethodPost, "/admin/tenants/provision", clinic()))
		for {
			line, err := stream.lines.ReadString('\n')
			if err != nil {
				t.Fatal("the stream ended without one")
			}
			if line == ": keep-alive\n" {
				break
			}
		}
		close(seen)
		if rest := stream.readAll(); rest[len(rest)-1].name != "outcome" {
			t.Errorf("%s", eventNames(rest))
		}
	})
	t.Run("StopsForClientThatDoesNotRead", func(t *testing.T) {
		caller := make(chan context.Context, 1)
		b := setupWith(t, serverOptions{
			timeouts:    api.Timeouts{ProvisionKeepAlive: time.Microsecond, Write: 20 * time.Millisecond},
			wrapService: func(s api.Service) api.Service { return contextCapture{s, caller} },
		})
		b.deployer.setDeploy(func(context.Context, tenant.Tenant) error { <-(<-caller).Done(); return nil })
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		if err := as[*net.TCPConn](conn).SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		body := `{"name":"Clinic","adminEmail":"ada@clinic.example","adminFirstName":"Ada","adminLastName":"Lovelace"}`
		if _, err := fmt.Fprintf(conn, "POST /admin/tenants/provision HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"+
			"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", b.key, len(body), body); err != nil {
			t.Fatal(err)
		}
		b.waitFor("it runs", func() bool { return b.handler.ActiveProvisionStreams() == 1 })
		b.waitFor("it is given up", func() bool { return b.handler.ActiveProvisionStreams() == 0 })
		if b.registry.Tenant().Status != tenant.StatusProvisioning || b.registry.Runs() != 0 {
			t.Error("the tenant was not released")
		}
	})
	t.Run("LimitsConcurrentStreams", func(t *testing.T) {
		b := setupWith(t, serverOptions{Options: api.Options{MaxProvisionStreams: 1}})
		deploying, finish := make(chan struct{}), make(chan struct{})
		b.deployer.setDeploy(func(context.Context, tenant.Tenant) error { close(deploying); <-finish; return nil })
		stream := b.openStream(b.request(http.MethodPost, "/admin/tenants/provision", clinic()))
		<-deploying
		got := b.do(http.MethodPost, "/admin/tenants/provision", clinicNamed("Hospital")).want(http.StatusServiceUnavailable)
		if got.header.Get("Retry-After") == "" {
			t.Errorf("%v", got.header)
		}
		b.do(http.MethodPost, "/admin/tenants", clinicNamed("Queued")).want(http.StatusAccepted)
		b.deployer.setDeploy(nil)
		close(finish)
		stream.readAll()
		b.waitFor("there is a place again", func() bool { return b.handler.ActiveProvisionStreams() == 0 })
		b.createActive(clinicNamed("Hospital"))
	})
	t.Run("StopsOnDrain", func(t *testing.T) {
		caller := make(chan context.Context, 1)
		b := setupWith(t, serverOptions{wrapService: func(s api.Service) api.Service { return contextCapture{s, caller} }})
		b.deployer.setDeploy(func(context.Context, tenant.Tenant) error {
			b.handler.Drain()
			<-(<-caller).Done() // The drain cancels the run asynchronously.
			return nil
		})
		stream := b.openStream(b.request(http.MethodPost, "/admin/tenants/provision", clinic()))
		events := stream.readAll()
		last := events[len(events)-1]
		if last.name != "problem" || last.json["kind"] != "cancelled" || last.json["status"] != 503.0 || as[map[string]any](last.json["tenant"])["status"] != "PROVISIONING" {
			t.Errorf("%s", last.data)
		}
	})
	t.Run("PanicEndsStreamWithoutDetails", func(t *testing.T) {
		b := setup(t)
		b.deployer.setDeploy(func(context.Context, tenant.Tenant) error { panic("the chain broke at 127.0.0.1") })
		events := b.provision("/admin/tenants/provision", clinic())
		last := events[len(events)-1]
		if last.name != "problem" || last.json["status"] != 500.0 || strings.Contains(last.data, "broke") || strings.Contains(last.data, "goroutine") {
			t.Errorf("%s", last.data)
		}
		if !strings.Contains(b.log.String(), "the chain broke") {
			t.Error("the log does not say what it was")
		}
		b.do(http.MethodGet, "/health", nil).want(http.StatusOK)
	})
	t.Run("IgnoresAccept", func(t *testing.T) {
		b := setup(t)
		for i, accept := range []string{
			"", "*/*", "application/json", "text/*", "text/event-stream;q=0", ";,a", "a;", ";q,;", ",", "application/json;q", "application/json;q=x,a", "text/event-stream", "Text/Event-Stream;q=0.5",
		} {
			suffix := string(rune('a' + i))
			queued := b.do(http.MethodPost, "/admin/tenants", clinicNamed("Queued "+suffix), "Accept", accept).want(http.StatusAccepted)
			if got := queued.header.Get("Content-Type"); got != "application/json" {
				t.Errorf("%q: create-tenant answers with %s", accept, got)
			}
			events := b.provision("/admin/tenants/provision", clinicNamed("Clinic "+suffix), "Accept", accept)
			if last := events[len(events)-1]; last.name != "outcome" {
				t.Errorf("%q: %s", accept, last.data)
			}
			if got := b.do(http.MethodGet, "/admin/tenants?limit=1", nil, "Accept", accept).want(http.StatusOK).header.Get("Content-Type"); got != "application/json" {
				t.Errorf("%q: list-tenants answers with %s", accept, got)
			}
		}
	})
}
