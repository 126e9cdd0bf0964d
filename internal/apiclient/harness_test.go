package apiclient_test

import (
	"context"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/stream"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/apiclient"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
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

// tenantService has the operations that the provider uses; both sides implement it.
type tenantService interface {
	provisioner
	reader
	mover
	holder
	inspector
	credentialService
}

type provisioner interface {
	Provision(ctx context.Context, in tenant.Inputs) (provisioning.Outcome, error)
	Retry(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error)
	Invite(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error)
}

type reader interface {
	Get(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	FindByName(ctx context.Context, name string) (tenant.Tenant, error)
	FindByExternalID(ctx context.Context, externalID string) (tenant.Tenant, error)
	List(ctx context.Context, q tenant.ListQuery) (tenant.Page, error)
	All(ctx context.Context, q tenant.ListQuery) iter.Seq2[tenant.Tenant, error]
	Log(ctx context.Context, id uuid.UUID, all bool) ([]tenant.LogEntry, error)
}

type mover interface {
	Update(ctx context.Context, id uuid.UUID, in tenant.Inputs, version int64) (tenant.Tenant, error)
	Archive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	Unarchive(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
	Purge(ctx context.Context, id uuid.UUID, confirm string, retention time.Duration) (provisioning.PurgeCertificate, error)
	CheckPurge(ctx context.Context, id uuid.UUID, confirm string, retention time.Duration) error
	Suspend(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error)
	Resume(ctx context.Context, id uuid.UUID) (tenant.Tenant, error)
}

type holder interface {
	SetHold(ctx context.Context, id uuid.UUID, reason string) (tenant.Tenant, error)
	ClearHold(ctx context.Context, id uuid.UUID, reason string) (tenant.Tenant, error)
}

type inspector interface {
	Inspect(ctx context.Context, ids []uuid.UUID) ([]inspection.Inspection, error)
	ReconcileContract(ctx context.Context, id uuid.UUID) error
	Repair(ctx context.Context, id uuid.UUID) (tenant.Tenant, []string, error)
}

type credentialService interface {
	OpenCredential(ctx context.Context, tenant uuid.UUID, r credentials.Request) (credentials.Credential, error)
	RenewCredential(ctx context.Context, tenant, id uuid.UUID, ttl time.Duration) (time.Time, error)
	CloseCredential(ctx context.Context, tenant, id uuid.UUID) error
}

// testServer is a registry, a service on the registry, and a tenant-api for the service.
type testServer struct {
	t        *testing.T
	url      string // Of the database.
	db       *postgres.DB
	registry *registrytest.Registry
	service  *app.Services
	server   *httptest.Server
	queueing *httptest.Server // A server without a worker; a worker runs elsewhere.
	handler  http.Handler
	token    string
	steps    stepLog

	mu       sync.Mutex
	onDeploy func(ctx context.Context) error
	onMail   func() error
	onRead   func() contracts.Snapshot // State of the contracts; nil: the network does not answer.
	deploys  int
}

// stepLog collects the steps that an observer received.
type stepLog struct {
	mu    sync.Mutex
	lines []string
}

func (s *stepLog) record(_ context.Context, e provisioning.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, string(e.Step)+" "+string(e.Status))
}

func (s *stepLog) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, ", ")
}

func (w *testServer) ContractID(id uuid.UUID) (string, error) {
	return "C" + (strings.ToUpper(strings.ReplaceAll(id.String(), "-", "")) + strings.Repeat("A", 55))[:55], nil
}

func (w *testServer) Deploy(ctx context.Context, t tenant.Tenant, _ txlog.Log) (contracts.Contract, error) {
	w.mu.Lock()
	w.deploys++
	onDeploy := w.onDeploy
	w.mu.Unlock()
	id, _ := w.ContractID(t.ID)
	if onDeploy != nil {
		if err := onDeploy(ctx); err != nil {
			return contracts.Contract{}, err
		}
	}
	return contracts.Contract{ID: id}, nil
}

// ledger is a fake network for reading contracts.
type ledger struct {
	contracts.Chain
	w *testServer
}

func (l ledger) ContractID(id uuid.UUID) (string, error) { return l.w.ContractID(id) }

func (l ledger) ReadContracts(_ context.Context, tenants []tenant.Tenant) ([]contracts.Snapshot, error) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	if l.w.onRead == nil {
		return nil, errs.Errorf(errs.KindTransient, "read contracts", "the network does not answer")
	}
	states := make([]contracts.Snapshot, len(tenants))
	for i := range states {
		states[i] = l.w.onRead()
	}
	return states, nil
}

func (w *testServer) SendWelcome(context.Context, provisioning.WelcomeMail, provisioning.MailWait) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.onMail != nil {
		return w.onMail()
	}
	return nil
}

func (w *testServer) SendFailure(context.Context, provisioning.FailureMail, provisioning.MailWait) error {
	return nil
}

// newTestServer starts tenant-api's handler. A running step may continue for the grace period
// after a stop; 0 is the default.
func newTestServer(t *testing.T, grace time.Duration) *testServer {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	w := &testServer{t: t}
	url := testenv.Database(t)
	var err error
	if w.db, err = postgres.Open(ctx, pgdb.Options{URL: url}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.db.Close)
	w.registry = registrytest.Open(t, url)
	w.url = url
	q, err := queue.Open(ctx, queue.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	w.db.UseQueue(q)
	pipeline, err := provisioning.NewPipeline(w.db, w, w, provisioning.PipelineOptions{
		Retry: retry.Policy{Attempts: 2, Base: time.Millisecond, Cap: time.Millisecond}, Observer: stream.Observe,
		StepGrace: grace,
	})
	if err != nil {
		t.Fatal(err)
	}
	reconciler, err := contracts.NewReconciler(w.db, ledger{w: w}, contracts.ReconcilerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	service, err := app.NewServices(w.db, pipeline, app.Contracts{Reader: ledger{w: w}, Reconciler: reconciler}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.service = service.WithCancelOnDisconnect()
	key, token, err := access.NewKey(access.KeyRequest{Name: "test", Scopes: []access.Scope{access.ScopeWrite, access.ScopePurge, access.ScopeHold, access.ScopeCredentials, access.ScopeBlueprints}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.db.APIKeys.Create(ctx, key); err != nil {
		t.Fatal(err)
	}
	w.token = token.Reveal()
	serve := func(withoutWorker, earlyPurge bool) (*api.Server, *httptest.Server) {
		handler, err := api.New(api.Options{
			Service: w.service, Jobs: q, Notifier: notify.New(w.db.DB), Keys: w.db.APIKeys, Blueprints: w.db.Blueprints, Maintenance: app.NewMaintenance(w.db, w.service.Provisioning, app.Ledger{}), RateLimit: 1_000_000,
			WithoutWorker: withoutWorker, AllowEarlyPurge: earlyPurge, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { handler.Close(context.Background()) })
		server := httptest.NewServer(handler)
		t.Cleanup(func() {
			server.CloseClientConnections() // A failed test can leave a run behind.
			server.Close()
		})
		return handler, server
	}
	w.handler, w.server = serve(false, true)
	_, w.queueing = serve(true, false)
	return w
}

// client returns a client of a server: the fixture's, or a proxy in front of it.
func (w *testServer) client(url string) *apiclient.Client {
	w.t.Helper()
	c, err := apiclient.New(apiclient.Options{
		URL: url, Token: w.token, Observer: w.steps.record,
		Retry: retry.Policy{Attempts: 4, Base: time.Millisecond, Cap: 10 * time.Millisecond},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// clinic has a value in each optional field.
func clinic() tenant.Inputs {
	return tenant.Inputs{
		Name: "St. Mary's Clinic", AdminEmail: "ada@clinic.example", AdminFirstName: "Ada", AdminLastName: "Lovelace",
		ExternalID: "crm-1", ManagedBy: "infrastructure", Locale: "de-AT", Metadata: map[string]string{"region": "eu"},
	}
}

func wantKind(t *testing.T, err error, kind errs.Kind) {
	t.Helper()
	if errs.KindOf(err) != kind {
		t.Errorf("error of kind %q, want %q: %v", errs.KindOf(err), kind, err)
	}
}
