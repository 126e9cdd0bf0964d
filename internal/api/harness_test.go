package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/stream"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/notify"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// fakeDeployer replaces the Stellar network: fast, with faults on request.
type fakeDeployer struct {
	mu     sync.Mutex
	deploy func(ctx context.Context, t tenant.Tenant) error // Nil: deployment succeeds.
	read   func(ctx context.Context, tenants []tenant.Tenant) ([]contracts.Snapshot, error)
}

func (c *fakeDeployer) setDeploy(deploy func(ctx context.Context, t tenant.Tenant) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deploy = deploy
}

func (c *fakeDeployer) ContractID(id uuid.UUID) (string, error) {
	return "C" + strings.ToUpper(strings.ReplaceAll(id.String(), "-", "")), nil
}

func (c *fakeDeployer) Deploy(ctx context.Context, t tenant.Tenant, _ txlog.Log) (contracts.Contract, error) {
	c.mu.Lock()
	deploy := c.deploy
	c.mu.Unlock()
	if deploy != nil {
		if err := deploy(ctx, t); err != nil {
			return contracts.Contract{}, err
		}
	}
	id, err := c.ContractID(t.ID)
	return contracts.Contract{ID: id, TransactionHash: "aa", Ledger: 7}, err
}

func (*fakeDeployer) NetworkID() string { return "test network" }
func (*fakeDeployer) Address() string   { return deployerAddress }
func (*fakeDeployer) Signer() string    { return deployerAddress }

// deployerAddress is the account of the fake deployer.
var deployerAddress = "G" + strings.Repeat("A", 55)

func (*fakeDeployer) LastLedger() (sequence uint32, closedAt time.Time) {
	return 4711, time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)
}

func (c *fakeDeployer) ReadContracts(ctx context.Context, tenants []tenant.Tenant) ([]contracts.Snapshot, error) {
	c.mu.Lock()
	read := c.read
	c.mu.Unlock()
	if read != nil {
		return read(ctx, tenants)
	}
	all := make([]contracts.Snapshot, len(tenants))
	for i, t := range tenants {
		all[i] = contracts.Snapshot{ContractID: t.ContractID, State: contracts.StateLive, Ledger: 4711, LiveUntil: 600_000, WasmHash: "ab", Status: contracts.ContractStatusOf(t.Status)}
	}
	return all, nil
}

func (c *fakeDeployer) setRead(read func(context.Context, []tenant.Tenant) ([]contracts.Snapshot, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read = read
}

// fakeClock runs at the speed that a test sets.
type fakeClock struct {
	mu      sync.Mutex
	ahead   time.Duration
	stopped time.Time // Zero: the clock runs.
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopped.IsZero() {
		return c.stopped.Add(c.ahead)
	}
	return time.Now().Add(c.ahead)
}

// stop freezes the clock; only pass moves it.
func (c *fakeClock) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = time.Now()
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

func (c *fakeClock) Sleep(ctx context.Context, d time.Duration) error {
	return clock.System{}.Sleep(ctx, d)
}

// serverOptions are the options in which a test differs from the default.
type serverOptions struct {
	api.Options
	timeouts        api.Timeouts
	worker          bool // Jobs run.
	withoutStellar  bool // No Stellar.
	noNotifications bool // No change notifications.
	wrapService     func(api.Service) api.Service
	wrapKeys        func(access.Store) access.Store
	wrapBlueprints  func(api.Blueprints) api.Blueprints
	wrapMaintenance func(api.Maintenance) api.Maintenance
}

// testServer is a server with its callers.
type testServer struct {
	t          *testing.T
	db         *postgres.DB
	registry   *registrytest.Registry
	deployer   *fakeDeployer
	clock      *fakeClock
	mail       *mailcatcher.Catcher
	handler    *api.Server
	httpServer *http.Server
	url        string
	client     *http.Client
	key        string // Of scope admin.
	log        *logBuffer
	served     chan error
}

func setup(t *testing.T) *testServer { t.Helper(); return setupWith(t, serverOptions{}) }

func setupWith(t *testing.T, o serverOptions) *testServer {
	t.Helper()
	t.Parallel()
	ctx, url := context.WithoutCancel(t.Context()), testenv.Database(t)
	b := &testServer{t: t, deployer: &fakeDeployer{}, clock: &fakeClock{}, log: &logBuffer{}, served: make(chan error, 1)}
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
	b.db, err = postgres.Open(ctx, pgdb.Options{URL: url})
	must(err)
	t.Cleanup(b.db.Close)
	b.registry = registrytest.Open(t, url)
	b.mail, err = mailcatcher.Start(ctx, mailcatcher.Options{})
	must(err)
	t.Cleanup(func() { _ = b.mail.Close() })
	mailer, err := mail.New(mail.Options{Mail: config.Mail{
		Host: b.mail.SMTPHost(), Port: b.mail.SMTPPort(), TLS: config.TLSNone, From: "no-reply@platform.example", AppURL: "https://app.platform.example",
	}})
	must(err)
	notifier := notify.New(b.db.DB)
	pipeline, err := provisioning.NewPipeline(b.db, b.deployer, mailer, provisioning.PipelineOptions{
		StepSender: stepSender(),
		Retry:      retry.Policy{Attempts: 2, Base: time.Microsecond, Cap: time.Microsecond},
		Observer: func(ctx context.Context, e provisioning.Event) {
			notifier.Observe(ctx, e)
			stream.Observe(ctx, e)
		},
	})
	must(err)
	service, err := app.NewServices(b.db, pipeline, app.Contracts{}, nil)
	must(err)
	jobs, err := queue.Open(ctx, queue.Options{URL: url, Runner: pipeline, Mover: service, Logger: logger})
	must(err)
	t.Cleanup(jobs.Close)
	b.db.UseQueue(jobs)
	notifierCtx, stopNotifier := context.WithCancel(ctx)
	notifierDone := make(chan struct{})
	go func() { defer close(notifierDone); notifier.Run(notifierCtx) }()
	t.Cleanup(func() { stopNotifier(); <-notifierDone })
	if o.worker {
		must(jobs.Start(ctx))
		t.Cleanup(func() { _ = jobs.Stop(ctx) })
	}

	o.Service, o.Jobs, o.Notifier, o.Keys, o.Logger, o.Clock = service, jobs, notifier, b.db.APIKeys, logger, b.clock
	o.Sessions = b.db.Sessions
	o.Blueprints, o.Maintenance = b.db.Blueprints, app.NewMaintenance(b.db, service.Provisioning, app.Ledger{})
	stellar := app.NewStellar(b.db, b.deployer, config.Soroban{Channels: 2, LowBalance: config.DefaultLowBalance})
	o.Stellar, o.APIKeys = stellar, b.db.APIKeys
	if o.withoutStellar {
		o.Stellar = nil
	}
	if o.Overview == nil {
		o.Overview = app.NewOverview(b.db, stellar, jobs, b.clock)
	}
	if o.wrapBlueprints != nil {
		o.Blueprints = o.wrapBlueprints(b.db.Blueprints)
	}
	if o.wrapMaintenance != nil {
		o.Maintenance = o.wrapMaintenance(o.Maintenance)
	}
	if o.noNotifications {
		o.Notifier = noopNotifier{}
	}
	if o.wrapService != nil {
		o.Service = o.wrapService(service)
	}
	if o.wrapKeys != nil {
		o.Keys = o.wrapKeys(b.db.APIKeys)
	}
	if o.RateLimit == 0 {
		o.RateLimit = 1_000_000
	}
	b.handler, err = api.New(o.Options)
	must(err)
	b.handler.SetTimeouts(o.timeouts)
	b.httpServer = api.NewServer(b.handler)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	must(err)
	b.url = "http://" + listener.Addr().String()
	go func() { b.served <- b.httpServer.Serve(listener) }()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	b.client = &http.Client{Transport: specTransport{t, transport}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		b.handler.Drain()
		_ = b.httpServer.Close()
		if err := <-b.served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("the server ended by itself: %v", err)
		}
		b.handler.Close(ctx)
	})
	b.key = b.createKey("admin", access.ScopeAdmin)
	return b
}

// logBuffer collects the server's log.
type logBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// createKey creates a key that is valid for an hour.
func (b *testServer) createKey(name string, scopes ...access.Scope) string {
	b.t.Helper()
	return b.createKeyOf(access.KeyRequest{Name: name, Scopes: scopes, TTL: time.Hour})
}

func (b *testServer) createKeyOf(r access.KeyRequest) string {
	b.t.Helper()
	key, token, err := access.NewKey(r, time.Now())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := b.db.APIKeys.Create(b.t.Context(), key); err != nil {
		b.t.Fatal(err)
	}
	return token.Reveal()
}

// as converts a value to its expected type and returns the zero value if it has another
// one: then the following comparison fails.
func as[T any](v any) T {
	t, _ := v.(T)
	return t
}

// response is a response of the server.
type response struct {
	t      *testing.T
	status int
	header http.Header
	text   string
	json   map[string]any
}

// header pairs follow the body.
func (b *testServer) request(method, path string, body any, headers ...string) *http.Request {
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

func (b *testServer) send(r *http.Request) response {
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
	a := response{t: b.t, status: got.StatusCode, header: got.Header, text: string(text)}
	_ = json.Unmarshal(text, &a.json)
	return a
}

func (b *testServer) do(method, path string, body any, headers ...string) response {
	b.t.Helper()
	return b.send(b.request(method, path, body, headers...))
}

// want fails the test when the status differs.
func (a response) want(status int) response {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("status %d, want %d: %s", a.status, status, a.text)
	}
	return a
}

// wantFault expects a problem with exactly these fields.
func (a response) wantFieldErrors(fields ...string) response {
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

func (a response) str(name string) string {
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

func clinicNamed(name string) map[string]any {
	c := clinic()
	c["name"] = name
	return c
}

// createActive creates an ACTIVE tenant.
func (b *testServer) createActive(body map[string]any) map[string]any {
	b.t.Helper()
	events := b.provision("/admin/tenants/provision", body)
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

// waitFor waits for a condition.
func (b *testServer) waitFor(what string, condition func() bool) {
	b.t.Helper()
	deadline := time.After(time.Minute)
	for !condition() {
		select {
		case <-deadline:
			b.t.Fatalf("%s did not come about", what)
		case <-time.After(5 * time.Millisecond): // Poll interval.
		}
	}
}

// auditRejections returns the rejections in a chain; uuid.Nil is the registry chain.
func (b *testServer) auditRejections(tenant uuid.UUID) []audit.Event {
	b.t.Helper()
	found, err := b.db.Events(b.t.Context(), tenant, 0, 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	var refused []audit.Event
	for _, e := range found {
		if e.Outcome == audit.OutcomeRejected {
			refused = append(refused, e)
		}
	}
	return refused
}
