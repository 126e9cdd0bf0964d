package signin_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/proxies"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/console/signin"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// The cookies, as browsers know them.
const (
	sessionCookie = "__Host-healthcare-session"
	attemptCookie = "__Host-healthcare-signin"
)

// site is a server of the console with a registry of its own. Its pages answer with JSON.
type site struct {
	t        *testing.T
	db       *postgres.DB
	registry *registrytest.Registry
	auth     *auth.Authenticator
	manager  *signin.Manager
	server   *httptest.Server
	log      *bytes.Buffer
}

// options are those in which a test differs from the default.
type options struct {
	signin.Options
	oidc          auth.OIDC
	sessions      access.SessionStore // Of the authenticator.
	maxRejections int
}

// stopClock stops the time of all limits of requests.
func stopClock(o *options) { o.Clock = stoppedClock{at: time.Now()} }

type stoppedClock struct {
	clock.System
	at time.Time
}

func (c stoppedClock) Now() time.Time { return c.at }

func setup(t *testing.T, change ...func(*options)) *site {
	t.Helper()
	t.Parallel()
	return open(t, change...)
}

// open is setup for a second site of a test.
func open(t *testing.T, change ...func(*options)) *site {
	t.Helper()
	url := testenv.Database(t)
	s := &site{t: t, log: &bytes.Buffer{}, registry: registrytest.Open(t, url)}
	var err error
	if s.db, err = postgres.Open(t.Context(), pgdb.Options{URL: url}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.db.Close)
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	s.server.EnableHTTP2 = false
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	o := options{maxRejections: 60, sessions: s.db.Sessions, Options: signin.Options{
		Sessions: s.db.Sessions, IdleTimeout: 30 * time.Minute, TTL: 12 * time.Hour, Logger: slog.New(slog.NewTextHandler(&lockedWriter{w: s.log}, nil)),
		OIDC:            signin.OIDC{URL: s.server.URL},
		RecordRejection: func(e audit.Event) { _ = s.db.Record(t.Context(), e) },
		TrustedProxies:  proxies.Trusted{}, Clock: clock.System{},
	}}
	for _, f := range change {
		f(&o)
	}
	s.auth = auth.New(auth.Options{
		Keys: s.db.APIKeys, Sessions: o.sessions, OIDC: o.oidc, MaxRejections: o.maxRejections, Clock: o.Clock, Logger: slog.New(slog.DiscardHandler),
	})
	o.Authenticator = s.auth
	if s.manager, err = signin.New(o.Options); err != nil {
		t.Fatal(err)
	}
	return s
}

// lockedWriter is for a log that several requests write.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

// serve is a console without pages.
func (s *site) serve(w http.ResponseWriter, r *http.Request) {
	var (
		answer = map[string]any{}
		err    error
	)
	switch r.URL.Path {
	case "/console":
		var id auth.Identity
		var token config.Secret
		if id, token, err = s.manager.Current(r); err == nil {
			answer["kind"], answer["id"], answer["name"], answer["scopes"], answer["token"] = id.Caller.Kind, id.Caller.ID, id.Caller.Name, id.Scopes, token.Reveal()
		}
	case "/console/key":
		err = s.manager.WithKey(w, r, config.Secret(r.FormValue("key")))
	case "/console/begin":
		if err = s.manager.Begin(w, r, r.FormValue("to")); err == nil {
			return
		}
	case signin.CallbackPath:
		answer["to"], err = s.manager.Finish(w, r)
	case "/console/out":
		err = s.manager.SignOut(w, r)
	case "/console/out-everywhere":
		err = s.manager.SignOutEverywhere(w, r)
	}
	if err != nil {
		p := signin.Problem(err)
		w.WriteHeader(p.Status)
		answer["problem"] = p.Detail
	}
	_ = json.NewEncoder(w).Encode(answer)
}

// browser keeps cookies as a browser does, and follows no redirects.
type browser struct {
	s       *site
	client  *http.Client
	headers map[string]string
}

func (s *site) browser() *browser {
	jar, _ := cookiejar.New(nil) // Documented never to return an error.
	authorities := x509.NewCertPool()
	authorities.AddCert(s.server.Certificate())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}}
	s.t.Cleanup(transport.CloseIdleConnections)
	return &browser{s: s, headers: map[string]string{}, client: &http.Client{
		Jar: jar, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// page is an answer of the server.
type page struct {
	t      *testing.T
	status int
	header http.Header
	text   string
	json   map[string]any
}

func (b *browser) send(method, address string, form url.Values) page {
	b.s.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.s.server.URL + address
	}
	r, err := http.NewRequestWithContext(b.s.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.s.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.headers {
		r.Header.Set(name, value)
	}
	answer, err := b.client.Do(r)
	if err != nil {
		b.s.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.s.t.Fatal(err)
	}
	p := page{t: b.s.t, status: answer.StatusCode, header: answer.Header, text: string(text)}
	_ = json.Unmarshal(text, &p.json)
	return p
}

// status is the status of an answer, 0 without one. It may be called outside of the test's goroutine.
func (b *browser) status(address string) int {
	r, err := http.NewRequestWithContext(b.s.t.Context(), http.MethodGet, address, nil)
	if err != nil {
		return 0
	}
	answer, err := b.client.Do(r)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

func (b *browser) get(address string) page {
	b.s.t.Helper()
	return b.send(http.MethodGet, address, nil)
}

func (b *browser) post(path string, fields ...string) page {
	b.s.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.send(http.MethodPost, path, form)
}

// cookie is the value of a cookie that the browser has; "": it has none.
func (b *browser) cookie(name string) string {
	b.s.t.Helper()
	u, err := url.Parse(b.s.server.URL)
	if err != nil {
		b.s.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(u) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

func (b *browser) setCookie(name, value string) {
	b.s.t.Helper()
	u, err := url.Parse(b.s.server.URL)
	if err != nil {
		b.s.t.Fatal(err)
	}
	b.client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: true}})
}

// wantName expects that a person of that name is signed in; "": nobody.
func (b *browser) wantName(name string) {
	b.s.t.Helper()
	got := b.get("/console")
	if name == "" {
		got.want(http.StatusUnauthorized)
	} else if got.want(http.StatusOK).json["name"] != name {
		b.s.t.Errorf("signed in: %s", got.text)
	}
}

// want fails the test when the status differs.
func (p page) want(status int) page {
	p.t.Helper()
	if p.status != status {
		p.t.Fatalf("status %d, want %d: %s", p.status, status, p.text)
	}
	return p
}

// wantProblem expects a problem whose detail contains a text.
func (p page) wantProblem(status int, text string) page {
	p.t.Helper()
	if detail, _ := p.want(status).json["problem"].(string); !strings.Contains(detail, text) {
		p.t.Errorf("%q, want %q", detail, text)
	}
	return p
}

// key makes an API key.
func (s *site) key(name string, scopes ...access.Scope) string {
	s.t.Helper()
	key, token, err := access.NewKey(access.KeyRequest{Name: name, Scopes: scopes, TTL: 24 * time.Hour}, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.db.APIKeys.Create(s.t.Context(), key); err != nil {
		s.t.Fatal(err)
	}
	return token.Reveal()
}

// events are what the audit log has of the console, as action, outcome, caller's name and reason.
func (s *site) events() (all []string) {
	s.t.Helper()
	events, err := s.db.Events(s.t.Context(), uuid.Nil, 0, 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, e := range events {
		if strings.HasPrefix(string(e.Action), "console.") {
			reason, _ := e.Detail["reason"].(string)
			all = append(all, strings.TrimSpace(strings.Join([]string{strings.TrimPrefix(string(e.Action), "console."), string(e.Outcome), string(e.Caller.Kind), e.Caller.Name, reason}, " ")))
		}
		if e.Caller.Kind != audit.CallerProcess && e.Caller.Address == "" {
			s.t.Errorf("no address: %+v", e)
		}
	}
	return all
}

func (s *site) wantEvents(want ...string) {
	s.t.Helper()
	if got := s.events(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		s.t.Errorf("the audit log has:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// countingSessions counts how often sessions are looked up and read.
type countingSessions struct {
	access.SessionStore
	finds, lists atomic.Int64
}

func (c *countingSessions) Find(ctx context.Context, hash access.SessionHash) (access.Session, error) {
	c.finds.Add(1)
	return c.SessionStore.Find(ctx, hash)
}

func (c *countingSessions) List(ctx context.Context, limit int) ([]access.SessionHash, error) {
	c.lists.Add(1)
	return c.SessionStore.List(ctx, limit)
}

func (c *countingSessions) reset() { c.finds.Store(0); c.lists.Store(0) }

// countSessions has the authenticator count.
func countSessions(o *options) *countingSessions {
	counting := &countingSessions{SessionStore: o.sessions}
	o.sessions = counting
	return counting
}
