package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// console is the server as the console calls it.
type console struct {
	*testServer
	outside string // The address at which others call the API.
}

// setupConsole serves the API's handler in the context of the console.
func setupConsole(t *testing.T, o serverOptions) *console {
	t.Helper()
	c := &console{testServer: setupWith(t, o)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.handler.ServeHTTP(w, r.WithContext(auth.InConsole(r.Context())))
	}))
	t.Cleanup(func() { c.handler.Drain(); server.Close() })
	c.outside, c.url = c.url, server.URL
	return c
}

// signIn makes a session of the API key of that name and returns its token.
func (c *console) signIn(name string) string {
	c.t.Helper()
	keys, err := c.db.APIKeys.List(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	token := access.NewSessionToken().Reveal()
	hash, _ := access.ParseSession(token)
	for _, k := range keys {
		if k.Name == name {
			if err := c.db.Sessions.Create(c.t.Context(), hash, access.SessionRequest{KeyID: k.ID, IdleTimeout: 30 * time.Minute, TTL: 12 * time.Hour}); err != nil {
				c.t.Fatal(err)
			}
			return token
		}
	}
	c.t.Fatalf("there is no key %s", name)
	return ""
}

func (c *console) as(token, method, path string, body any) response {
	c.t.Helper()
	return c.do(method, path, body, "Authorization", "Bearer "+token)
}

// TestServer_Sessions: the console calls the API with the token of a session, and nobody else does.
func TestServer_Sessions(t *testing.T) {
	t.Parallel()
	t.Run("ActAsTheKey", func(t *testing.T) {
		c := setupConsole(t, serverOptions{})
		c.createKeyOf(access.KeyRequest{Name: "narrow", Scopes: []access.Scope{access.ScopeWrite}, TTL: time.Hour, OnlyMetadata: tenant.MetadataFilter{"region": "eu"}})
		token := c.signIn("narrow")
		c.as(token, http.MethodPost, "/admin/tenants", clinic()).wantFieldErrors("metadata.region")
		body := clinic()
		body["metadata"] = map[string]string{"region": "eu"}
		id := c.as(token, http.MethodPost, "/admin/tenants", body).want(http.StatusAccepted).str("tenantId")
		c.as(token, http.MethodGet, "/admin/audit", nil).want(http.StatusForbidden)
		events, err := c.db.Events(t.Context(), uuid.MustParse(id), 0, 10)
		if err != nil || len(events) == 0 || events[0].Caller.Kind != audit.CallerAPIKey || events[0].Caller.Name != "narrow" || events[0].Caller.Address == "" {
			t.Errorf("%+v, %v", events, err)
		}
		if n := c.registry.KeysUsedWithin(time.Minute); n != 1 { // Only its sessions used it.
			t.Errorf("%d keys were used", n)
		}
	})
	t.Run("AreRefusedOutsideOfTheConsole", func(t *testing.T) {
		c := setupConsole(t, serverOptions{})
		token := c.signIn("admin")
		c.as(token, http.MethodGet, "/admin/tenants", nil).want(http.StatusOK)
		c.url = c.outside
		c.as(token, http.MethodGet, "/admin/tenants", nil).want(http.StatusUnauthorized)
		if log := c.auditRejections(uuid.Nil); len(log) != 1 || log[0].Detail["reason"] != "malformed" || log[0].Action != "request.list-tenants" {
			t.Errorf("%+v", log)
		}
		if strings.Contains(c.log.String(), token) {
			t.Error("the log has the token")
		}
	})
	t.Run("EndWithTheirKey", func(t *testing.T) {
		c := setupConsole(t, serverOptions{})
		c.createKey("leaves", access.ScopeRead)
		token := c.signIn("leaves")
		c.as(token, http.MethodGet, "/admin/tenants", nil).want(http.StatusOK)
		c.registry.RevokeKey("leaves")
		if got := c.as(token, http.MethodGet, "/admin/tenants", nil).want(http.StatusUnauthorized); !strings.Contains(got.str("detail"), "sign in again") {
			t.Error(got.text)
		}
	})
	t.Run("HaveALimitOfTheirOwn", func(t *testing.T) {
		c := setupConsole(t, serverOptions{Options: api.Options{RateLimit: 3}})
		c.clock.stop()
		one, two := c.signIn("admin"), c.signIn("admin")
		if got := c.as(one, http.MethodGet, "/admin/tenants", nil).want(http.StatusOK); got.header.Get("RateLimit-Limit") != "1200" || got.header.Get("RateLimit-Remaining") != "1199" {
			t.Errorf("%v", got.header)
		}
		for range 3 {
			c.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusOK)
		}
		c.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusTooManyRequests)
		if got := c.as(two, http.MethodGet, "/admin/tenants", nil).want(http.StatusOK); got.header.Get("RateLimit-Remaining") != "1199" {
			t.Errorf("%v", got.header)
		}
	})
	nothingElse := api.Timeouts{EventKeepAlive: never, PollInterval: never, ProvisionKeepAlive: never, Write: never, Work: never}
	for name, end := range map[string]func(c *console, hash access.SessionHash){
		"SignedOut": func(c *console, hash access.SessionHash) {
			if err := c.db.Sessions.End(c.t.Context(), hash); err != nil {
				c.t.Fatal(err)
			}
		},
		"Idle":       func(c *console, _ access.SessionHash) { c.registry.AgeSessions(30*time.Minute, 0) },
		"Expired":    func(c *console, _ access.SessionHash) { c.registry.AgeSessions(0, 12*time.Hour) },
		"KeyRevoked": func(c *console, _ access.SessionHash) { c.registry.RevokeKey("admin") },
	} {
		t.Run("StreamEndsWhen"+name, func(t *testing.T) {
			c := setupConsole(t, serverOptions{timeouts: nothingElse})
			id := c.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId")
			token := c.signIn("admin")
			stream := c.openStream(c.request(http.MethodGet, "/admin/tenants/"+id+"/events", nil, "Authorization", "Bearer "+token))
			if first := stream.next(); first == nil || first.name != "status" {
				t.Fatalf("%+v", first)
			}
			hash, _ := access.ParseSession(token)
			end(c, hash)
			stream.readAll()
			c.waitFor("its place is free", func() bool { return c.handler.ActiveEventStreams() == 0 })
		})
	}
}
