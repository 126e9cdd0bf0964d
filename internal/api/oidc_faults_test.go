package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/oidctest"
)

func TestServer_OIDCIssuerFaults(t *testing.T) {
	t.Parallel()
	list := func(b *testServer, token string) response {
		b.t.Helper()
		return b.do(http.MethodGet, "/admin/tenants", nil, "Authorization", "Bearer "+token)
	}
	named := func(p *oidctest.Issuer, name string) string { return p.SignAs(name, jose.RS256, p.Key, p.Claims()) }
	t.Run("ThrottledKeyFetchReturns503", func(t *testing.T) {
		p := oidctest.New(t)
		b := setupWith(t, settingsOf(p))
		b.clock.stop()
		list(b, p.Token(nil)).want(http.StatusOK)
		for i := range 20 {
			if got := list(b, named(p, fmt.Sprint("unknown", i))); got.status == http.StatusOK {
				t.Fatal("a key that the issuer does not have was accepted")
			}
		}
		p.Name.Store("k2") // The issuer rotates its key.
		got := list(b, p.Token(nil)).want(http.StatusServiceUnavailable)
		if got.header.Get("Retry-After") != "5" || got.header.Get("WWW-Authenticate") != "" {
			t.Errorf("%v", got.header)
		}
		b.clock.advance(5 * time.Second)
		list(b, p.Token(nil)).want(http.StatusOK)
	})
	t.Run("MissingIssuerKeysReturn503", func(t *testing.T) {
		p := oidctest.New(t)
		b := setupWith(t, settingsOf(p))
		p.Answer.Store(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/keys" {
				w.WriteHeader(http.StatusInternalServerError)
			}
			return r.URL.Path == "/keys"
		})
		list(b, p.Token(nil)).want(http.StatusServiceUnavailable)
	})
	for _, document := range []string{"/keys", "/.well-known/openid-configuration"} {
		t.Run("FollowsNoRedirectOf"+document, func(t *testing.T) {
			p := oidctest.New(t)
			b := setupWith(t, settingsOf(p))
			var asked atomic.Int64
			other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				p.Serve(w, r)
			}))
			defer other.Close()
			p.Answer.Store(func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == document {
					http.Redirect(w, r, other.URL+document, http.StatusFound)
				}
				return r.URL.Path == document
			})
			list(b, p.Token(nil)).want(http.StatusServiceUnavailable)
			if n := asked.Load(); n != 0 {
				t.Errorf("another server received %d requests", n)
			}
		})
		t.Run("LimitsSizeOf"+document, func(t *testing.T) {
			p := oidctest.New(t)
			b := setupWith(t, settingsOf(p))
			long := strings.Repeat("x", 1<<20)
			p.Answer.Store(func(w http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path == document {
					_, _ = w.Write([]byte(`{"padding":"` + long + `",`))
					record := httptest.NewRecorder()
					p.Serve(record, r)
					_, _ = w.Write(record.Body.Bytes()[1:])
				}
				return r.URL.Path == document
			})
			list(b, p.Token(nil)).want(http.StatusServiceUnavailable)
			if !strings.Contains(b.log.String(), "too large") {
				t.Error("the log does not say why")
			}
		})
	}
	t.Run("IgnoresUnknownKeyTypes", func(t *testing.T) {
		p := oidctest.New(t)
		b := setupWith(t, settingsOf(p))
		p.Answer.Store(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/keys" {
				return false
			}
			good, _ := json.Marshal(p.JWK())
			_, _ = fmt.Fprintf(w, `{"keys":[{"kty":"OKP","crv":"Ed448","kid":"odd","x":"AA"},{"kty":"lattice"},%s]}`, good)
			return true
		})
		list(b, p.Token(nil)).want(http.StatusOK)
	})
}
