//go:build unix

package main_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/oidctest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/console/signin"
)

// rotateConsoleClient: after a restart, people sign in with the new secret of the client; who is signed in stays so.
func rotateConsoleClient(t *testing.T) {
	w := setup(t)
	issuer := oidctest.New(t)
	const address = "http://127.0.0.1:3000" // As browsers know the server.
	client := oidctest.Client{ID: "console", Secret: "first", RedirectURL: address + signin.CallbackPath, Scope: "openid profile"}
	issuer.SetClient(client)
	w.env[config.OIDCIssuer], w.env[config.OIDCAudience] = issuer.URL, "tenant-api"
	w.env[config.ConsoleURL], w.env[config.ConsoleOIDCClientID] = address, client.ID
	write := w.secretFile(config.ConsoleOIDCClientSecret, client.Secret)
	server := w.start("", "serve")
	session := server.signIn(http.StatusOK)

	client.Secret = "second"
	issuer.SetClient(client)
	server.signIn(http.StatusUnauthorized)
	write(client.Secret)
	server.terminate()
	next := w.start("", "serve")
	next.signIn(http.StatusOK)
	if answer := next.visit(next.url+"/console/tenants", session); answer.status != http.StatusOK {
		t.Errorf("the session of before is answered with %d", answer.status)
	}
}

// visited is the answer of a page, without its body.
type visited struct {
	status   int
	location string
	cookies  []*http.Cookie
}

// visit gets a page with cookies and follows no redirect.
func (p *process) visit(address, cookies string) visited {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Cookie", cookies)
	return p.ask(r)
}

// ask sends a request and follows no redirect.
func (p *process) ask(r *http.Request) visited {
	p.t.Helper()
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = answer.Body.Close()
	return visited{answer.StatusCode, answer.Header.Get("Location"), answer.Cookies()}
}

// signIn signs Ada Lovelace in at the issuer, and expects a status at the end. It returns the cookie of the session.
func (p *process) signIn(want int) (session string) {
	p.t.Helper()
	begun := p.visit(p.url+"/console/sign-in/oidc", "")
	back := p.visit(begun.location, "")
	callback, err := url.Parse(back.location)
	if err != nil || len(begun.cookies) != 1 {
		p.t.Fatalf("%v, %d, cookies %v", err, begun.status, begun.cookies)
	}
	attempt := begun.cookies[0]
	done := p.visit(p.url+callback.RequestURI(), attempt.Name+"="+attempt.Value)
	if done.status != want {
		p.t.Fatalf("the sign-in ended with %d, want %d", done.status, want)
	}
	for _, c := range done.cookies {
		if strings.HasSuffix(c.Name, "-session") {
			session = c.Name + "=" + c.Value
		}
	}
	if (session != "") != (want == http.StatusOK) {
		p.t.Errorf("a sign-in with %d has the cookies %v", done.status, done.cookies)
	}
	return session
}
