package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
)

func TestServer_DatabaseCredentials(t *testing.T) {
	t.Parallel()
	t.Run("OpensRenewsAndCloses", func(t *testing.T) {
		b := setup(t)
		id := as[string](b.createActive(clinic())["id"])
		path := "/admin/tenants/" + id + "/database-credentials"
		got := b.do(http.MethodPost, path, map[string]any{"ttlSeconds": 120.0}).want(http.StatusCreated)
		if len(got.json) != 9 || got.str("tenantId") != id || !strings.HasPrefix(got.str("username"), "healthcare_login_") || len(got.str("password")) < 32 || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s, %v", got.text, got.header)
		}
		one := path + "/" + got.str("id")
		if renewed := b.do(http.MethodPost, one+"/renew", map[string]any{}).want(http.StatusOK); renewed.str("expiresAt") <= got.str("expiresAt") {
			t.Errorf("%s after %s", renewed.text, got.text)
		}
		for range 2 {
			if closed := b.do(http.MethodDelete, one, nil).want(http.StatusOK); closed.str("status") != "closed" {
				t.Errorf("%s", closed.text)
			}
		}
		b.do(http.MethodPost, one+"/renew", map[string]any{}).want(http.StatusNotFound)
		if strings.Contains(b.log.String(), got.str("password")) {
			t.Error("the log shows the password")
		}
		audit := b.do(http.MethodGet, "/admin/tenants/"+id+"/audit?limit=100", nil).want(http.StatusOK)
		if !strings.Contains(audit.text, "credential.open") || !strings.Contains(audit.text, "credential.close") || strings.Contains(audit.text, got.str("password")) {
			t.Errorf("%s", audit.text)
		}
	})
	t.Run("Refuses", func(t *testing.T) {
		b := setup(t)
		id := as[string](b.createActive(clinic())["id"])
		path := "/admin/tenants/" + id + "/database-credentials"
		for _, ttl := range []any{"soon", 1.5, -1, 1e12, true, nil} {
			got := b.do(http.MethodPost, path, map[string]any{"ttlSeconds": ttl}).want(http.StatusBadRequest)
			if !strings.Contains(got.text, "ttlSeconds has to be a whole number of seconds") {
				t.Errorf("%v: %s", ttl, got.text)
			}
		}
		if got := b.do(http.MethodPost, path, map[string]any{"ttlSeconds": 5}).want(http.StatusBadRequest); !strings.Contains(got.text, "at least a minute") {
			t.Errorf("%s", got.text)
		}
		b.do(http.MethodPost, path+"/what/renew", map[string]any{}).want(http.StatusNotFound)
		b.do(http.MethodDelete, path+"/what", nil).want(http.StatusNotFound)
		b.do(http.MethodPost, "/admin/tenants/"+uuid.NewString()+"/database-credentials", map[string]any{}).want(http.StatusNotFound)
		writer := b.createKey("writer", access.ScopeWrite)
		b.do(http.MethodPost, path, map[string]any{}, "Authorization", "Bearer "+writer).want(http.StatusForbidden)
		b.do(http.MethodDelete, "/admin/tenants/"+id, nil).want(http.StatusOK)
		b.do(http.MethodPost, path, map[string]any{}).want(http.StatusConflict)
	})
}

// TestServer_ListCredentials: each login is listed with who opened it and why, and never its password.
func TestServer_ListCredentials(t *testing.T) {
	b := setup(t)
	id := as[string](b.createActive(clinic())["id"])
	path := "/admin/tenants/" + id + "/database-credentials"
	reader := b.createKey("reader", access.ScopeRead)
	list := func(query string, n int) []map[string]any {
		t.Helper()
		got := b.do(http.MethodGet, path+query, nil, "Authorization", "Bearer "+reader).want(http.StatusOK)
		var logins []map[string]any
		for _, l := range as[[]any](got.json["logins"]) {
			logins = append(logins, as[map[string]any](l))
		}
		if len(logins) != n || strings.Contains(got.text, "password") {
			t.Fatalf("want %d: %s", n, got.text)
		}
		return logins
	}
	list("", 0)
	list("?all=true", 0)
	first := b.do(http.MethodPost, path, map[string]any{"ttlSeconds": 120, "reason": "Ticket 4711"}).want(http.StatusCreated)
	second := b.do(http.MethodPost, path, map[string]any{}).want(http.StatusCreated)
	open := list("", 2)
	if l := open[0]; l["id"] != second.str("id") || l["reason"] != nil || l["expiresAt"] != second.str("expiresAt") {
		t.Errorf("the newest: %v", l)
	}
	if l := open[1]; l["id"] != first.str("id") || l["username"] != first.str("username") || l["reason"] != "Ticket 4711" || l["step"] != nil || l["closedAt"] != nil || l["endedAt"] != nil ||
		as[map[string]any](l["caller"])["name"] != "admin" || l["openedAt"] == nil {
		t.Errorf("the oldest: %v", l)
	}
	renewed := b.do(http.MethodPost, path+"/"+first.str("id")+"/renew", map[string]any{"ttlSeconds": 7200}).want(http.StatusOK)
	if l := list("", 2)[1]; l["expiresAt"] != renewed.str("expiresAt") {
		t.Errorf("%v, want %s", l, renewed.text)
	}
	b.do(http.MethodDelete, path+"/"+second.str("id"), nil).want(http.StatusOK) // Its role is dropped.
	if l := list("", 1)[0]; l["id"] != first.str("id") {
		t.Errorf("%v", l)
	}
	if l := list("?all=true", 2)[0]; l["id"] != second.str("id") || l["closedAt"] == nil || l["endedAt"] == nil {
		t.Errorf("%v", l)
	}
	b.registry.ExpireLogins(-time.Minute) // No worker has ended it.
	if l := list("", 1)[0]; l["closedAt"] != l["expiresAt"] || l["closedAt"] == nil || l["endedAt"] != nil {
		t.Errorf("%v", l)
	}
	b.do(http.MethodGet, "/admin/tenants/"+uuid.NewString()+"/database-credentials", nil).want(http.StatusNotFound)
	b.do(http.MethodGet, path+"?all=maybe", nil).wantFieldErrors("all")
}

// TestServer_CredentialReason: the reason is in the audit log, and a server can require one.
func TestServer_CredentialReason(t *testing.T) {
	t.Parallel()
	t.Run("Optional", func(t *testing.T) {
		b := setup(t)
		id := as[string](b.createActive(clinic())["id"])
		path := "/admin/tenants/" + id + "/database-credentials"
		for reason, want := range map[any]string{
			"": "reason is empty; give 1 to 1000 characters", " ": "reason is empty", strings.Repeat("x", 1001): "reason has 1001 characters; at most 1000",
			"a\nb": "reason has a control character", nil: "reason has to be a string", 7: "reason has to be a string",
		} {
			if got := b.do(http.MethodPost, path, map[string]any{"reason": reason}).want(http.StatusBadRequest); !strings.Contains(got.text, want) {
				t.Errorf("%v: %s", reason, got.text)
			}
		}
		b.do(http.MethodPost, path, map[string]any{}).want(http.StatusCreated)
		one := b.do(http.MethodPost, path, map[string]any{"reason": " Ticket 4711 "}).want(http.StatusCreated)
		b.do(http.MethodPost, path+"/"+one.str("id")+"/renew", map[string]any{"reason": "more"}).want(http.StatusBadRequest)
		events := b.do(http.MethodGet, "/admin/tenants/"+id+"/audit?limit=100", nil).want(http.StatusOK)
		if strings.Count(events.text, `"credential.open"`) != 2 || strings.Count(events.text, `"reason":"Ticket 4711"`) != 1 {
			t.Errorf("%s", events.text)
		}
	})
	t.Run("Required", func(t *testing.T) {
		b := setupWith(t, serverOptions{wrapService: func(s api.Service) api.Service { return as[*app.Services](s).WithRequiredReasons() }})
		path := "/admin/tenants/" + as[string](b.createActive(clinic())["id"]) + "/database-credentials"
		got := b.do(http.MethodPost, path, map[string]any{"ttlSeconds": 5}).want(http.StatusBadRequest)
		for _, text := range []string{"at least a minute", "reason is missing; say why the login is opened", "CREDENTIAL_REASON"} {
			if !strings.Contains(got.text, text) {
				t.Errorf("no %q in %s", text, got.text)
			}
		}
		one := b.do(http.MethodPost, path, map[string]any{"reason": strings.Repeat("ä", 1000)}).want(http.StatusCreated)
		b.do(http.MethodPost, path+"/"+one.str("id")+"/renew", map[string]any{}).want(http.StatusOK)
	})
}

func TestServer_TenantHealth(t *testing.T) {
	b := setup(t)
	id := as[string](b.createActive(clinic())["id"])
	got := b.do(http.MethodGet, "/admin/tenants/health?tenantId="+uuid.NewString()+","+id, nil).want(http.StatusOK)
	found := as[[]any](got.json["tenants"])
	if len(found) != 1 || as[map[string]any](found[0])["databaseState"] != "IN_SYNC" {
		t.Errorf("%s", got.text)
	}
	b.registry.Archive(0)
	if got := b.do(http.MethodGet, "/admin/tenants/health?tenantId="+id, nil).want(http.StatusOK); as[map[string]any](as[[]any](got.json["tenants"])[0])["databaseState"] != nil {
		t.Errorf("%s", got.text)
	}
	b.registry.Unarchive()
	b.do(http.MethodPost, "/admin/tenants/"+id+"/contract/reconcile", nil).want(http.StatusInternalServerError) // This server has no reconciler.
	if got := b.do(http.MethodGet, "/admin/tenants/health", nil).want(http.StatusBadRequest); !strings.Contains(got.text, "tenantId is missing") {
		t.Errorf("%s", got.text)
	}
	for _, ids := range []string{"", "x", id + ",", strings.Repeat(id+",", 100) + id} {
		b.do(http.MethodGet, "/admin/tenants/health?tenantId="+ids, nil).want(http.StatusBadRequest)
	}
	if got := b.do(http.MethodPost, "/admin/tenants/"+id+"/repair", nil).want(http.StatusOK); len(as[[]any](got.json["databaseDrift"])) != 0 {
		t.Errorf("%s", got.text)
	}
}
