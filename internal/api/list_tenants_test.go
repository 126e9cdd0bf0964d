package api_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
)

// createTenants records tenants, newest last.
func (b *testServer) createTenants(n int) []string {
	b.t.Helper()
	ids := make([]string, n)
	for i := range ids {
		body := clinicNamed(fmt.Sprintf("Clinic %02d", i))
		body["adminEmail"] = fmt.Sprintf("admin%02d@clinic.example", i)
		ids[i] = b.do(http.MethodPost, "/admin/tenants", body).want(http.StatusAccepted).str("tenantId")
	}
	return ids
}

func (a response) ids() []string {
	a.t.Helper()
	a.want(http.StatusOK)
	ids := []string{}
	for _, v := range as[[]any](a.json["tenants"]) {
		ids = append(ids, as[string](as[map[string]any](v)["id"]))
	}
	return ids
}

func TestServer_ListTenants(t *testing.T) {
	t.Parallel()
	t.Run("EmptyList", func(t *testing.T) {
		b := setup(t)
		got := b.do(http.MethodGet, "/admin/tenants", nil)
		if len(got.ids()) != 0 || got.json["total"] != 0.0 || got.json["nextCursor"] != nil {
			t.Errorf("%s", got.text)
		}
	})
	t.Run("PaginatesNewestFirst", func(t *testing.T) {
		b := setup(t)
		ids := b.createTenants(5)
		var seen []string
		path, pages := "/admin/tenants?limit=2", 0
		for cursor := ""; ; pages++ {
			got := b.do(http.MethodGet, path+cursor, nil)
			seen = append(seen, got.ids()...)
			if got.json["total"] != 5.0 {
				t.Errorf("total %v", got.json["total"])
			}
			next, more := got.json["nextCursor"].(string)
			if !more {
				break
			}
			cursor = "&cursor=" + next
		}
		if pages != 2 || len(seen) != 5 {
			t.Fatalf("%d pages, %v", pages+1, seen)
		}
		for i := range ids {
			if seen[i] != ids[4-i] {
				t.Errorf("%v, recorded %v", seen, ids)
				break
			}
		}
		first := as[map[string]any](as[[]any](b.do(http.MethodGet, "/admin/tenants", nil).json["tenants"])[0])
		if len(first) != 5 || first["name"] != "Clinic 04" || first["status"] != "PENDING" || first["adminEmail"] != "admin04@clinic.example" || first["createdAt"] == nil {
			t.Errorf("%v", first)
		}
	})
	t.Run("FiltersByStatusAndText", func(t *testing.T) {
		b := setup(t)
		ids := b.createTenants(3)
		b.registry.Fail(ids[1])
		if got := b.do(http.MethodGet, "/admin/tenants?status=FAILED", nil); len(got.ids()) != 1 || got.ids()[0] != ids[1] || got.json["total"] != 1.0 {
			t.Errorf("%s", got.text)
		}
		if got := b.do(http.MethodGet, "/admin/tenants?q=ADMIN02", nil); len(got.ids()) != 1 || got.ids()[0] != ids[2] {
			t.Errorf("%s", got.text)
		}
		if got := b.do(http.MethodGet, "/admin/tenants?q=", nil); len(got.ids()) != 3 {
			t.Errorf("%s", got.text)
		}
		if got := b.do(http.MethodGet, "/admin/tenants?q=%25", nil); len(got.ids()) != 0 {
			t.Errorf("%s", got.text)
		}
	})
	t.Run("FindsOneByNameOrExternalID", func(t *testing.T) {
		b := setup(t)
		body := clinic()
		body["externalId"] = "crm/1 ä"
		id := b.do(http.MethodPost, "/admin/tenants", body).want(http.StatusAccepted).str("tenantId")
		b.createTenants(2)
		for query, found := range map[string]bool{
			"name=clinic": true, "name=+CLINIC+": true, "name=Clini": false, "externalId=" + url.QueryEscape("crm/1 ä"): true, "externalId=crm": false,
			"name=clinic&status=PENDING": true, "name=clinic&status=ACTIVE": false, "name=clinic&q=LINI": true, "name=clinic&q=ada@": true, "name=clinic&q=other": false,
			"name=clinic&externalId=" + url.QueryEscape("crm/1 ä"): true, "name=Clinic+00&externalId=" + url.QueryEscape("crm/1 ä"): false, "name=clinic&limit=1": true,
		} {
			got := b.do(http.MethodGet, "/admin/tenants?"+query, nil)
			switch ids := got.ids(); {
			case found && (len(ids) != 1 || ids[0] != id || got.json["total"] != 1.0), !found && (len(ids) != 0 || got.json["total"] != 0.0), got.json["nextCursor"] != nil:
				t.Errorf("%s: %s", query, got.text)
			}
		}
	})
	t.Run("FiltersByMetadataManagerAndTime", func(t *testing.T) {
		b := setup(t)
		var ids []string
		for i, metadata := range []map[string]string{{"region": "eu", "tier": "1"}, {"region": "eu", "tier": "2", "a.b c": ""}, {"region": "us"}} {
			body := clinicNamed(fmt.Sprintf("Clinic %d", i))
			body["metadata"], body["managedBy"] = metadata, []string{"terraform/a", "terraform/b", "terraform/b"}[i]
			ids = append(ids, b.do(http.MethodPost, "/admin/tenants", body).want(http.StatusAccepted).str("tenantId"))
		}
		b.registry.SetHold("Clinic 2")
		b.registry.SetBehind("Clinic 0")
		second := b.do(http.MethodGet, "/admin/tenants/"+ids[1], nil).want(http.StatusOK).str("createdAt")
		for query, want := range map[string]string{
			"metadata.region=eu":                                 "1 0",
			"metadata.region=eu&metadata.tier=1":                 "0",
			"metadata.region=EU":                                 "",
			"metadata.a.b%20c=":                                  "1",
			"metadata.none=":                                     "",
			"metadata.region=us&status=PENDING&q=clinic":         "2",
			"managedBy=terraform/b":                              "2 1",
			"managedBy=terraform/b&metadata.region=eu&view=full": "1",
			"createdAfter=" + second:                             "2",
			"createdBefore=" + second:                            "0",
			"createdAfter=2020-01-01T00:00:00%2B02:00&createdBefore=" + second: "0",
			"name=clinic%201&metadata.tier=2&managedBy=terraform/b":            "1",
			"name=clinic%201&metadata.tier=1":                                  "",
			"name=clinic%201&managedBy=x":                                      "",
			"suspended=true":                                                   "",
			"suspended=false":                                                  "2 1 0",
			"held=true":                                                        "2",
			"held=false":                                                       "1 0",
			"name=clinic%202&held=true":                                        "2",
			"name=clinic%202&held=false":                                       "",
			"name=clinic%201&createdAfter=" + second:                           "",
			"behind=true":                                                      "0",
			"behind=true&view=full&metadata.region=eu":                         "0",
			"behind=true&status=PENDING":                                       "",
			"behind=false":                                                     "2 1",
			"name=clinic%200&behind=true":                                      "0",
			"name=clinic%200&behind=false":                                     "",
			"name=clinic%201&behind=true":                                      "",
			"name=clinic%201&behind=false":                                     "1",
			"name=clinic%200&behind=true&q=other":                              "",
		} {
			var got []string
			for path := "/admin/tenants?limit=1&" + query; path != ""; {
				page := b.do(http.MethodGet, path, nil)
				for _, id := range page.ids() {
					got = append(got, strconv.Itoa(slices.Index(ids, id)))
				}
				path = ""
				if next, more := page.json["nextCursor"].(string); more {
					path = "/admin/tenants?limit=1&" + query + "&cursor=" + next
				}
			}
			if strings.Join(got, " ") != want {
				t.Errorf("%s: %v, want %s", query, got, want)
			}
		}
		cursor := b.do(http.MethodGet, "/admin/tenants?limit=1&metadata.region=eu", nil).want(http.StatusOK).str("nextCursor")
		for _, foreign := range []string{"", "&metadata.region=us", "&metadata.region=eu&metadata.tier=1", "&metadata.region=eu&managedBy=terraform/b", "&metadata.region=eu&held=false", "&metadata.region=eu&behind=false", "&metadata.region=eu&createdAfter=2020-01-01T00:00:00Z"} {
			b.do(http.MethodGet, "/admin/tenants?limit=1&cursor="+cursor+foreign, nil).wantFieldErrors("cursor")
		}
		for query, field := range map[string]string{
			"metadata.region=eu&metadata.region=us": "metadata.region", "metadata=eu": "metadata", "metadatax=eu": "metadatax", "metadata.a=%00": "metadata.a",
			"metadata.a=" + strings.Repeat("x", 1025): "metadata.a", "metadata.=a": "metadata", "metadata." + strings.Repeat("k", 64) + "=a": "metadata",
			"createdAfter=yesterday": "createdAfter", "held=1": "held", "suspended=1": "suspended", "behind=1": "behind", "createdBefore=2026-01-31": "createdBefore", "managedBy=": "managedBy", "metadata.%FF=a": "metadata.\ufffd",
		} {
			b.do(http.MethodGet, "/admin/tenants?"+query, nil).wantFieldErrors(field)
		}
	})
	t.Run("RejectsForeignCursors", func(t *testing.T) {
		b := setup(t)
		b.createTenants(3)
		cursor := b.do(http.MethodGet, "/admin/tenants?limit=1&q=clinic", nil).want(http.StatusOK).str("nextCursor")
		good := "/admin/tenants?limit=2&q=clinic&cursor="
		b.do(http.MethodGet, good+cursor, nil).want(http.StatusOK)
		raw, err := base64.RawURLEncoding.DecodeString(cursor)
		if err != nil {
			t.Fatal(err)
		}
		for i := range raw {
			changed := append([]byte{}, raw...)
			changed[i] ^= 0x10
			b.do(http.MethodGet, good+base64.RawURLEncoding.EncodeToString(changed), nil).wantFieldErrors("cursor")
		}
		for _, odd := range []string{"x", cursor[:len(cursor)-1], cursor + "A", cursor + "%3D", strings.Repeat("A", 44), "%2e%2e", strings.Repeat("A", 129)} {
			b.do(http.MethodGet, good+odd, nil).wantFieldErrors("cursor")
		}
		for _, foreign := range []string{"limit=1&cursor=" + cursor, "q=clinic&status=PENDING&cursor=" + cursor, "q=CLINIC&cursor=" + cursor, "name=clinic&cursor=" + cursor} {
			b.do(http.MethodGet, "/admin/tenants?"+foreign, nil).wantFieldErrors("cursor")
		}
	})
	t.Run("ConcurrentRejectionsAreIndependent", func(t *testing.T) {
		b := setup(t)
		var all sync.WaitGroup
		for range 32 { // The transport compares the request id of each problem with its header.
			all.Go(func() { b.do(http.MethodGet, "/admin/tenants?cursor=x", nil).wantFieldErrors("cursor") })
		}
		all.Wait()
	})
	t.Run("RejectsInvalidParameters", func(t *testing.T) {
		b := setup(t)
		for query, fields := range map[string][]string{
			"limit=0": {"limit"}, "limit=101": {"limit"}, "limit=x": {"limit"}, "limit=1.5": {"limit"}, "limit=": {"limit"}, "limit=99999999999999999999": {"limit"}, "limit": {"limit"},
			"limit=1&limit=2": {"limit"}, "status=LIVE": {"status"}, "status=active": {"status"}, "status=": {"status"}, "name=": {"name"}, "cursor=": {"cursor"},
			"offset=1": {"offset"}, "b=1&a=1": {"a", "b"}, "limit=0&status=x&z=1": {"z", "status", "limit"}, "q=%00": {"q"}, "q=%0a": {"q"}, "name=%00": {"name"}, "externalId=%7f": {"externalId"},
			"q=%ff": {"q"}, "name=%c3%28": {"name"}, "q=%zz": {"query"}, "q=1;limit=2": {"query"}, "q=" + strings.Repeat("x", 256): {"q"}, "%ff=1": {"\uFFFD"}, "Limit=1": {"Limit"},
			strings.Repeat("x", 100) + "=1": {strings.Repeat("x", 64) + "…"},
		} {
			b.do(http.MethodGet, "/admin/tenants?"+query, nil).wantFieldErrors(fields...)
		}
		b.do(http.MethodGet, "/admin/tenants?limit=100&q="+strings.Repeat("%C3%A4", 255), nil).want(http.StatusOK)
		b.do(http.MethodGet, "/admin/tenants/"+uuid.NewString()+"?verbose=1", nil).wantFieldErrors("verbose")
	})
}
