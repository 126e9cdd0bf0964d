package api_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/oidctest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// TestServer_StreamOfEndedKey: a stream ends when its key is revoked or expires, without
// waiting for an event, a keep-alive or its client.
func TestServer_StreamOfEndedKey(t *testing.T) {
	t.Parallel()
	nothingElse := api.Timeouts{EventKeepAlive: never, PollInterval: never, ProvisionKeepAlive: never, Write: never, Work: never}
	ends := map[string]func(b *testServer){
		"Revoked": func(b *testServer) {
			b.t.Helper()
			if _, err := b.db.APIKeys.Revoke(b.t.Context(), "leaves"); err != nil {
				b.t.Fatal(err)
			}
		},
		"Expired": func(b *testServer) { b.clock.advance(2 * time.Hour) },
	}
	for name, end := range ends {
		t.Run("Events"+name, func(t *testing.T) {
			b := setupWith(t, serverOptions{timeouts: nothingElse})
			id := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId")
			token := b.createKey("leaves", access.ScopeRead)
			stream := b.openStream(b.request(http.MethodGet, "/admin/tenants/"+id+"/events", nil, "Authorization", "Bearer "+token))
			if first := stream.next(); first == nil || first.name != "status" {
				t.Fatalf("%+v", first)
			}
			end(b)
			if rest := eventNames(stream.readAll()); strings.Contains(rest, "end") { // The tenant is PENDING: the stream would not end by itself.
				t.Errorf("%s", rest)
			}
			b.waitFor("its place is free", func() bool { return b.handler.ActiveEventStreams() == 0 })
		})
		t.Run("Provisioning"+name, func(t *testing.T) {
			b := setupWith(t, serverOptions{timeouts: nothingElse})
			deploying, finish := make(chan struct{}), make(chan struct{})
			b.deployer.setDeploy(func(context.Context, tenant.Tenant) error { close(deploying); <-finish; return nil })
			token := b.createKey("leaves", access.ScopeWrite)
			stream := b.openStream(b.request(http.MethodPost, "/admin/tenants/provision", clinic(), "Authorization", "Bearer "+token))
			<-deploying
			end(b)
			all := stream.readAll() // Ends although the step has not.
			last := all[len(all)-1]
			if last.name != "problem" || last.json["status"] != 401.0 || last.json["kind"] != "permanent" || !strings.Contains(as[string](last.json["detail"]), "while this response was open") {
				t.Errorf("%s: %s", eventNames(all), last.data)
			}
			if n := b.handler.ActiveProvisionStreams(); n != 1 {
				t.Errorf("%d places are taken, before the run has ended", n)
			}
			close(finish)
			b.waitFor("the run has released the tenant", func() bool { return b.handler.ActiveProvisionStreams() == 0 })
			if b.registry.Tenant().Status != tenant.StatusProvisioning || b.registry.Runs() != 0 {
				t.Error("the tenant was not released")
			}
		})
	}
	t.Run("WhileItsClientDoesNotRead", func(t *testing.T) {
		b := setupWith(t, serverOptions{timeouts: api.Timeouts{EventKeepAlive: time.Microsecond, Write: never}})
		id := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId")
		token := b.createKey("leaves", access.ScopeRead)
		if _, err := io.WriteString(b.dial(), "GET /admin/tenants/"+id+"/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+token+"\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		b.waitFor("it follows", func() bool { return b.handler.ActiveEventStreams() == 1 })
		ends["Revoked"](b)
		b.waitFor("it is given up", func() bool { return b.handler.ActiveEventStreams() == 0 })
	})
	t.Run("OtherKeysKeepTheirs", func(t *testing.T) {
		b := setupWith(t, serverOptions{timeouts: nothingElse})
		path := "/admin/tenants/" + b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId")
		token := b.createKey("leaves", access.ScopeRead)
		stays := b.openStream(b.request(http.MethodGet, path+"/events", nil))
		leaves := b.openStream(b.request(http.MethodGet, path+"/events", nil, "Authorization", "Bearer "+token))
		stays.next()
		ends["Revoked"](b)
		leaves.readAll()
		b.do(http.MethodDelete, path, nil).want(http.StatusOK)
		if got := stays.readAll(); len(got) == 0 || got[len(got)-1].name != "end" {
			t.Errorf("%s", eventNames(got))
		}
	})
	t.Run("TokenOfIssuerExpires", func(t *testing.T) {
		p := oidctest.New(t)
		b := setupWith(t, serverOptions{timeouts: nothingElse, Options: api.Options{OIDC: auth.OIDC{Issuer: p.URL, Audience: "tenant-api"}}})
		path := "/admin/tenants/" + b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId") + "/events"
		token := p.Sign(jose.RS256, p.Key, p.Claims())
		stream := b.openStream(b.request(http.MethodGet, path, nil, "Authorization", "Bearer "+token))
		if first := stream.next(); first == nil || first.name != "status" {
			t.Fatalf("%+v", first)
		}
		b.clock.advance(2 * time.Hour)
		stream.readAll()
	})
}
