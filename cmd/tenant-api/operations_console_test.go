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
	if answer := next.visit(next.url+"/console/tenants", session); answer.StatusCode != http.StatusOK {
		t.Errorf("the session of before is answered with %s", answer.Status)
	}
}

// visit gets a page with cookies and follows no redirect. The body is not read.
func (p *process) visit(address, cookies string) *http.Response {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Cookie", cookies)
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	_ = answer.Body.Close()
	return answer
}

// signIn signs Ada Lovelace in at the issuer, and expects a status at the end. It returns the cookie of the session.
func (p *process) signIn(want int) (session string) {
	p.t.Helper()
	begun := p.visit(p.url+"/console/sign-in/oidc", "")
	back := p.visit(begun.Header.Get("Location"), "")
	callback, err := url.Parse(back.Header.Get("Location"))
	if err != nil || len(begun.Cookies()) != 1 {
		p.t.Fatalf("%v, %s, cookies %v", err, begun.Status, begun.Cookies())
	}
	attempt := begun.Cookies()[0]
	done := p.visit(p.url+callback.RequestURI(), attempt.Name+"="+attempt.Value)
	if done.StatusCode != want {
		p.t.Fatalf("the sign-in ended with %s, want %d", done.Status, want)
	}
	for _, c := range done.Cookies() {
		if strings.HasSuffix(c.Name, "-session") {
			session = c.Name + "=" + c.Value
		}
	}
	if (session != "") != (want == http.StatusOK) {
		p.t.Errorf("a sign-in with %s has the cookies %v", done.Status, done.Cookies())
	}
	return session
}
