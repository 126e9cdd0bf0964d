package api_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

const (
	appOrigin   = "https://app.platform.example"
	otherOrigin = "http://127.0.0.1:8080"
)

var invitationPaths = []string{"/invitations/inspect", "/invitations/accept", "/invitations/renew"}

func crossOrigin(o serverOptions) serverOptions {
	o.CORSOrigins = []string{appOrigin, otherOrigin}
	return o
}

// preflight asks as a browser does before a page's request. The document does not have OPTIONS.
func (b *testServer) preflight(path, origin, method, headers string) response {
	b.t.Helper()
	r := b.request(http.MethodOptions, path, nil, "Authorization", "", "Origin", origin,
		"Access-Control-Request-Method", method, "Access-Control-Request-Headers", headers)
	got, err := as[specTransport](b.client.Transport).next.RoundTrip(r)
	if err != nil {
		b.t.Fatal(err)
	}
	text, err := io.ReadAll(got.Body)
	if err := got.Body.Close(); err != nil {
		b.t.Error(err)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return response{t: b.t, status: got.StatusCode, header: got.Header, text: string(text)}
}

// fromPage posts as a page of an origin does.
func (b *testServer) fromPage(origin, path string, body any) response {
	b.t.Helper()
	return b.do(http.MethodPost, path, body, "Authorization", "", "Origin", origin)
}

// wantReadable fails the test unless a page of the origin can read the response.
func (a response) wantReadable(origin string) response {
	a.t.Helper()
	if got := a.header.Values("Access-Control-Allow-Origin"); len(got) != 1 || got[0] != origin {
		a.t.Errorf("%d is for %q, want %s", a.status, got, origin)
	}
	if vary := strings.Join(a.header.Values("Vary"), ","); !strings.Contains(vary, "Origin") {
		a.t.Errorf("%d varies by %q", a.status, vary)
	}
	if got := a.header.Get("Access-Control-Allow-Credentials"); got != "" {
		a.t.Errorf("%d is with credentials: %s", a.status, got)
	}
	return a
}

func (a response) wantUnreadable(what string) response {
	a.t.Helper()
	for name := range a.header {
		if strings.HasPrefix(name, "Access-Control-") {
			a.t.Errorf("%s: %d has %s: %s", what, a.status, name, a.header.Get(name))
		}
	}
	return a
}

func TestServer_CrossOrigin(t *testing.T) {
	t.Parallel()

	t.Run("AnswersPreflights", func(t *testing.T) {
		b := setupWith(t, crossOrigin(serverOptions{Options: api.Options{MaxConnections: 8, MaxProvisionStreams: 1, MaxEventStreams: 1}}))
		b.createActive(clinic())
		b.db.Close() // A preflight does without the database.
		for range 100 {
			for _, path := range invitationPaths {
				for _, origin := range []string{appOrigin, otherOrigin} {
					got := b.preflight(path, origin, http.MethodPost, "content-type").want(http.StatusNoContent).wantReadable(origin)
					for name, want := range map[string]string{"Methods": "POST", "Headers": "content-type"} {
						if value := got.header.Get("Access-Control-Allow-" + name); value != want {
							t.Fatalf("%s are %q", name, value)
						}
					}
					if age := got.header.Get("Access-Control-Max-Age"); age != "600" {
						t.Fatalf("it is remembered for %q", age)
					}
				}
			}
		}
	})
	t.Run("RefusesOtherPreflights", func(t *testing.T) {
		b := setupWith(t, crossOrigin(serverOptions{}))
		for _, origin := range []string{
			"", "null", "*", "https://evil.example", "http://app.platform.example", appOrigin + ":444", appOrigin + ".evil.example", appOrigin + "/", "https://evil.app.platform.example",
			"https://APP.platform.example", appOrigin + ", https://evil.example", "http://127.0.0.1:8081", "http://localhost:8080",
		} {
			b.preflight("/invitations/accept", origin, http.MethodPost, "content-type").want(http.StatusNoContent).wantUnreadable(origin)
		}
		for _, method := range []string{"GET", "PUT", "DELETE", "PATCH", "post"} {
			b.preflight("/invitations/accept", appOrigin, method, "").wantUnreadable(method)
		}
		for _, header := range []string{"authorization", "authorization,content-type", "x-forwarded-for", "*"} {
			b.preflight("/invitations/accept", appOrigin, http.MethodPost, header).wantUnreadable(header)
		}
	})
	t.Run("NoOtherOperation", func(t *testing.T) {
		b := setupWith(t, crossOrigin(serverOptions{}))
		paths := append(invitationPaths[:0:0], "/", "/invitation", "/invitations", "/invitations/", "/invitations/accept/", "//invitations/accept", "/docs", "/openapi.json")
		seen := 0
		for path, item := range as[map[string]any](loadSpec().document["paths"]) {
			if strings.HasPrefix(path, "/invitations/") {
				continue
			}
			seen++
			path = strings.NewReplacer("{id}", uuid.NewString(), "{jobId}", "1").Replace(path)
			paths = append(paths, path)
			for method := range as[map[string]any](item) {
				b.preflight(path, appOrigin, strings.ToUpper(method), "authorization,content-type").wantUnreadable(path)
			}
		}
		if seen < 12 {
			t.Errorf("only %d paths", seen)
		}
		for _, path := range paths {
			b.preflight(path, appOrigin, http.MethodPost, "content-type").wantUnreadable(path)
		}
		b.do(http.MethodGet, "/admin/tenants", nil, "Origin", appOrigin).want(http.StatusOK).wantUnreadable("a list of tenants")
		b.do(http.MethodGet, "/admin/tenants", nil, "Origin", appOrigin, "Authorization", "").want(http.StatusUnauthorized).wantUnreadable("a rejection")
	})
	t.Run("NoneByDefault", func(t *testing.T) {
		b := setup(t)
		b.preflight("/invitations/accept", appOrigin, http.MethodPost, "content-type").want(http.StatusMethodNotAllowed).wantUnreadable("a preflight")
		got := b.fromPage(appOrigin, "/invitations/inspect", map[string]any{"token": "x"}).want(http.StatusNotFound).wantUnreadable("an answer")
		if vary := got.header.Get("Vary"); vary != "" {
			t.Errorf("it varies by %s", vary)
		}
	})
	t.Run("FullWay", func(t *testing.T) {
		b := setupWith(t, crossOrigin(serverOptions{}))
		b.createActive(clinic())
		token := map[string]any{"token": b.invitationTokens()[0]}
		accept := map[string]any{"token": token["token"], "password": password}
		b.fromPage("https://evil.example", "/invitations/inspect", token).want(http.StatusOK).wantUnreadable("another origin's page")
		b.do(http.MethodPost, "/invitations/inspect", token, "Authorization", "").want(http.StatusOK).wantUnreadable("no page")
		b.fromPage(appOrigin, "/invitations/inspect", token).want(http.StatusOK).wantReadable(appOrigin)
		b.registry.ExpireInvitations()
		b.fromPage(appOrigin, "/invitations/accept", accept).want(http.StatusConflict).wantReadable(appOrigin)
		b.fromPage(otherOrigin, "/invitations/renew", token).want(http.StatusOK).wantReadable(otherOrigin)
		accept["token"] = b.invitationTokens()[1]
		b.fromPage(appOrigin, "/invitations/accept", accept).want(http.StatusOK).wantReadable(appOrigin)
	})
}

// inspectingService fails, or does not return, when an invitation is shown.
type inspectingService struct {
	api.Service
	begun   chan struct{}
	release chan struct{}
	panics  bool
}

func (s inspectingService) InspectInvitation(context.Context, string) (provisioning.InvitedView, error) {
	if s.panics {
		panic("while a page waits")
	}
	s.begun <- struct{}{}
	<-s.release
	return provisioning.InvitedView{}, errs.Errorf(errs.KindNotFound, "inspect invitation", "there is none")
}

// TestServer_CrossOrigin_Errors: a page can read every error, and when it may try again.
func TestServer_CrossOrigin_Errors(t *testing.T) {
	t.Parallel()
	known := map[string]any{"token": strings.Repeat("A", 43)}
	readable := func(a response, status int) response {
		t.Helper()
		a.want(status).wantReadable(appOrigin)
		if exposed := a.header.Get("Access-Control-Expose-Headers"); exposed != "Retry-After, X-Request-Id" {
			a.t.Errorf("%d exposes %q", status, exposed)
		}
		if retry := a.header.Get("Retry-After") != ""; retry != (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable) {
			a.t.Errorf("%d has Retry-After: %t", status, retry)
		}
		return a
	}

	t.Run("OfRequests", func(t *testing.T) {
		b := setupWith(t, crossOrigin(serverOptions{}))
		b.clock.stop() // The limits do not refill by themselves.
		b.createActive(clinic())
		path := "/invitations/inspect"
		readable(b.fromPage(appOrigin, path, map[string]any{"token": 7}), http.StatusBadRequest)
		readable(b.fromPage(appOrigin, path, `{`), http.StatusBadRequest)
		readable(b.fromPage(appOrigin, path, known), http.StatusNotFound)
		readable(b.fromPage(appOrigin, path, `{"token": "`+strings.Repeat("x", 1<<20)+`"}`), http.StatusRequestEntityTooLarge)
		readable(b.do(http.MethodPost, path, "x", "Authorization", "", "Origin", appOrigin, "Content-Type", "text/plain"), http.StatusUnsupportedMediaType)
		readable(b.fromPage(appOrigin, path+"?x=1", known), http.StatusBadRequest)
		valid := map[string]any{"token": b.invitationTokens()[0]}
		var got response
		for range 11 {
			got = b.fromPage(appOrigin, path, valid)
		}
		readable(got, http.StatusTooManyRequests) // For the token.
		for i := range 60 {
			got = b.fromPage(appOrigin, path, map[string]any{"token": fmt.Sprintf("%043d", i)})
		}
		readable(got, http.StatusTooManyRequests) // For the address, before the body is read.
		b.preflight(path, appOrigin, http.MethodPost, "content-type").want(http.StatusNoContent).wantReadable(appOrigin)
	})
	t.Run("OfDatabase", func(t *testing.T) {
		b := setupWith(t, crossOrigin(serverOptions{timeouts: api.Timeouts{Work: 500 * time.Millisecond}}))
		b.createActive(clinic())
		token := b.invitationTokens()[0]
		defer b.registry.LockInvitations()()
		readable(b.fromPage(appOrigin, "/invitations/accept", map[string]any{"token": token, "password": password}), http.StatusServiceUnavailable)
	})
	t.Run("OfSlowBody", func(t *testing.T) {
		b := setupWith(t, crossOrigin(serverOptions{timeouts: api.Timeouts{Read: 50 * time.Millisecond}}))
		got := b.sendRaw("POST /invitations/inspect HTTP/1.1\r\nHost: x\r\nOrigin: " + appOrigin + "\r\nContent-Type: application/json\r\nContent-Length: 90\r\n\r\n{")
		if !strings.HasPrefix(got, "HTTP/1.1 408 ") || !strings.Contains(got, "Access-Control-Allow-Origin: "+appOrigin+"\r\n") {
			t.Errorf("%q", got)
		}
	})
	t.Run("OfServerAtItsLimit", func(t *testing.T) {
		stuck := inspectingService{begun: make(chan struct{}), release: make(chan struct{})}
		b := setupWith(t, crossOrigin(serverOptions{
			timeouts:    api.Timeouts{Work: never},
			Options:     api.Options{MaxConnections: 8, MaxProvisionStreams: 1, MaxEventStreams: 1},
			wrapService: func(s api.Service) api.Service { stuck.Service = s; return stuck },
		}))
		b.client.CloseIdleConnections()
		as[*http.Transport](as[specTransport](b.client.Transport).next).DisableKeepAlives = true
		var all sync.WaitGroup
		for range 7 { // All but the one that is reserved.
			all.Go(func() { b.fromPage(appOrigin, "/invitations/inspect", known) })
			<-stuck.begun
		}
		readable(b.fromPage(appOrigin, "/invitations/accept", known), http.StatusServiceUnavailable)
		b.preflight("/invitations/accept", appOrigin, http.MethodPost, "content-type").want(http.StatusNoContent).wantReadable(appOrigin)
		close(stuck.release)
		all.Wait()
	})
	t.Run("OfPanic", func(t *testing.T) {
		b := setupWith(t, crossOrigin(serverOptions{wrapService: func(s api.Service) api.Service { return inspectingService{Service: s, panics: true} }}))
		readable(b.fromPage(appOrigin, "/invitations/inspect", known), http.StatusInternalServerError)
	})
}
