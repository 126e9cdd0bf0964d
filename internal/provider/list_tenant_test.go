package provider

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/stellar/go-stellar-sdk/keypair"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/notify"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestList_FewQueries counts the queries of a full list in both modes.
func TestList_FewQueries(t *testing.T) {
	t.Parallel()
	const tenants, pages = 1000, 10
	database := testenv.Database(t)
	registrytest.Open(t, database).AddLive(tenants)
	t.Run("Database", func(t *testing.T) {
		t.Parallel()
		w := newCountingProxy(t, database)
		close(w.release)
		p := startProvider(t, databaseSettings(w.url))
		reader := &countingReader{}
		inspections, err := inspection.New(inspection.Options{
			Store: p.backend.local.DB, Tenants: p.backend.local.DB, Contracts: reader, Reconciler: p.backend.local.Contracts,
		})
		if err != nil {
			t.Fatal(err)
		}
		p.backend.local.Inspection = inspections
		p.list(1, 1, "")
		before := w.snapshot().statements
		reader.reads.Store(0)
		p.list(tenants, tenants, "LIVE")
		// One statement reads the page, one counts the total, one reads the roles and
		// schemas. The pool tests a connection that was idle for a second with one more.
		if n := w.snapshot().statements - before; n > 5*pages {
			t.Errorf("%d statements", n)
		}
		if n := reader.reads.Load(); n > pages {
			t.Errorf("%d reads of contracts", n)
		}
		p.listBlueprints()
	})
	t.Run("API", func(t *testing.T) {
		t.Parallel()
		url, token, requests := serveTenants(t, database)
		p := startProvider(t, map[string]string{"TENANT_API_URL": url, "TENANT_API_TOKEN": token})
		p.list(1, 1, "")
		requests.Store(0)
		p.list(tenants, tenants, "")
		if n := requests.Load(); n > 2*pages {
			t.Errorf("%d requests", n)
		}
		requests.Store(0)
		p.list(150, 150, "")
		if n := requests.Load(); n != 4 {
			t.Errorf("%d requests for two pages", n)
		}
		p.listBlueprints()
	})
	t.Run("TimeoutIsPerPage", func(t *testing.T) {
		t.Parallel()
		p := startProvider(t, databaseSettings(database))
		counted := &pagedTenants{tenantService: p.backend.service, t: t}
		p.backend.service = counted
		p.list(250, 250, "")
		if counted.lists != 3 || counted.inspections != 3 {
			t.Errorf("%d pages, %d inspections", counted.lists, counted.inspections)
		}
	})
}

// countingReader returns a live contract for each tenant and counts reads.
type countingReader struct{ reads atomic.Int64 }

func (r *countingReader) ReadContracts(_ context.Context, all []tenant.Tenant) ([]contracts.Snapshot, error) {
	r.reads.Add(1)
	states := make([]contracts.Snapshot, len(all))
	for i, t := range all {
		states[i] = contracts.Snapshot{TenantID: t.ID, ContractID: t.ContractID, State: contracts.StateLive}
	}
	return states, nil
}

func (r *countingReader) ContractID(uuid.UUID) (string, error) { return strings.Repeat("C", 56), nil }

// pagedTenants checks that each page is read with its own timeout.
type pagedTenants struct {
	tenantService
	t                  *testing.T
	lists, inspections int
	page               context.Context
}

func (p *pagedTenants) List(ctx context.Context, q tenant.ListQuery) (tenant.Page, error) {
	p.lists++
	if p.page != nil && p.page.Err() == nil {
		p.t.Error("the time limit of the page before still runs")
	}
	if _, limited := ctx.Deadline(); !limited || q.Limit != tenant.MaxPage {
		p.t.Errorf("%+v, limited: %t", q, limited)
	}
	p.page = ctx
	return p.tenantService.List(ctx, q)
}

func (p *pagedTenants) Inspect(ctx context.Context, ids []uuid.UUID) ([]inspection.Inspection, error) {
	p.inspections++
	if deadline, limited := ctx.Deadline(); !limited || len(ids) > inspection.MaxInspect {
		p.t.Errorf("%d ids until %v", len(ids), deadline)
	}
	return p.tenantService.Inspect(ctx, ids)
}

// ListResources returns the lists of the wrapped provider.
func (p *startedProvider) ListResources(ctx context.Context) []func() list.ListResource {
	lists, ok := p.Provider.(provider.ProviderWithListResources)
	if !ok {
		p.t.Fatal("the provider has no lists")
	}
	return lists.ListResources(ctx)
}

func databaseSettings(url string) map[string]string {
	return map[string]string{
		"DATABASE_URL": url, "MAIL_HOST": "127.0.0.1", "MAIL_FROM": "a@b.example", "APP_URL": "https://app.platform.example",
		"SOROBAN_NETWORK": "none", "SOROBAN_RPC_URL": "http://127.0.0.1:1", "SOROBAN_NETWORK_PASSPHRASE": "none",
		"SOROBAN_CONTRACT_DEPLOYER_SECRET": keypair.MustRandom().Seed(),
	}
}

// list lists full tenants, and checks their number and their contract states.
func (p *startedProvider) list(limit int64, want int, contracts string) {
	p.t.Helper()
	p.listWith(nil, limit, want, contracts)
}

// listBlueprints lists tenants by blueprint; all are of the standard one.
func (p *startedProvider) listBlueprints() {
	p.t.Helper()
	for name, want := range map[string]int{"standard": 150, "clinic": 0} {
		p.listWith(map[string]any{"blueprint": name}, 150, want, "")
	}
}

// listWith lists the tenants that a configuration selects.
func (p *startedProvider) listWith(config map[string]any, limit int64, want int, contracts string) {
	p.t.Helper()
	lists, ok := p.server.(tfprotov6.ProviderServerWithListResource) //nolint:staticcheck // it has no other name yet
	if !ok {
		p.t.Fatal("the server knows no lists")
	}
	schemas, err := p.server.GetProviderSchema(p.t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		p.t.Fatal(err)
	}
	stream, err := lists.ListResource(p.t.Context(), &tfprotov6.ListResourceRequest{
		TypeName: "healthcare_tenant", Config: object(p.t, schemas.ListResourceSchemas["healthcare_tenant"], config), Limit: limit, IncludeResource: true,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	seen := map[string]bool{}
	for r := range stream.Results {
		if len(r.Diagnostics) > 0 {
			p.t.Fatalf("%+v", r.Diagnostics[0])
		}
		whole, err := r.Resource.Unmarshal(p.schema.ValueType())
		var (
			fields         map[string]tftypes.Value
			id, name, life string
		)
		if err != nil || whole.As(&fields) != nil || fields["id"].As(&id) != nil || fields["name"].As(&name) != nil || name != r.DisplayName {
			p.t.Fatalf("%v, %v", whole, err)
		}
		if contracts != "" && (fields["soroban_contract_state"].As(&life) != nil || life != contracts) {
			p.t.Fatalf("%s: the contract is %s", name, life)
		}
		seen[id] = true
	}
	if len(seen) != want {
		p.t.Errorf("%d tenants", len(seen))
	}
}

// serveTenants serves tenant-api for a database and counts requests.
func serveTenants(t *testing.T, database string) (url, token string, requests *atomic.Int64) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	db, err := postgres.Open(ctx, pgdb.Options{URL: database})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	jobs, err := queue.Open(ctx, queue.Options{URL: database})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(jobs.Close)
	pipeline, err := provisioning.NewPipeline(db, struct{ provisioning.ContractDeployer }{}, struct{ provisioning.Mailer }{}, provisioning.PipelineOptions{})
	if err != nil {
		t.Fatal(err)
	}
	service, err := app.NewServices(db, pipeline, app.Contracts{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	handler, err := api.New(api.Options{Service: service, Jobs: jobs, Notifier: notify.New(db.DB), Keys: db.APIKeys, Blueprints: db.Blueprints, Maintenance: app.NewMaintenance(db, service.Provisioning, app.Ledger{}), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { handler.Close(context.Background()) })
	key, secret, err := access.NewKey(access.KeyRequest{Name: "list", Scopes: []access.Scope{access.ScopeRead}}, time.Now())
	if err == nil {
		err = db.APIKeys.Create(ctx, key)
	}
	if err != nil {
		t.Fatal(err)
	}
	requests = &atomic.Int64{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL, secret.Reveal(), requests
}
