//go:build unix

// Package pagetest serves the example of a platform's own page for invitations, from an origin of
// its own, and drives it in a browser. It knows the page alone: the tenant-api that the page calls,
// and the mail with the link, are the test's.
package pagetest

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// exampleAPI is the line of the example with the address of tenant-api, which users change, too.
const exampleAPI = `const tenantAPI = "http://127.0.0.1:3000"`

// Site is a platform on a port of its own: the page for invitations at /, and the application at
// AppURL.
type Site struct {
	Origin string // http://127.0.0.1:PORT.

	mu       sync.Mutex
	api      string
	requests []string
}

// Serve serves examples/invitation until the test ends. Its page calls the tenant-api that SetAPI
// names: a tenant-api has to know the site's origin before it starts.
func Serve(t testing.TB) *Site {
	t.Helper()
	root, err := testenv.Root()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "examples", "invitation")
	script, err := os.ReadFile(filepath.Join(dir, "invitation.js"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(script), exampleAPI); n != 1 {
		t.Fatalf("invitation.js has the line %s %d times", exampleAPI, n)
	}
	s := &Site{}
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir(dir)))
	mux.HandleFunc("GET /invitation.js", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/javascript")
		s.mu.Lock()
		defer s.mu.Unlock()
		_, _ = strings.NewReplacer(exampleAPI, `const tenantAPI = "`+s.api+`"`).WriteString(w, string(script))
	})
	mux.HandleFunc("GET /app/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><title>App</title><p>Sign in</p>`))
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.RequestURI+" "+r.Referer())
		s.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.Origin = server.URL
	return s
}

// SetAPI sets the base address of the tenant-api that the page calls from its next load on.
func (s *Site) SetAPI(url string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.api = url
}

// InvitationURL is the address of the page.
func (s *Site) InvitationURL() string { return s.Origin + "/" }

// AppURL is the base address of the application.
func (s *Site) AppURL() string { return s.Origin + "/app" }

// Link is the link of a mail with this token.
func (s *Site) Link(token string) string { return s.InvitationURL() + "#invitation=" + token }

// Requests are the addresses that browsers asked the site for, each with its Referer.
func (s *Site) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}
