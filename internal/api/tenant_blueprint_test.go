package api_test

import (
	"net/http"
	"reflect"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
)

// wantErrors checks the fields and messages of a problem.
func (a response) wantErrors(status int, errors ...string) {
	a.t.Helper()
	a.want(status)
	var got []string
	for _, e := range as[[]any](a.json["errors"]) {
		entry := as[map[string]any](e)
		got = append(got, as[string](entry["field"])+" "+as[string](entry["message"]))
	}
	if !reflect.DeepEqual(got, errors) {
		a.t.Errorf("errors %q, want %q", got, errors)
	}
}

func TestServer_TenantBlueprint(t *testing.T) {
	t.Parallel()
	// setupClinic returns a server whose registry has the blueprint clinic, and a request for it.
	setupClinic := func(t *testing.T, o serverOptions) (*testServer, map[string]any) {
		t.Helper()
		b := setupWith(t, o)
		postgrestest.PublishBlueprint(t, b.db, postgrestest.ClinicBlueprint())
		body := clinic()
		body["blueprint"], body["variables"] = "clinic", map[string]any{"region": "eu"}
		return b, body
	}
	create := func(b *testServer, body any) string {
		b.t.Helper()
		return b.do(http.MethodPost, "/admin/tenants", body).want(http.StatusAccepted).str("tenantId")
	}

	t.Run("MakesAndShowsIt", func(t *testing.T) {
		b, body := setupClinic(t, serverOptions{worker: true})
		id := create(b, body)
		b.waitFor("the tenant is live", func() bool {
			return b.do(http.MethodGet, "/admin/tenants/"+id, nil).want(http.StatusOK).str("status") == "ACTIVE"
		})
		got := b.do(http.MethodGet, "/admin/tenants/"+id, nil)
		if got.str("blueprint") != "clinic" || got.json["blueprintRevision"] != 1.0 || got.json["schemaVersion"] != 1.0 || !reflect.DeepEqual(got.json["variables"], map[string]any{"region": "eu"}) {
			t.Errorf("%s", got.text)
		}
	})
	t.Run("HasNoRevisionBeforeTheSchema", func(t *testing.T) {
		b, body := setupClinic(t, serverOptions{})
		for name, body := range map[string]map[string]any{"clinic": body, "standard": clinicNamed("Other")} {
			got := b.do(http.MethodGet, "/admin/tenants/"+create(b, body), nil).want(http.StatusOK)
			revision, shown := got.json["blueprintRevision"]
			if got.str("blueprint") != name || !shown || revision != nil || got.json["schemaVersion"] != nil {
				t.Errorf("%s", got.text)
			}
		}
	})
	t.Run("AcceptsNull", func(t *testing.T) {
		b, _ := setupClinic(t, serverOptions{})
		body := clinic()
		body["blueprint"], body["variables"] = nil, nil
		got := b.do(http.MethodGet, "/admin/tenants/"+create(b, body), nil).want(http.StatusOK)
		if got.str("blueprint") != "standard" || !reflect.DeepEqual(got.json["variables"], map[string]any{}) {
			t.Errorf("%s", got.text)
		}
	})
	t.Run("RefusesWhatDoesNotFit", func(t *testing.T) {
		b, _ := setupClinic(t, serverOptions{})
		for _, c := range []struct {
			blueprint, variables any
			errors               []string
		}{
			{"clinik", nil, []string{`blueprint "clinik" is not published in this registry; publish it, or correct the name`}},
			{"Clinic", nil, []string{`blueprint is "Clinic"; write lower-case letters, digits, _ and -, the first a letter`}},
			{7, nil, []string{"blueprint has to be a string, not a number"}},
			{"clinic", map[string]any{"region": 7}, []string{"variables.region has to be a string, not a number"}},
			{"clinic", map[string]any{"region": "asia", "x": ""}, []string{
				`variables.region is "asia", which the pattern eu|us does not match; write a value that it matches`,
				`variables.x is no variable of the blueprint "clinic"; known are plan, region`}},
			{"clinic", "eu", []string{"variables has to be an object, not a string"}},
		} {
			body := clinic()
			body["blueprint"], body["variables"] = c.blueprint, c.variables
			b.do(http.MethodPost, "/admin/tenants", body).wantErrors(http.StatusBadRequest, c.errors...)
		}
		if n := b.registry.Count(); n != 0 {
			t.Errorf("%d tenants", n)
		}
	})
	t.Run("PatchesVariablesAlone", func(t *testing.T) {
		b, body := setupClinic(t, serverOptions{})
		path := "/admin/tenants/" + create(b, body)
		got := b.do(http.MethodPatch, path, map[string]any{"variables": map[string]any{"region": "us", "plan": "a'b"}}).want(http.StatusOK)
		if !reflect.DeepEqual(got.json["variables"], map[string]any{"region": "us", "plan": "a'b"}) || got.str("blueprint") != "clinic" {
			t.Errorf("%s", got.text)
		}
		got = b.do(http.MethodPatch, path, map[string]any{"blueprint": "clinic", "name": "Klinik"}).want(http.StatusOK)
		if got.str("name") != "Klinik" || as[map[string]any](got.json["variables"])["region"] != "us" {
			t.Errorf("%s", got.text)
		}
		id := path[len("/admin/tenants/"):]
		b.do(http.MethodPatch, path, map[string]any{"blueprint": "standard"}).wantErrors(http.StatusConflict,
			`blueprint is "standard", and tenant Klinik (`+id+`) was made from "clinic", which never changes; create another tenant, with a name and an external id of its own`)
		b.do(http.MethodPatch, path, map[string]any{"variables": nil}).wantErrors(http.StatusBadRequest, "variables.region has no value; give one (Where records may lie)")
		b.do(http.MethodPatch, path, map[string]any{"blueprint": nil}).wantErrors(http.StatusBadRequest, "blueprint has to be a string, not null")
	})
	t.Run("ListsByBlueprint", func(t *testing.T) {
		b, body := setupClinic(t, serverOptions{})
		first := create(b, body)
		body["name"] = "Clinic Two"
		second := create(b, body)
		create(b, clinicNamed("Standard"))
		path := "/admin/tenants?blueprint=clinic&limit=1"
		page := b.do(http.MethodGet, path, nil)
		next := page.str("nextCursor")
		if got := page.ids(); len(got) != 1 || got[0] != second || page.json["total"] != 2.0 {
			t.Errorf("%s", page.text)
		}
		if page := b.do(http.MethodGet, path+"&cursor="+next, nil); len(page.ids()) != 1 || page.ids()[0] != first {
			t.Errorf("%s", page.text)
		}
		b.do(http.MethodGet, "/admin/tenants?limit=1&cursor="+next, nil).want(http.StatusBadRequest) // Of another list.
		for query, want := range map[string]int{"name=clinic+two&blueprint=clinic": 1, "name=clinic+two&blueprint=standard": 0} {
			if got := b.do(http.MethodGet, "/admin/tenants?"+query, nil); len(got.ids()) != want {
				t.Errorf("%s: %s", query, got.text)
			}
		}
		b.do(http.MethodGet, "/admin/tenants?blueprint=A", nil).want(http.StatusBadRequest)
	})
}
