package api_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
)

// never is the value of a timeout that must not be what ends a wait.
const never = time.Hour

// dial opens a connection that the test closes at its end.
func (b *testServer) dial() net.Conn {
	b.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(b.t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// TestServer_UnreadBody: no response waits for a body that its operation does not read, and
// the connection does not wait for it afterwards.
func TestServer_UnreadBody(t *testing.T) {
	t.Parallel()
	t.Run("OfEveryOperationWithoutBody", func(t *testing.T) {
		b := setupWith(t, serverOptions{timeouts: api.Timeouts{Read: never}})
		id := as[string](b.createActive(clinic())["id"])
		seen := 0
		for path, item := range as[map[string]any](loadSpec().document["paths"]) {
			for method, operation := range as[map[string]any](item) {
				if child(operation, "operationId") == nil || child(operation, "requestBody") != nil {
					continue
				}
				seen++
				if child(operation, "operationId") == "stream-all-events" {
					path += "?unknown=1" // Refused: its response does not end.
				}
				path := strings.NewReplacer("{id}", id, "{jobId}", "1", "{credentialId}", uuid.NewString()).Replace(path)
				for _, length := range []string{"Content-Length: 5", "Transfer-Encoding: chunked"} {
					got := b.sendRaw(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s\r\n\r\n", strings.ToUpper(method), path, b.key, length))
					if !strings.HasPrefix(got, "HTTP/1.1 ") || !strings.Contains(got, "Connection: close") || strings.HasPrefix(got, "HTTP/1.1 408 ") {
						t.Errorf("%s %s, %s: %q", method, path, length, got)
					}
				}
			}
		}
		if seen < 12 {
			t.Errorf("%d operations", seen)
		}
	})
	t.Run("OfRejectedRequests", func(t *testing.T) {
		b := setupWith(t, serverOptions{timeouts: api.Timeouts{Read: never}})
		reader := b.createKey("reader", access.ScopeRead)
		for _, c := range []struct{ start, key, status string }{
			{"POST /admin/tenants", "", "401"},
			{"POST /admin/tenants", reader, "403"},
			{"POST /nowhere", "", "404"},
			{"PUT /admin/tenants", b.key, "405"},
			{"POST /admin/tenants?x=1", b.key, "400"},
			{"GET /openapi.json", "", "200"},
			{"GET /docs", "", "200"},
		} {
			for _, body := range []string{"Content-Length: 5\r\n\r\n", "Content-Length: 60000\r\n\r\n{", "Content-Length: 1000000\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n3\r\n{\"n"} {
				got := b.sendRaw(c.start + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + c.key + "\r\nContent-Type: application/json\r\n" + body)
				if !strings.HasPrefix(got, "HTTP/1.1 "+c.status) || !strings.Contains(got, "Connection: close") {
					t.Errorf("%+v: %q", c, got[:min(len(got), 300)])
				}
			}
		}
	})
	t.Run("KeepsConnectionWithoutBody", func(t *testing.T) {
		b := setup(t)
		conn := b.dial()
		const once = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
		if _, err := io.WriteString(conn, once+once+strings.Replace(once, "Host", "Connection: close\r\nHost", 1)); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		got, err := io.ReadAll(conn)
		if n := strings.Count(string(got), "HTTP/1.1 200 OK"); n != 3 || err != nil {
			t.Errorf("%d responses: %q, %v", n, got, err)
		}
	})
	t.Run("TakesNoConnectionFromOthers", func(t *testing.T) {
		b := setupWith(t, serverOptions{
			timeouts: api.Timeouts{Read: never},
			Options:  api.Options{MaxConnections: 8, MaxProvisionStreams: 1, MaxEventStreams: 1},
		})
		as[*http.Transport](as[specTransport](b.client.Transport).next).DisableKeepAlives = true
		for i := range 200 {
			if _, err := io.WriteString(b.dial(), "GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			if i%50 == 49 {
				b.do(http.MethodGet, "/livez", nil).want(http.StatusOK)
				b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusOK)
			}
		}
	})
}
