//go:build unix

package main_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestServe_Network: the server works with the settings of proxies and origins, and does not start
// with faulty ones.
func TestServe_Network(t *testing.T) {
	w := setup(t)
	w.env["CORS_ORIGINS"], w.env["TRUSTED_PROXIES"] = "https://*.platform.example", "127.0.0.0/0"
	if r := w.run("serve"); r.code == 0 || !strings.Contains(r.err, `CORS_ORIGINS has "https://*.platform.example"`) || !strings.Contains(r.err, `TRUSTED_PROXIES has "127.0.0.0/0", which trusts every address`) {
		t.Fatalf("it ended with %d: %s", r.code, r.err)
	}
	const origin = "https://app.platform.example"
	w.env["CORS_ORIGINS"], w.env["TRUSTED_PROXIES"] = origin, "127.0.0.1"
	p := w.start("", "serve")
	got := p.call(http.MethodPost, "/invitations/inspect", map[string]any{"token": "x"}, "Origin", origin, "X-Forwarded-For", "198.51.100.1, 203.0.113.5").want(t, http.StatusNotFound)
	if allowed := got.header.Get("Access-Control-Allow-Origin"); allowed != origin {
		t.Errorf("%q is allowed", allowed)
	}
	w.waitFor("the request is in the log", func() bool { return strings.Contains(p.log.String(), "address=203.0.113.5") })
}
