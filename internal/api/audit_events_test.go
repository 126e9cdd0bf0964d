package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// TestServer_RegistryAudit: events without a tenant are listed for keys of scope admin that are for
// all tenants, and for no others.
func TestServer_RegistryAudit(t *testing.T) {
	t.Parallel()
	t.Run("Lists", func(t *testing.T) {
		b := setup(t)
		b.createActive(clinic())
		b.createKey("reader", access.ScopeRead)
		b.do(http.MethodGet, "/admin/tenants", nil, "Authorization", "Bearer wrong").want(http.StatusUnauthorized)
		b.waitFor("the rejection", func() bool { return b.handler.QueuedAuditEvents() == 0 })
		var all []string
		cursor := ""
		for range 10 {
			page := b.do(http.MethodGet, "/admin/audit?limit=1"+cursor, nil).want(http.StatusOK)
			for _, e := range as[[]any](page.json["events"]) {
				event := as[map[string]any](e)
				all = append(all, as[string](event["action"])+" "+as[string](event["outcome"]))
				if event["seq"] != float64(len(all)) || len(as[string](event["hash"])) != 64 {
					t.Errorf("%v", event)
				}
			}
			if page.json["nextCursor"] == nil {
				break
			}
			cursor = "&cursor=" + page.str("nextCursor")
		}
		if got := strings.Join(all, ", "); got != "apikey.create DONE, apikey.create DONE, request.list-tenants REJECTED" {
			t.Error(got)
		}
		b.do(http.MethodGet, "/admin/audit?cursor=x", nil).wantFieldErrors("cursor")
		b.do(http.MethodGet, "/admin/audit?limit=101", nil).wantFieldErrors("limit")
	})
	t.Run("RefusesNarrowedKeys", func(t *testing.T) {
		b := setup(t)
		key := b.createKeyOf(access.KeyRequest{Name: "narrowed", Scopes: []access.Scope{access.ScopeAdmin}, OnlyMetadata: tenant.MetadataFilter{"region": "eu"}})
		b.do(http.MethodGet, "/admin/audit", nil, "Authorization", "Bearer "+key).want(http.StatusForbidden)
	})
	// The registry chain is stored under that id.
	t.Run("NilIDIsNoTenant", func(t *testing.T) {
		b := setup(t)
		reader := b.createKey("reader", access.ScopeRead)
		narrowed := b.createKeyOf(access.KeyRequest{Name: "narrowed", Scopes: []access.Scope{access.ScopeAdmin}, OnlyMetadata: tenant.MetadataFilter{"region": "eu"}})
		for _, key := range []string{b.key, reader, narrowed} {
			for _, path := range []string{"", "/audit", "/events", "/provisioning-status"} {
				b.do(http.MethodGet, "/admin/tenants/"+uuid.Nil.String()+path, nil, "Authorization", "Bearer "+key).want(http.StatusNotFound)
			}
		}
	})
}
