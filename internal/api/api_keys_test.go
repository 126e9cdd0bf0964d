package api_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

const keysPath = "/admin/api-keys"

func TestAPIKeys(t *testing.T) {
	b := setup(t)
	created := b.do(http.MethodPost, keysPath, map[string]any{
		"name": "dashboard", "scopes": []string{"tenants:read", "tenants:read"}, "expiresIn": "720h", "rateLimit": 7, "onlyMetadata": map[string]string{"region": "eu"},
	}).want(http.StatusCreated)
	expires, err := time.Parse(time.RFC3339, created.str("expiresAt"))
	if err != nil || time.Until(expires) < 719*time.Hour || created.str("state") != "active" || created.json["rateLimit"] != 7.0 || len(as[[]any](created.json["scopes"])) != 1 || created.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v, %s", err, created.text)
	}
	token := created.str("token")
	if got := b.do(http.MethodGet, "/admin/tenants", nil, "Authorization", "Bearer "+token).want(http.StatusOK); got.json["total"] != 0.0 {
		t.Errorf("%s", got.text)
	}
	list := b.do(http.MethodGet, keysPath, nil).want(http.StatusOK)
	newest := as[map[string]any](as[[]any](list.json["keys"])[0])
	if newest["id"] != created.str("id") || newest["name"] != "dashboard" || as[map[string]any](newest["onlyMetadata"])["region"] != "eu" || strings.Contains(list.text, token) || newest["token"] != nil {
		t.Errorf("%s", list.text)
	}
	if got := b.do(http.MethodPost, keysPath, map[string]any{"name": "Dashboard", "scopes": []string{"admin"}}).want(http.StatusConflict); !strings.Contains(got.text, "exists") {
		t.Errorf("%s", got.text)
	}
	for range 2 {
		if got := b.do(http.MethodDelete, keysPath+"/"+created.str("id"), nil).want(http.StatusOK); got.str("state") != "revoked" || got.json["revokedAt"] == nil {
			t.Errorf("%s", got.text)
		}
	}
	b.do(http.MethodGet, "/admin/tenants", nil, "Authorization", "Bearer "+token).want(http.StatusUnauthorized)
	if strings.Contains(b.log.String(), token) {
		t.Error("the log shows the key")
	}
	audit := b.do(http.MethodGet, "/admin/audit?limit=100", nil).want(http.StatusOK)
	for _, action := range []string{`"apikey.create"`, `"apikey.revoke"`} {
		if !strings.Contains(audit.text, action) || !strings.Contains(audit.text, `"name":"dashboard"`) || strings.Contains(audit.text, token) {
			t.Errorf("%s: %s", action, audit.text)
		}
	}
	if !strings.Contains(audit.text, `"kind":"apikey"`) {
		t.Errorf("the audit log does not have the caller: %s", audit.text)
	}
}

func TestAPIKeys_Refuses(t *testing.T) {
	b := setup(t)
	body := func(change map[string]any) map[string]any {
		all := map[string]any{"name": "ci", "scopes": []string{"admin"}}
		for name, value := range change {
			all[name] = value
		}
		return all
	}
	for field, values := range map[string][]any{
		"name": {"", strings.Repeat("x", 101), "a\u0007b", 7}, "expiresIn": {"", "soon", "-1h", "0s", 720, nil}, "rateLimit": {0, -1, 1.5, 1_000_001, "7"},
		"scopes": {[]string{"root"}, []string{}, "admin", nil}, "onlyMetadata": {[]string{}, "region=eu"},
	} {
		for _, value := range values {
			b.do(http.MethodPost, keysPath, body(map[string]any{field: value})).wantFieldErrors(field)
		}
	}
	b.do(http.MethodPost, keysPath, map[string]any{"name": "ci"}).wantFieldErrors("scopes")
	b.do(http.MethodPost, keysPath, body(map[string]any{"token": "hck_"})).wantFieldErrors("token")
	for _, id := range []string{uuid.NewString(), "what"} {
		b.do(http.MethodDelete, keysPath+"/"+id, nil).want(http.StatusNotFound)
	}
	b.key = b.createKey("writer", access.ScopeRead, access.ScopeWrite, access.ScopePurge, access.ScopeCredentials, access.ScopeBlueprints)
	b.do(http.MethodGet, keysPath, nil).want(http.StatusForbidden)
	b.do(http.MethodPost, keysPath, body(nil)).want(http.StatusForbidden)
	b.do(http.MethodDelete, keysPath+"/"+uuid.NewString(), nil).want(http.StatusForbidden)
}

// TestAPIKeys_KeepsLastAdmin: of the keys with which everything can be done, one stays, also when two
// are revoked at the same time.
func TestAPIKeys_KeepsLastAdmin(t *testing.T) {
	b := setup(t)
	b.createKeyOf(access.KeyRequest{Name: "narrowed", Scopes: []access.Scope{access.ScopeAdmin}, OnlyMetadata: tenant.MetadataFilter{"region": "eu"}})
	b.createKeyOf(access.KeyRequest{Name: "expired", Scopes: []access.Scope{access.ScopeAdmin}})
	b.registry.ExpireKey("expired")
	id := func(name string) string {
		for _, k := range as[[]any](b.do(http.MethodGet, keysPath, nil).want(http.StatusOK).json["keys"]) {
			if as[map[string]any](k)["name"] == name {
				return as[string](as[map[string]any](k)["id"])
			}
		}
		t.Fatalf("no key %s", name)
		return ""
	}
	if got := b.do(http.MethodDelete, keysPath+"/"+id("admin"), nil).want(http.StatusConflict); !strings.Contains(got.str("detail"), "the last usable key of scope admin") || !strings.Contains(got.str("detail"), "create another one first") {
		t.Errorf("%s", got.text)
	}
	b.do(http.MethodDelete, keysPath+"/"+id("narrowed"), nil).want(http.StatusOK)
	b.do(http.MethodDelete, keysPath+"/"+id("expired"), nil).want(http.StatusOK)
	second := b.createKey("second", access.ScopeAdmin)
	paths := []string{keysPath + "/" + id("admin"), keysPath + "/" + id("second")}
	var wg sync.WaitGroup
	statuses := make([]int, 2)
	for i, key := range []string{b.key, second} { // Each revokes its own key.
		r := b.request(http.MethodDelete, paths[i], nil, "Authorization", "Bearer "+key)
		wg.Go(func() { statuses[i] = b.send(r).status })
	}
	wg.Wait()
	if statuses[0]+statuses[1] != http.StatusOK+http.StatusConflict {
		t.Errorf("%v", statuses)
	}
}

// TestAPIKeys_IssuerReplacesLastAdmin: with tokens of an issuer, no key is needed.
func TestAPIKeys_IssuerReplacesLastAdmin(t *testing.T) {
	b := setupWith(t, serverOptions{Options: api.Options{OIDC: auth.OIDC{Issuer: "https://issuer.example", Audience: "tenant-api"}}})
	keys := as[[]any](b.do(http.MethodGet, keysPath, nil).want(http.StatusOK).json["keys"])
	if len(keys) != 1 {
		t.Fatalf("%v", keys)
	}
	b.do(http.MethodDelete, keysPath+"/"+as[string](as[map[string]any](keys[0])["id"]), nil).want(http.StatusOK)
	b.do(http.MethodGet, keysPath, nil).want(http.StatusUnauthorized)
}
