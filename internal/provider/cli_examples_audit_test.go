package provider_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// runAudit reads and verifies the audit chains as the guide does, opens a login for a reason, and
// calls the API with a token of an issuer.
func runAudit(t *testing.T, w *testEnv) {
	const guide = "guides/audit-and-access/"
	issuer := newTokenIssuer(t)
	var names [][]string
	for _, settings := range []string{"keycloak.sh", "entra.sh"} {
		w.copyExample(guide+settings, settings)
		w.mustShell("-eu", settings)
		names = append(names, regexp.MustCompile(`\b([A-Z_]+)=`).FindAllStringSubmatch(w.read(settings), -1)...)
	}
	known(t, names)
	w.env["AUTH_OIDC_ISSUER"], w.env["AUTH_OIDC_AUDIENCE"], w.env["CREDENTIAL_REASON"] = issuer, "tenant-api", "required"
	w.write("main.tf", header+clinic)
	w.mustApply()
	for _, script := range []string{"keys.sh", "read.sh", "api.sh", "verify.sh", "login.sh", "report.sh", "token.sh"} {
		w.copyExample(guide+script, script, "https://tenants.platform.example", w.server.url,
			"https://keycloak.platform.example/realms/platform/protocol/openid-connect/token", issuer+"/token")
	}
	w.env["TENANT_ID"], w.env["CLIENT_SECRET"] = w.registry.Tenant().ID, "of the client"

	w.mustShell("-eu", "keys.sh").wantText(t, "auditor-eu", "region=eu")
	w.mustShell("-eu", "read.sh").wantText(t, "apikey.create", "tenant.create", `"action": "tenant.activate"`)
	w.mustShell("-eu", "login.sh").wantText(t, `"username":"healthcare_login_`)
	w.mustShell("-eu", "api.sh").wantText(t, `"action":"apikey.create"`, `"action":"credential.open"`, `"reason":"Ticket 4711: wrong address in an invoice"`)
	w.mustShell("-eu", "report.sh").wantText(t, "Ticket 4711: wrong address in an invoice", "auditor (apikey)", `"endedAt": null`)
	w.mustShell("-eu", "verify.sh").wantText(t, "0 findings")
	w.mustShell("-eu", "token.sh").wantText(t, "200 OK", "St. Mary's Clinic")
	w.write("other.sh", strings.Replace(w.read("token.sh"), "scope=tenants:read", "scope=openid", 1))
	w.mustShell("-eu", "other.sh").wantText(t, "403 Forbidden", `scope="tenants:read"`)
}

// newTokenIssuer starts an OpenID Connect issuer that gives each client a token with the scopes
// that it asks for, and returns its address.
func newTokenIssuer(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k1"))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	answer := func(path string, body func(r *http.Request) any) {
		mux.HandleFunc(path, func(rw http.ResponseWriter, r *http.Request) { _ = json.NewEncoder(rw).Encode(body(r)) })
	}
	answer("/.well-known/openid-configuration", func(*http.Request) any {
		return map[string]any{"issuer": server.URL, "jwks_uri": server.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"}}
	})
	answer("/keys", func(*http.Request) any {
		return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "RS256", Use: "sig"}}}
	})
	answer("/token", func(r *http.Request) any {
		if r.FormValue("grant_type") != "client_credentials" || r.FormValue("client_secret") == "" {
			return map[string]any{"error": "invalid_request"}
		}
		token, err := jwt.Signed(signer).Claims(map[string]any{
			"iss": server.URL, "aud": []string{"account", "tenant-api"}, "sub": r.FormValue("client_id"), "scope": r.FormValue("scope"), "exp": time.Now().Add(time.Minute).Unix(),
		}).Serialize()
		if err != nil {
			t.Error(err)
		}
		return map[string]any{"access_token": token, "expires_in": 60, "token_type": "Bearer"}
	})
	return server.URL
}
