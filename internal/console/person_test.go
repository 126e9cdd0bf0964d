//go:build unix

package console_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// sessionCookie is the cookie of a session, as browsers know it.
const sessionCookie = "__Host-healthcare-session"

// sub runs a subtest on the site. Subtests of one site run one after the other.
func (s *site) sub(name string, test func(t *testing.T)) {
	outer := s.t
	outer.Run(name, func(t *testing.T) {
		s.t = t
		defer func() { s.t = outer }()
		test(t)
	})
}

// exec executes a statement as the database's superuser.
func (s *site) exec(statement string, args ...any) {
	s.t.Helper()
	if _, err := testenv.Connect(s.t, s.superuser()).Exec(s.t.Context(), statement, args...); err != nil {
		s.t.Fatal(err)
	}
}

// create queues a tenant with these inputs and returns its id.
func (s *site) create(inputs map[string]any) string {
	s.t.Helper()
	return as[string](s.call(http.MethodPost, "/admin/tenants", inputs)["tenantId"])
}

// superuser is the URL of the site's database for the server's superuser.
func (s *site) superuser() string { return testenv.SuperuserURL(s.t, s.database) }

// registry shows and changes the site's registry.
func (s *site) registry() *registrytest.Registry {
	s.t.Helper()
	return registrytest.Open(s.t, s.superuser())
}

// wantState fails the test if something has changed.
func (s *site) wantState(before string) {
	s.t.Helper()
	if now := s.registry().State(); now != before {
		s.t.Errorf("the state was\n%s\nand is\n%s", before, now)
	}
}

// person is somebody who uses the console over HTTP, as a browser without scripts does.
type person struct {
	*site
	session string // The value of the cookie. Empty: not signed in.
}

// page is an answer of the console.
type page struct {
	t      *testing.T
	what   string
	status int
	header http.Header
	text   string
}

// person signs in with a key.
func (s *site) person(key string) *person {
	s.t.Helper()
	p := &person{site: s}
	answer := p.post("/console/sign-in", url.Values{"key": {key}}).want(http.StatusSeeOther)
	for _, cookie := range (&http.Response{Header: answer.header}).Cookies() {
		if cookie.Name == sessionCookie {
			p.session = cookie.Value
		}
	}
	if p.session == "" {
		s.t.Fatalf("signed in without a session: %v", answer.header)
	}
	return p
}

// get reads a page. headers are pairs of name and value.
func (p *person) get(path string, headers ...string) page {
	p.t.Helper()
	return p.send(http.MethodGet, path, nil, headers...)
}

// post sends a form from a page of the console.
func (p *person) post(path string, form url.Values, headers ...string) page {
	p.t.Helper()
	return p.send(http.MethodPost, path, form, headers...)
}

// send sends a request and reads the whole answer. It follows no redirect.
func (p *person) send(method, path string, form url.Values, headers ...string) page {
	p.t.Helper()
	answer := p.begin(p.t.Context(), method, path, form, headers...)
	defer func() { _ = answer.Body.Close() }() // Only read.
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	return page{p.t, method + " " + path, answer.StatusCode, answer.Header, string(text)}
}

// begin sends a request and returns when the answer has begun.
func (p *person) begin(ctx context.Context, method, path string, form url.Values, headers ...string) *http.Response {
	p.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, p.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", p.url)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	if p.session != "" {
		r.Header.Set("Cookie", sessionCookie+"="+p.session)
	}
	for pair := range slices.Chunk(headers, 2) {
		if r.Header.Set(pair[0], pair[1]); pair[1] == "" {
			r.Header.Del(pair[0])
		}
	}
	answer, err := withoutRedirects.Do(r)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer
}

var withoutRedirects = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// want fails the test for another status.
func (a page) want(status int) page {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: %d, not %d: %v %s", a.what, a.status, status, a.header, a.main())
	}
	return a
}

// shows fails the test if a text is not on the page.
func (a page) shows(texts ...string) page {
	a.t.Helper()
	for _, text := range texts {
		if !strings.Contains(a.text, text) {
			a.t.Errorf("%s (%d) does not show %q: %s", a.what, a.status, text, a.main())
		}
	}
	return a
}

// lacks fails the test if a text is on the page.
func (a page) lacks(texts ...string) page {
	a.t.Helper()
	for _, text := range texts {
		if strings.Contains(a.text, text) {
			a.t.Errorf("%s (%d) shows %q: %s", a.what, a.status, text, a.main())
		}
	}
	return a
}

// main is what a page has besides its frame, for messages.
func (a page) main() string {
	_, inner, found := strings.Cut(a.text, "<main")
	if !found {
		return a.text
	}
	inner, _, _ = strings.Cut(inner, "</main>")
	return inner[:min(len(inner), 4000)]
}

// location is where a redirect leads.
func (a page) location() string { return a.header.Get("Location") }
