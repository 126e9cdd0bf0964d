package api_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func TestServer_RequestBodies(t *testing.T) {
	t.Parallel()
	const good = `"name":"Clinic","adminEmail":"ada@clinic.example","adminFirstName":"Ada","adminLastName":"Lovelace"`
	t.Run("RejectsAnythingButOneJSONObject", func(t *testing.T) {
		b := setup(t)
		for _, body := range []string{
			"", " ", "null", "[]", `"x"`, "1", "true", "{", "{" + good, "{" + good + "}}", "{" + good + "} x", "{" + good + "}{}", "{" + good + ",}", "{'name':1}", "\xef\xbb\xbf{}",
			"{" + good + `,"metadata":{"a":"` + "\xff" + `"}}`, `{"name":"` + "\xc3\x28" + `"}`, "{\"\xff\":1}", `{"name":"\ud800"}`, `{"name":"\udc00\ud800"}`, `{"\ud800":1}`, `{"name":"\ud83dx"}`,
			`{"name":"` + "a\nb" + `"}`, strings.Repeat(`{"a":`, 12000), strings.Repeat("[", 12000),
		} {
			got := b.do(http.MethodPost, "/admin/tenants", body).wantFieldErrors("body")
			if len(got.text) > 600 {
				t.Errorf("%d bytes of answer", len(got.text))
			}
		}
		b.do(http.MethodPost, "/admin/tenants", "{"+good+`,"metadata":{"a":"\ud83d\ude00\\ud800"}}`+"\r\n ").want(http.StatusAccepted)
	})
	t.Run("ReportsEachFieldOnce", func(t *testing.T) {
		b := setup(t)
		long := strings.Repeat("x", 256)
		for body, fields := range map[string][]string{
			`{}`: {"name", "adminEmail", "adminFirstName", "adminLastName"},
			`{"name":1,"adminEmail":true,"adminFirstName":null,"adminLastName":[]}`:                                                        {"name", "adminEmail", "adminFirstName", "adminLastName"},
			"{" + good + `,"name":"Other"}`:                                                                                                {"name"},
			"{" + good + `,"extra":1,"extra":2,"Name":"x"}`:                                                                                {"extra", "extra", "Name"},
			"{" + good + `,"id":"x","status":"ACTIVE"}`:                                                                                    {"id", "status"},
			"{" + good + `,"metadata":[]}`:                                                                                                 {"metadata"},
			"{" + good + `,"metadata":{"a":1,"b":null,"c":{},"c":"x","d":"x"}}`:                                                            {"metadata.a", "metadata.b", "metadata.c", "c"},
			"{" + good + `,"metadata":{"":"x"}}`:                                                                                           {"metadata"},
			"{" + good + `,"metadata":{"a":"\u0000"}}`:                                                                                     {"metadata"},
			"{" + good + `,"externalId":"","managedBy":"` + long + `"}`:                                                                    {"managedBy"},
			"{" + good + `,"externalId":"` + long + `","managedBy":"a\u0000"}`:                                                             {"externalId", "managedBy"},
			"{" + good + `,"externalId":1,"managedBy":{}}`:                                                                                 {"externalId", "managedBy"},
			`{"name":"ab","adminEmail":"x","adminFirstName":" ","adminLastName":"` + long + `","x":1}`:                                     {"x", "name", "adminEmail", "adminFirstName", "adminLastName"},
			`{"name":"---","adminEmail":"a@b@c.example","adminFirstName":"a\u0007","adminLastName":"a\u2028b"}`:                            {"name", "adminEmail", "adminFirstName", "adminLastName"},
			`{"name":"Clinic\u0000","adminEmail":"ada@clinic.example\r\nBcc: x@x.example","adminFirstName":"\n","adminLastName":"\u0000"}`: {"name", "adminEmail", "adminFirstName", "adminLastName"},
		} {
			got := b.do(http.MethodPost, "/admin/tenants", body)
			got.wantFieldErrors(fields...)
			if strings.Contains(got.text, long) {
				t.Errorf("the value is in the answer to %s", body)
			}
		}
		if n := b.registry.Count(); n != 0 {
			t.Errorf("%d tenants", n)
		}
	})
	t.Run("ErrorsNameProblemAndRemedy", func(t *testing.T) {
		b := setup(t)
		got := b.do(http.MethodPost, "/admin/tenants", `{"name":7,"adminEmail":"x","adminFirstName":"A","adminLastName":"L","phone":"1"}`).wantFieldErrors("name", "phone", "adminEmail")
		for _, words := range []string{"name has to be a string, not a number", "phone is not a field of this request; remove it", "adminEmail needs exactly one @"} {
			if !strings.Contains(got.str("detail"), words) {
				t.Errorf("%q is not in %q", words, got.str("detail"))
			}
		}
	})
	t.Run("LimitsNumberOfFieldErrors", func(t *testing.T) {
		b := setup(t)
		var body strings.Builder
		body.WriteString("{" + good)
		for i := range 5000 {
			fmt.Fprintf(&body, `,"f%d":1`, i)
		}
		got := b.do(http.MethodPost, "/admin/tenants", body.String()+"}").want(http.StatusBadRequest)
		if n := len(as[[]any](got.json["errors"])); n != 50 {
			t.Errorf("%d entries", n)
		}
		b.do(http.MethodPost, "/admin/tenants", "{"+good+`,"`+strings.Repeat("n", 5000)+`":1}`).wantFieldErrors(strings.Repeat("n", 64) + "…")
	})
	t.Run("RequiresJSONContentType", func(t *testing.T) {
		b := setup(t)
		for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "application/json; charset=latin1", "application/json+x;+", "a;b;c+", ";", "application/cbor", "json"} {
			b.do(http.MethodPost, "/admin/tenants", "{"+good+"}", "Content-Type", media).want(http.StatusUnsupportedMediaType)
		}
		b.do(http.MethodPost, "/admin/tenants", "{"+good+"}", "Content-Type", "application/merge-patch+json").want(http.StatusUnsupportedMediaType)
		b.do(http.MethodPost, "/admin/tenants", "{"+good+"}", "Content-Encoding", "gzip").want(http.StatusUnsupportedMediaType)
		r := b.request(http.MethodPost, "/admin/tenants", "{"+good+"}")
		r.Header["Content-Type"] = []string{"application/json", "text/plain"}
		b.send(r).want(http.StatusUnsupportedMediaType)
		b.do(http.MethodPost, "/admin/tenants", "{"+good+"}", "Content-Type", "Application/JSON;charset=UTF-8").want(http.StatusAccepted)
	})
	t.Run("LimitsBodySize", func(t *testing.T) {
		b := setupWith(t, serverOptions{Options: api.Options{MaxBody: 1000}})
		fill := func(n int) string { return "{" + good + "}" + strings.Repeat(" ", n-len(good)-2) }
		b.do(http.MethodPost, "/admin/tenants", fill(1001)).want(http.StatusRequestEntityTooLarge)
		r := b.request(http.MethodPost, "/admin/tenants", nil, "Content-Type", "application/json")
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(fill(1001))), -1 // In chunks, of unknown size.
		b.send(r).want(http.StatusRequestEntityTooLarge)
		b.do(http.MethodPost, "/admin/tenants/x/retry", strings.Repeat("x", 1001)).want(http.StatusRequestEntityTooLarge)
		b.do(http.MethodPost, "/admin/tenants", fill(1000)).want(http.StatusAccepted)
	})
	t.Run("DiscardsUnexpectedBody", func(t *testing.T) {
		b := setup(t)
		b.do(http.MethodGet, "/admin/tenants", "not read").want(http.StatusOK)
		id := as[string](b.createActive(clinic())["id"])
		b.do(http.MethodDelete, "/admin/tenants/"+id, "{}").want(http.StatusOK)
		b.do(http.MethodPost, "/admin/tenants/"+id+"/unarchive", map[string]any{}).want(http.StatusOK)
	})
	t.Run("TimesOutSlowBody", func(t *testing.T) {
		b := setupWith(t, serverOptions{timeouts: api.Timeouts{Read: 50 * time.Millisecond}})
		head := fmt.Sprintf("POST /admin/tenants HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n", b.key)
		for name, c := range map[string]struct{ request, answer string }{
			"silent":      {head + "Content-Length: 50\r\n\r\n{", "HTTP/1.1 408 "},
			"chunked":     {head + "Transfer-Encoding: chunked\r\n\r\n3\r\n{\"n", "HTTP/1.1 408 "},
			"broken":      {head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 400 "},
			"no call":     {strings.Replace(head, "POST /admin", "POST /nowhere", 1) + "Content-Length: 5\r\n\r\n", "HTTP/1.1 404 "},
			"no key":      {strings.Replace(head, "Bearer", "Nobody", 1) + "Content-Length: 5\r\n\r\n", "HTTP/1.1 401 "},
			"no such end": {head + "Content-Length: 50\r\nConnection: close\r\n\r\n", "HTTP/1.1 408 "},
		} {
			got := b.sendRaw(c.request)
			if !strings.HasPrefix(got, c.answer) || !strings.Contains(got, "application/problem+json") {
				t.Errorf("%s: %s", name, got)
			}
		}
	})
	t.Run("WorkTimeoutExceedsBodyTimeout", func(t *testing.T) {
		b := setupWith(t, serverOptions{timeouts: api.Timeouts{Read: 30 * time.Millisecond}})
		began := time.Now()
		b.deployer.setDeploy(func(context.Context, tenant.Tenant) error {
			b.waitFor("the time for a body is over", func() bool { return time.Since(began) > 100*time.Millisecond })
			return nil
		})
		b.createActive(clinic())
	})
}

// sendRaw sends bytes and returns everything that the server sends until it closes.
func (b *testServer) sendRaw(request string) string {
	b.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(b.t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, request); err != nil {
		b.t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		b.t.Fatal(err)
	}
	var got bytes.Buffer
	if _, err := io.Copy(&got, conn); err != nil && !strings.Contains(err.Error(), "reset") {
		b.t.Errorf("%v after %q", err, got.String())
	}
	return got.String()
}
