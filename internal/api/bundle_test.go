package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver/pgtest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m, postgrestest.Migrate)) }

// chain stands for the Stellar network: quick, and at fault when told to be.
type chain struct {
	mu sync.Mutex
	do func(ctx context.Context, t provisioning.Tenant) error // Nil: it works.
}

func (c *chain) set(do func(ctx context.Context, t provisioning.Tenant) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.do = do
}

func (c *chain) ContractID(id uuid.UUID) (string, error) {
	return "C" + strings.ToUpper(strings.ReplaceAll(id.String(), "-", "")), nil
}

func (c *chain) Deploy(ctx context.Context, t provisioning.Tenant, _ provisioning.Journal) (provisioning.Contract, error) {
	c.mu.Lock()
	do := c.do
	c.mu.Unlock()
	if do != nil {
		if err := do(ctx, t); err != nil {
			return provisioning.Contract{}, err
		}
	}
	id, err := c.ContractID(t.ID)
	return provisioning.Contract{ID: id, TransactionHash: "aa", Ledger: 7}, err
}

// clock runs as fast as a test wants.
type clock struct {
	mu      sync.Mutex
	ahead   time.Duration
	stopped time.Time // Zero: it runs.
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopped.IsZero() {
		return c.stopped.Add(c.ahead)
	}
	return time.Now().Add(c.ahead)
}

// stop makes time move by pass alone.
func (c *clock) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = time.Now()
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

func (c *clock) Sleep(ctx context.Context, d time.Duration) error {
	return provisioning.SystemClock{}.Sleep(ctx, d)
}

// settings are what a test wants to be otherwise.
type settings struct {
	api.Options
	pace   api.Pace
	worker bool // Jobs are done.
	deaf   bool // Nobody is told of changes.
	wrap   func(api.Service) api.Service
	keys   func(access.Store) access.Store
}

// bundle is a server of its own, and those who talk to it.
type bundle struct {
	t      *testing.T
	db     *postgres.DB
	chain  *chain
	clock  *clock
	mail   *mailcatcher.Catcher
	server *api.Server
	http   *http.Server
	url    string
	client *http.Client
	key    string // Of scope admin.
	log    *log
	served chan error
}

func setup(t *testing.T) *bundle { t.Helper(); return setupWith(t, settings{}) }

func setupWith(t *testing.T, o settings) *bundle {
	t.Helper()
	t.Parallel()
	ctx, url := context.WithoutCancel(t.Context()), pgtest.Database(t)
	b := &bundle{t: t, chain: &chain{}, clock: &clock{}, log: &log{}, served: make(chan error, 1)}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the server's log:\n%s", b.log)
		}
	})
	logger := slog.New(slog.NewTextHandler(b.log, nil))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	b.db, err = postgres.Open(ctx, postgres.Options{URL: url})
	must(err)
	t.Cleanup(b.db.Close)
	b.mail, err = mailcatcher.Start(ctx, mailcatcher.Options{})
	must(err)
	t.Cleanup(func() { _ = b.mail.Close() })
	mailer, err := mail.New(mail.Options{Mail: config.Mail{
		Host: b.mail.SMTPHost(), Port: b.mail.SMTPPort(), TLS: config.TLSNone, From: "no-reply@platform.example", AppURL: "https://app.platform.example",
	}})
	must(err)
	feed := postgres.NewFeed(b.db)
	pipeline, err := provisioning.NewPipeline(b.db, b.chain, mailer, provisioning.PipelineOptions{
		Retry: provisioning.RetryPolicy{Attempts: 2, Base: time.Microsecond, Cap: time.Microsecond},
		Observer: func(ctx context.Context, e provisioning.Event) {
			feed.Observe(ctx, e)
			api.Observe(ctx, e)
		},
	})
	must(err)
	service, err := provisioning.NewService(b.db, pipeline)
	must(err)
	jobs, err := queue.Open(ctx, queue.Options{URL: url, Runner: pipeline, Logger: logger})
	must(err)
	t.Cleanup(jobs.Close)
	b.db.UseQueue(jobs)
	feeding, endFeed := context.WithCancel(ctx)
	fed := make(chan struct{})
	go func() { defer close(fed); feed.Run(feeding) }()
	t.Cleanup(func() { endFeed(); <-fed })
	if o.worker {
		must(jobs.Start(ctx))
		t.Cleanup(func() { _ = jobs.Stop(ctx) })
	}

	o.Service, o.Jobs, o.Watcher, o.Keys, o.Logger, o.Clock = service, jobs, feed, b.db.Keys(), logger, b.clock
	if o.deaf {
		o.Watcher = deaf{}
	}
	if o.wrap != nil {
		o.Service = o.wrap(service)
	}
	if o.keys != nil {
		o.Keys = o.keys(o.Keys)
	}
	if o.RateLimit == 0 {
		o.RateLimit = 1_000_000
	}
	b.server, err = api.New(o.Options)
	must(err)
	b.server.Hasten(o.pace)
	b.http = api.NewServer(b.server)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	must(err)
	b.url = "http://" + listener.Addr().String()
	go func() { b.served <- b.http.Serve(listener) }()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	b.client = &http.Client{Transport: held{t, transport}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		b.server.Drain()
		_ = b.http.Close()
		if err := <-b.served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("the server ended by itself: %v", err)
		}
		b.server.Close()
	})
	b.key = b.issue("admin", access.ScopeAdmin)
	return b
}

// log is what the server logged.
type log struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// issue makes a key that is good for an hour.
func (b *bundle) issue(name string, scopes ...access.Scope) string {
	b.t.Helper()
	key, token, err := access.NewKey(name, scopes, time.Hour, time.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.db.Keys().Create(b.t.Context(), key); err != nil {
		b.t.Fatal(err)
	}
	return token.Reveal()
}

// as takes a value for what it should be, and gives nothing when it is not: then
// the comparison that follows fails.
func as[T any](v any) T {
	t, _ := v.(T)
	return t
}

// answer is what came back.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	text   string
	json   map[string]any
}

// header pairs follow the body.
func (b *bundle) request(method, path string, body any, headers ...string) *http.Request {
	b.t.Helper()
	var reader io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(body)
	default:
		text, err := json.Marshal(body)
		if err != nil {
			b.t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, reader)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+b.key)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Del(headers[i])
		if headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	return r
}

func (b *bundle) send(r *http.Request) answer {
	b.t.Helper()
	got, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	a := answer{t: b.t, status: got.StatusCode, header: got.Header, text: string(text)}
	_ = json.Unmarshal(text, &a.json)
	return a
}

func (b *bundle) do(method, path string, body any, headers ...string) answer {
	b.t.Helper()
	return b.send(b.request(method, path, body, headers...))
}

// want fails the test when the status is another one.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.text)
	}
	return a
}

// wantFault looks for a problem with exactly these fields.
func (a answer) wantFaults(fields ...string) answer {
	a.t.Helper()
	a.want(http.StatusBadRequest)
	var got []string
	for _, e := range as[[]any](a.json["errors"]) {
		got = append(got, as[string](as[map[string]any](e)["field"]))
	}
	if strings.Join(got, " ") != strings.Join(fields, " ") {
		a.t.Errorf("fields %v, want %v: %s", got, fields, a.text)
	}
	return a
}

func (a answer) str(name string) string {
	a.t.Helper()
	s, ok := a.json[name].(string)
	if !ok {
		a.t.Fatalf("%s is no string in %s", name, a.text)
	}
	return s
}

func clinic() map[string]any {
	return map[string]any{"name": "Clinic", "adminEmail": "ada@clinic.example", "adminFirstName": "Ada", "adminLastName": "Lovelace"}
}

func named(name string) map[string]any {
	c := clinic()
	c["name"] = name
	return c
}

// live makes an ACTIVE tenant.
func (b *bundle) live(body map[string]any) map[string]any {
	b.t.Helper()
	events := b.run("/admin/tenants", body)
	last := events[len(events)-1]
	if last.name != "outcome" {
		b.t.Fatalf("the run ended with %s: %s", last.name, last.data)
	}
	return as[map[string]any](last.json["tenant"])
}

// event is one server-sent event.
type event struct {
	name, id, data string
	json           map[string]any
}

// events is a stream of them, held to the document.
type events struct {
	b      *bundle
	answer *http.Response
	lines  *bufio.Reader
	place  []string
	signs  int // Of life.
}

// open asks for a stream, which has to come.
func (b *bundle) open(r *http.Request) *events {
	b.t.Helper()
	got, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = got.Body.Close() })
	if got.StatusCode != http.StatusOK || got.Header.Get("Content-Type") != "text/event-stream" {
		text, _ := io.ReadAll(got.Body)
		b.t.Fatalf("no stream but %d %s", got.StatusCode, text)
	}
	template, _ := theContract().operation(r.Method, r.URL.Path)
	return &events{b: b, answer: got, lines: bufio.NewReader(got.Body), place: []string{"paths", template, strings.ToLower(r.Method), "responses", "200", "content", "text/event-stream", "schema"}}
}

// next gives the next event, nil when the stream has ended.
func (e *events) next() *event {
	e.b.t.Helper()
	var got event
	for {
		line, err := e.lines.ReadString('\n')
		if err != nil {
			return nil
		}
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch name {
		case "":
			if value != "" {
				e.signs++
				continue
			}
			if got.name == "" {
				continue
			}
			if err := theContract().validateEvent(got, e.place); err != nil {
				e.b.t.Errorf("event %s: %v: %s", got.name, err, got.data)
			}
			_ = json.Unmarshal([]byte(got.data), &got.json)
			return &got
		case "event":
			got.name = value
		case "id":
			got.id = value
		case "data":
			got.data = value
		default:
			e.b.t.Errorf("odd line %q", line)
		}
	}
}

// rest gives all events until the stream ends.
func (e *events) rest() []event {
	e.b.t.Helper()
	var all []event
	for next := e.next(); next != nil; next = e.next() {
		all = append(all, *next)
	}
	return all
}

// run has a run inside the request, to its end.
func (b *bundle) run(path string, body any, headers ...string) []event {
	b.t.Helper()
	return b.open(b.request(http.MethodPost, path, body, append([]string{"Accept", "text/event-stream"}, headers...)...)).rest()
}

// until waits for a condition.
func (b *bundle) until(what string, condition func() bool) {
	b.t.Helper()
	deadline := time.After(time.Minute)
	for !condition() {
		select {
		case <-deadline:
			b.t.Fatalf("%s did not come about", what)
		case <-time.After(5 * time.Millisecond): // Between two looks.
		}
	}
}

func (b *bundle) exec(statement string, args ...any) {
	b.t.Helper()
	if _, err := b.db.Pool().Exec(b.t.Context(), statement, args...); err != nil {
		b.t.Fatalf("%s: %v", statement, err)
	}
}

func (b *bundle) count(query string, args ...any) int {
	b.t.Helper()
	var n int
	if err := b.db.Pool().QueryRow(b.t.Context(), query, args...).Scan(&n); err != nil {
		b.t.Fatalf("%s: %v", query, err)
	}
	return n
}

// refusals are the refused events of a chain; uuid.Nil is the platform's.
func (b *bundle) refusals(tenant uuid.UUID) []provisioning.AuditEvent {
	b.t.Helper()
	all, err := b.db.AuditEvents(b.t.Context(), tenant, 0, 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	var refused []provisioning.AuditEvent
	for _, e := range all {
		if e.Outcome == provisioning.AuditRefused {
			refused = append(refused, e)
		}
	}
	return refused
}
