package api_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
)

// idp is an OpenID Connect issuer.
type idp struct {
	t      *testing.T
	url    string
	key    *rsa.PrivateKey
	name   atomic.Value // Name of the key; a string.
	asked  atomic.Int64
	down   atomic.Bool
	noKeys atomic.Bool
	answer atomic.Value // A func(w, r) bool that responds instead of the issuer, or returns false.
}

func newIDP(t *testing.T) *idp {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &idp{t: t, key: key}
	p.name.Store("k1")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.asked.Add(1)
		answer, _ := p.answer.Load().(func(http.ResponseWriter, *http.Request) bool)
		switch {
		case p.down.Load(), p.noKeys.Load() && r.URL.Path == "/keys":
			panic(http.ErrAbortHandler)
		case answer != nil && answer(w, r):
		default:
			p.serve(w, r)
		}
	}))
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func (p *idp) jwk() jose.JSONWebKey {
	return jose.JSONWebKey{Key: p.key.Public(), KeyID: as[string](p.name.Load()), Algorithm: "RS256", Use: "sig"}
}

// serve returns the issuer's keys or its metadata.
func (p *idp) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/keys" {
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{p.jwk()}})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"issuer": p.url, "jwks_uri": p.url + "/keys", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}})
}

func (p *idp) claims() map[string]any {
	return map[string]any{"iss": p.url, "aud": "tenant-api", "sub": "ada", "name": "Ada Lovelace", "exp": time.Now().Add(time.Hour).Unix(), "iat": time.Now().Unix(), "scope": "openid tenants:read"}
}

func (p *idp) sign(algorithm jose.SignatureAlgorithm, key any, claims map[string]any) string {
	p.t.Helper()
	return p.signAs(as[string](p.name.Load()), algorithm, key, claims)
}

// signAs signs with a key of that name, which the issuer may not know.
func (p *idp) signAs(name string, algorithm jose.SignatureAlgorithm, key any, claims map[string]any) string {
	p.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", name))
	if err != nil {
		p.t.Fatal(err)
	}
	token, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		p.t.Fatal(err)
	}
	return token
}

func (p *idp) token(change func(map[string]any)) string {
	p.t.Helper()
	c := p.claims()
	if change != nil {
		change(c)
	}
	return p.sign(jose.RS256, p.key, c)
}

func (p *idp) settings() serverOptions {
	return serverOptions{Options: api.Options{OIDC: auth.OIDC{Issuer: p.url, Audience: "tenant-api"}}}
}

func TestServer_OIDC(t *testing.T) {
	t.Parallel()
	with := func(b *testServer, method, path, token string) response {
		b.t.Helper()
		return b.do(method, path, nil, "Authorization", "Bearer "+token)
	}
	t.Run("AcceptsIssuerTokensAndKeys", func(t *testing.T) {
		p := newIDP(t)
		b := setupWith(t, p.settings())
		if n := p.asked.Load(); n != 0 {
			t.Errorf("the issuer received %d requests before the first token", n)
		}
		with(b, http.MethodGet, "/admin/tenants", p.token(nil)).want(http.StatusOK)
		b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusOK)
		with(b, http.MethodDelete, "/admin/tenants/x", p.token(nil)).want(http.StatusForbidden)
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
			with(b, http.MethodDelete, "/admin/tenants/x", p.token(scopes)).want(http.StatusNotFound)
		}
		if n := p.asked.Load(); n != 2 {
			t.Errorf("the issuer received %d requests", n)
		}
	})
	t.Run("RejectsOtherTokens", func(t *testing.T) {
		p := newIDP(t)
		b := setupWith(t, p.settings())
		other, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct{ token, reason string }{
			"expired":       {p.token(func(c map[string]any) { c["exp"] = time.Now().Add(-time.Minute).Unix() }), "expired token"},
			"no expiry":     {p.token(func(c map[string]any) { delete(c, "exp") }), "expired token"},
			"not yet":       {p.token(func(c map[string]any) { c["nbf"] = time.Now().Add(time.Hour).Unix() }), "invalid token"},
			"audience":      {p.token(func(c map[string]any) { c["aud"] = "other" }), "invalid token"},
			"issuer":        {p.token(func(c map[string]any) { c["iss"] = "https://evil.example" }), "invalid token"},
			"key":           {p.sign(jose.RS256, other, p.claims()), "invalid token"},
			"shared secret": {p.sign(jose.HS256, []byte(strings.Repeat("k", 32)), p.claims()), "invalid token"},
			"no subject":    {p.token(func(c map[string]any) { delete(c, "sub") }), "token without a readable subject"},
			"odd subject":   {p.token(func(c map[string]any) { c["sub"] = "a\x00b" }), "token without a readable subject"},
			"odd claims":    {p.token(func(c map[string]any) { c["scope"] = 7 }), "token without a readable subject"},
			"unsigned":      {"eyJhbGciOiJub25lIn0." + strings.Split(p.token(nil), ".")[1] + ".", "invalid token"},
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
		p := newIDP(t)
		b := setupWith(t, p.settings())
		other, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		for range 20 {
			with(b, http.MethodGet, "/admin/tenants", p.sign(jose.RS256, other, p.claims())).want(http.StatusUnauthorized)
		}
		if n := p.asked.Load(); n > 6 {
			t.Errorf("the issuer received %d requests", n)
		}
		with(b, http.MethodGet, "/admin/tenants", p.token(nil)).want(http.StatusOK)
	})
	t.Run("Returns503WhenIssuerIsDown", func(t *testing.T) {
		p := newIDP(t)
		b := setupWith(t, p.settings())
		p.down.Store(true)
		for range 3 {
			with(b, http.MethodGet, "/admin/tenants", p.token(nil)).want(http.StatusServiceUnavailable)
		}
		if n := p.asked.Load(); n != 1 {
			t.Errorf("the issuer received %d requests", n)
		}
		b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusOK)
		p.down.Store(false)
		p.noKeys.Store(true)
		b.clock.advance(6 * time.Second)
		with(b, http.MethodGet, "/admin/tenants", p.token(nil)).want(http.StatusServiceUnavailable)
		p.noKeys.Store(false)
		with(b, http.MethodGet, "/admin/tenants", p.token(nil)).want(http.StatusOK)
	})
	t.Run("HashesLongSubjectInIdempotencyScope", func(t *testing.T) {
		p := newIDP(t)
		b := setupWith(t, p.settings())
		token := p.token(func(c map[string]any) { c["sub"] = strings.Repeat("s", 255); c["scope"] = "tenants:write" })
		for range 2 {
			b.do(http.MethodPost, "/admin/tenants", clinic(), "Authorization", "Bearer "+token, "Idempotency-Key", "k").want(http.StatusAccepted)
		}
	})
}
