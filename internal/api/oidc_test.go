package api_test

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/oidctest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
)

func settingsOf(p *oidctest.Issuer) serverOptions {
	return serverOptions{Options: api.Options{OIDC: auth.OIDC{Issuer: p.URL, Audience: "tenant-api"}}}
}

func TestServer_OIDC(t *testing.T) {
	t.Parallel()
	with := func(b *testServer, method, path, token string) response {
		b.t.Helper()
		return b.do(method, path, nil, "Authorization", "Bearer "+token)
	}
	t.Run("AcceptsIssuerTokensAndKeys", func(t *testing.T) {
		p := oidctest.New(t)
		b := setupWith(t, settingsOf(p))
		if n := p.Asked.Load(); n != 0 {
			t.Errorf("the issuer received %d requests before the first token", n)
		}
		with(b, http.MethodGet, "/admin/tenants", p.Token(nil)).want(http.StatusOK)
		b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusOK)
		with(b, http.MethodDelete, "/admin/tenants/x", p.Token(nil)).want(http.StatusForbidden)
		log := b.auditRejections(uuid.Nil)
		if len(log) != 1 || log[0].Caller.Kind != audit.CallerToken || log[0].Caller.ID != "ada" || log[0].Caller.Name != "Ada Lovelace" {
			t.Errorf("%+v", log)
		}
		for _, scopes := range []func(map[string]any){
			func(c map[string]any) { c["scope"] = "tenants:write" },
			func(c map[string]any) { delete(c, "scope"); c["scp"] = []string{"x", "tenants:write"} },
			func(c map[string]any) { delete(c, "scope"); c["scp"] = "admin x" },
			func(c map[string]any) { c["aud"] = []string{"other", "tenant-api"}; c["scope"] = "admin" },
		} {
			with(b, http.MethodDelete, "/admin/tenants/x", p.Token(scopes)).want(http.StatusNotFound)
		}
		if n := p.Asked.Load(); n != 2 {
			t.Errorf("the issuer received %d requests", n)
		}
	})
	t.Run("RejectsOtherTokens", func(t *testing.T) {
		p := oidctest.New(t)
		b := setupWith(t, settingsOf(p))
		other, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct{ token, reason string }{
			"expired":       {p.Token(func(c map[string]any) { c["exp"] = time.Now().Add(-time.Minute).Unix() }), "expired token"},
			"no expiry":     {p.Token(func(c map[string]any) { delete(c, "exp") }), "expired token"},
			"not yet":       {p.Token(func(c map[string]any) { c["nbf"] = time.Now().Add(time.Hour).Unix() }), "invalid token"},
			"audience":      {p.Token(func(c map[string]any) { c["aud"] = "other" }), "invalid token"},
			"issuer":        {p.Token(func(c map[string]any) { c["iss"] = "https://evil.example" }), "invalid token"},
			"key":           {p.Sign(jose.RS256, other, p.Claims()), "invalid token"},
			"shared secret": {p.Sign(jose.HS256, []byte(strings.Repeat("k", 32)), p.Claims()), "invalid token"},
			"no subject":    {p.Token(func(c map[string]any) { delete(c, "sub") }), "token without a readable subject"},
			"odd subject":   {p.Token(func(c map[string]any) { c["sub"] = "a\x00b" }), "token without a readable subject"},
			"odd claims":    {p.Token(func(c map[string]any) { c["scope"] = 7 }), "token without a readable subject"},
			"unsigned":      {"eyJhbGciOiJub25lIn0." + strings.Split(p.Token(nil), ".")[1] + ".", "invalid token"},
			"no token":      {"opaque", "malformed"},
		} {
			got := with(b, http.MethodGet, "/admin/tenants", c.token).want(http.StatusUnauthorized)
			log := b.auditRejections(uuid.Nil)
			if last := log[len(log)-1]; last.Detail["reason"] != c.reason || last.Caller.Kind != audit.CallerAnonymous {
				t.Errorf("%s: %+v", name, last)
			}
			if strings.Contains(b.log.String(), c.token) || strings.Contains(got.text, "audience") {
				t.Errorf("%s: the response reveals too much", name)
			}
		}
	})
	t.Run("ThrottlesIssuerRequests", func(t *testing.T) {
		p := oidctest.New(t)
		b := setupWith(t, settingsOf(p))
		other, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			with(b, http.MethodGet, "/admin/tenants", p.Sign(jose.RS256, other, p.Claims())).want(http.StatusUnauthorized)
		}
		if n := p.Asked.Load(); n > 6 {
			t.Errorf("the issuer received %d requests", n)
		}
		with(b, http.MethodGet, "/admin/tenants", p.Token(nil)).want(http.StatusOK)
	})
	t.Run("Returns503WhenIssuerIsDown", func(t *testing.T) {
		p := oidctest.New(t)
		b := setupWith(t, settingsOf(p))
		p.Down.Store(true)
		for range 3 {
			with(b, http.MethodGet, "/admin/tenants", p.Token(nil)).want(http.StatusServiceUnavailable)
		}
		if n := p.Asked.Load(); n != 1 {
			t.Errorf("the issuer received %d requests", n)
		}
		b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusOK)
		p.Down.Store(false)
		p.NoKeys.Store(true)
		b.clock.advance(6 * time.Second)
		with(b, http.MethodGet, "/admin/tenants", p.Token(nil)).want(http.StatusServiceUnavailable)
		p.NoKeys.Store(false)
		with(b, http.MethodGet, "/admin/tenants", p.Token(nil)).want(http.StatusOK)
	})
	t.Run("HashesLongSubjectInIdempotencyScope", func(t *testing.T) {
		p := oidctest.New(t)
		b := setupWith(t, settingsOf(p))
		token := p.Token(func(c map[string]any) { c["sub"] = strings.Repeat("s", 255); c["scope"] = "tenants:write" })
		for range 2 {
			b.do(http.MethodPost, "/admin/tenants", clinic(), "Authorization", "Bearer "+token, "Idempotency-Key", "k").want(http.StatusAccepted)
		}
	})
}
