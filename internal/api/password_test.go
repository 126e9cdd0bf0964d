package api_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
)

const (
	password = "correct horse battery staple"
	another  = "Tr0ub4dor&3 is another one"
)

// passwordHash returns the hash of the admin's password in the tenant's schema.
func (b *testServer) passwordHash(tenant map[string]any) string {
	b.t.Helper()
	var hash string
	if err := b.db.Pool().QueryRow(b.t.Context(), `SELECT coalesce(password_hash, '') FROM `+as[string](tenant["schemaName"])+`.users`).Scan(&hash); err != nil {
		b.t.Fatal(err)
	}
	return hash
}

// assertNoPasswords searches for passwords in everything that other users can read.
func (b *testServer) assertNoPasswords(answers ...string) {
	b.t.Helper()
	output := b.log.String() + strings.Join(answers, "\n") + b.registry.Text()
	for _, part := range []string{"horse", "Tr0ub4dor", "[password]"} {
		if strings.Contains(output, part) {
			b.t.Errorf("%q is visible", part)
		}
	}
}

func TestServer_AdminPassword(t *testing.T) {
	t.Parallel()

	with := func(p any) map[string]any {
		body := clinic()
		body["adminPassword"] = p
		return body
	}

	t.Run("IsStoredAsHash", func(t *testing.T) {
		b := setup(t)
		tenant := b.createActive(with(password))
		if !postgrestest.Verifies(b.passwordHash(tenant), password) || b.registry.Tenant().PasswordHash != "" {
			t.Error("it is not what logs the admin in")
		}
		got := b.do(http.MethodGet, "/admin/tenants/"+as[string](tenant["id"]), nil).want(http.StatusOK)
		audit := b.do(http.MethodGet, "/admin/tenants/"+as[string](tenant["id"])+"/audit", nil).want(http.StatusOK)
		if _, there := got.json["adminPassword"]; there || strings.Contains(got.text+audit.text, "argon2") {
			t.Errorf("%s, %s", got.text, audit.text)
		}
		b.assertNoPasswords(got.text, audit.text)
	})

	t.Run("IsQueuedAsHash", func(t *testing.T) {
		b := setup(t)
		b.do(http.MethodPost, "/admin/tenants", with(password)).want(http.StatusAccepted)
		if !postgrestest.Verifies(b.registry.Tenant().PasswordHash, password) {
			t.Error("the worker has another one")
		}
		b.assertNoPasswords()
	})

	t.Run("NullMeansNoPassword", func(t *testing.T) {
		b := setup(t)
		b.do(http.MethodPost, "/admin/tenants", with(nil)).want(http.StatusAccepted)
		if b.registry.Tenant().PasswordHash != "" {
			t.Error("there is one")
		}
	})

	t.Run("IsRescued", func(t *testing.T) {
		b := setup(t)
		tenant := b.createActive(with(password))
		path := "/admin/tenants/" + as[string](tenant["id"])
		got := b.do(http.MethodPatch, path, map[string]any{"adminPassword": another}).want(http.StatusOK)
		if !postgrestest.Verifies(b.passwordHash(tenant), another) || as[float64](got.json["version"]) <= as[float64](tenant["version"]) {
			t.Errorf("%s", got.text)
		}
		if n := b.registry.Invitations(); n != 0 {
			t.Errorf("%d invitations", n)
		}
		b.do(http.MethodPatch, path, map[string]any{"name": "Hospital"}).want(http.StatusOK)
		if !postgrestest.Verifies(b.passwordHash(tenant), another) {
			t.Error("another change changed it")
		}
		audit := b.do(http.MethodGet, path+"/audit", nil).want(http.StatusOK)
		if !strings.Contains(audit.text, `"adminPassword":"set"`) {
			t.Errorf("%s", audit.text)
		}
		b.assertNoPasswords(got.text, audit.text)
	})

	t.Run("RejectsInvalidPassword", func(t *testing.T) {
		b := setup(t)
		path := "/admin/tenants/" + as[string](b.createActive(clinicNamed("Live"))["id"])
		for _, wrong := range []any{"", "horse", "horse\nbattery staple", strings.Repeat("horse", 60), "my ADA@clinic.example horse", 12345678901234, []string{password}, true} {
			got := b.do(http.MethodPost, "/admin/tenants", with(wrong)).wantFieldErrors("adminPassword")
			changed := b.do(http.MethodPatch, path, map[string]any{"adminPassword": wrong}).wantFieldErrors("adminPassword")
			b.assertNoPasswords(got.text, changed.text)
		}
		b.do(http.MethodPatch, path, map[string]any{"adminPassword": nil}).wantFieldErrors("adminPassword")
		body := with("short")
		body["name"], body["adminEmail"] = "x", "nobody"
		b.do(http.MethodPost, "/admin/tenants", body).wantFieldErrors("name", "adminEmail", "adminPassword")
		if n := b.registry.Count(); n != 1 {
			t.Errorf("%d tenants", n)
		}
	})

	t.Run("IsNotPartOfIdempotencyHash", func(t *testing.T) {
		b := setup(t)
		create := func(body any) response {
			t.Helper()
			return b.do(http.MethodPost, "/admin/tenants", body, "Idempotency-Key", "k1").want(http.StatusAccepted)
		}
		first := create(with(password))
		hash := b.registry.RequestHash()
		if again := create(with(another)); again.text != first.text || again.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s", again.text)
		}
		if !postgrestest.Verifies(b.registry.Tenant().PasswordHash, password) {
			t.Error("a replay changed it")
		}
		b.registry.ForgetRequests()
		b.registry.DeleteTenants()
		create(clinic())
		if b.registry.RequestHash() != hash {
			t.Error("the hash of the request depends on the password")
		}
		b.assertNoPasswords()
	})

	t.Run("IsWriteOnlyInSchema", func(t *testing.T) {
		t.Parallel()
		text, err := api.OpenAPI("test")
		if err != nil {
			t.Fatal(err)
		}
		var document map[string]any
		if err := json.Unmarshal(text, &document); err != nil {
			t.Fatal(err)
		}
		found := 0
		for name, schema := range as[map[string]any](child(document, "components", "schemas")) {
			property := child(schema, "properties", "adminPassword")
			if property == nil {
				continue
			}
			found++
			if !strings.HasSuffix(name, "Request") || child(property, "writeOnly") != true {
				t.Errorf("%s: %v", name, property)
			}
		}
		if found != 2 {
			t.Errorf("%d schemas have it", found)
		}
	})
}
