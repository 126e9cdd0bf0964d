package apiclient_test

import (
	"context"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/apiclient"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver/pgtest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m, postgrestest.Migrate)) }

// tenants is what the provider does with tenants.
type tenants interface {
	Provision(ctx context.Context, in provisioning.Inputs) (provisioning.Outcome, error)
	Resume(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error)
	Get(ctx context.Context, id uuid.UUID) (provisioning.Tenant, error)
	FindByName(ctx context.Context, name string) (provisioning.Tenant, error)
	FindByExternalID(ctx context.Context, externalID string) (provisioning.Tenant, error)
	Update(ctx context.Context, id uuid.UUID, in provisioning.Inputs, version int64) (provisioning.Tenant, error)
	Archive(ctx context.Context, id uuid.UUID) (provisioning.Tenant, error)
	ResendWelcome(ctx context.Context, id uuid.UUID) (provisioning.Outcome, error)
	Restore(ctx context.Context, id uuid.UUID) (provisioning.Tenant, error)
	Purge(ctx context.Context, id uuid.UUID, confirm string, retention time.Duration) (provisioning.PurgeCertificate, error)
	Every(ctx context.Context, q provisioning.ListQuery) iter.Seq2[provisioning.Tenant, error]
	Log(ctx context.Context, id uuid.UUID, all bool) ([]provisioning.LogEntry, error)
	Inspect(ctx context.Context, ids []uuid.UUID) ([]provisioning.Inspection, error)
	RenewContract(ctx context.Context, id uuid.UUID) error
	Repair(ctx context.Context, id uuid.UUID) (provisioning.Tenant, []string, error)
	OpenCredential(ctx context.Context, tenant uuid.UUID, ttl time.Duration) (provisioning.Credential, error)
	RenewCredential(ctx context.Context, tenant, id uuid.UUID, ttl time.Duration) (time.Time, error)
	CloseCredential(ctx context.Context, tenant, id uuid.UUID) error
}

// world is a registry with a service on it, and a tenant-api on that.
type world struct {
	t       *testing.T
	db      *postgres.DB
	service *provisioning.Service
	server  *httptest.Server
	handler http.Handler
	token   string
	steps   steps

	mu       sync.Mutex
	onDeploy func(ctx context.Context) error
	onMail   func() error
	deploys  int
}

// steps are those that an observer was told of.
type steps struct {
	mu  sync.Mutex
	all []string
}

func (s *steps) observe(_ context.Context, e provisioning.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, string(e.Step)+" "+string(e.Status))
}

func (s *steps) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.all, ", ")
}

func (w *world) ContractID(id uuid.UUID) (string, error) {
	return "C" + (strings.ToUpper(strings.ReplaceAll(id.String(), "-", "")) + strings.Repeat("A", 55))[:55], nil
}

func (w *world) Deploy(ctx context.Context, t provisioning.Tenant, _ provisioning.Journal) (provisioning.Contract, error) {
	w.mu.Lock()
	w.deploys++
	act := w.onDeploy
	w.mu.Unlock()
	id, _ := w.ContractID(t.ID)
	if act != nil {
		if err := act(ctx); err != nil {
			return provisioning.Contract{}, err
		}
	}
	return provisioning.Contract{ID: id}, nil
}

func (w *world) SendWelcome(context.Context, provisioning.WelcomeMail) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.onMail != nil {
		return w.onMail()
	}
	return nil
}

func (w *world) SendFailure(context.Context, provisioning.FailureMail) error { return nil }

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	w := &world{t: t}
	url := pgtest.Database(t)
	var err error
	if w.db, err = postgres.Open(ctx, postgres.Options{URL: url}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.db.Close)
	q, err := queue.Open(ctx, queue.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(q.Close)
	w.db.UseQueue(q)
	pipeline, err := provisioning.NewPipeline(w.db, w, w, provisioning.PipelineOptions{
		Retry: provisioning.RetryPolicy{Attempts: 2, Base: time.Millisecond, Cap: time.Millisecond}, Observer: api.Observe,
		StepGrace: 200 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	service, err := provisioning.NewService(w.db, pipeline)
	if err != nil {
		t.Fatal(err)
	}
	w.service = service.Attended()
	key, token, err := access.NewKey("test", []access.Scope{access.ScopeWrite, access.ScopePurge, access.ScopeCredentials}, 0, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.db.Keys().Create(ctx, key); err != nil {
		t.Fatal(err)
	}
	w.token = token.Reveal()
	handler, err := api.New(api.Options{
		Service: w.service, Jobs: q, Watcher: postgres.NewFeed(w.db), Keys: w.db.Keys(), RateLimit: 1_000_000,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(handler.Close)
	w.handler = handler
	w.server = httptest.NewServer(handler)
	t.Cleanup(func() {
		w.server.CloseClientConnections() // A test that failed may have left a run behind.
		w.server.Close()
	})
	return w
}

// client talks to a server, which is the world's own or stands before it.
func (w *world) client(url string) *apiclient.Client {
	w.t.Helper()
	c, err := apiclient.New(apiclient.Options{
		URL: url, Token: w.token, Observer: w.steps.observe,
		Retry: provisioning.RetryPolicy{Attempts: 4, Base: time.Millisecond, Cap: 10 * time.Millisecond},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func clinic() provisioning.Inputs {
	return provisioning.Inputs{
		Name: "St. Mary's Clinic", AdminEmail: "ada@clinic.example", AdminFirstName: "Ada", AdminLastName: "Lovelace",
		ExternalID: "crm-1", ManagedBy: "infrastructure", Metadata: map[string]string{"region": "eu"},
	}
}

func wantKind(t *testing.T, err error, kind provisioning.Kind) {
	t.Helper()
	if provisioning.KindOf(err) != kind {
		t.Errorf("error of kind %q, want %q: %v", provisioning.KindOf(err), kind, err)
	}
}
