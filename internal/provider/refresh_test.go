package provider

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestRefresh_BatchesQueries counts the database messages of a refresh.
func TestRefresh_BatchesQueries(t *testing.T) {
	t.Parallel()
	const tenants = 500
	database := testenv.Database(t)
	ids := registrytest.Open(t, database).AddLive(tenants)
	w := newCountingProxy(t, database)
	p := startProvider(t, databaseSettings(w.url))

	var reading sync.WaitGroup
	reading.Go(func() { p.read(ids[0]) })
	<-w.blocked // It is on its way to the server.
	before := w.snapshot()
	for _, id := range ids[1:] {
		reading.Go(func() { p.read(id) })
	}
	for p.backend.tenantReader.Waiting() < tenants-1 {
		runtime.Gosched()
	}
	close(w.release)
	reading.Wait()
	// One query for the first tenant, one per hundred for the others, and no more.
	if n := w.snapshot().statements - before.statements; n != 6 {
		t.Errorf("%d statements for %d reads", n, tenants)
	}

	// Imports are not batched; they wait for a connection of the pool.
	for _, id := range ids[:64] {
		reading.Go(func() { p.importTenant(id) })
	}
	reading.Wait()
	if n := w.snapshot().maxConnections; n > pgdb.DefaultMaxConnections {
		t.Errorf("%d connections", n)
	}
}

// startedProvider is a configured provider and its backend.
type startedProvider struct {
	provider.Provider
	t       *testing.T
	server  tfprotov6.ProviderServer
	schema  *tfprotov6.Schema // Of a tenant.
	backend *backend
}

func startProvider(t *testing.T, environment map[string]string) *startedProvider {
	t.Helper()
	p := &startedProvider{Provider: New("test", func(name string) string { return environment[name] })(), t: t}
	var err error
	if p.server, err = providerserver.NewProtocol6WithError(p)(); err != nil {
		t.Fatal(err)
	}
	schemas, err := p.server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	p.schema = schemas.ResourceSchemas["healthcare_tenant"]
	answer, err := p.server.ConfigureProvider(t.Context(), &tfprotov6.ConfigureProviderRequest{
		Config: object(t, schemas.Provider, map[string]any{"skip_checks": true}),
	})
	if err != nil || len(answer.Diagnostics) > 0 {
		t.Fatalf("%v, %+v", err, answer)
	}
	if _, err := p.backend.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	if local := p.backend.local; local != nil {
		local.NetworkUnavailable() // There is no network, and nothing waits for it.
	}
	return p
}

// Configure records the backend of the wrapped provider.
func (p *startedProvider) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	p.Provider.Configure(ctx, req, resp)
	p.backend, _ = resp.ResourceData.(*backend)
}

// object builds a value from some attributes; the others are null.
func object(t *testing.T, schema *tfprotov6.Schema, values map[string]any) *tfprotov6.DynamicValue {
	kind, ok := schema.ValueType().(tftypes.Object)
	if !ok {
		t.Errorf("%T", schema.ValueType())
	}
	attributes := map[string]tftypes.Value{}
	for name, of := range kind.AttributeTypes {
		attributes[name] = tftypes.NewValue(of, values[name])
	}
	value, err := tfprotov6.NewDynamicValue(kind, tftypes.NewValue(kind, attributes))
	if err != nil {
		t.Error(err)
	}
	return &value
}

func (p *startedProvider) read(id string) {
	answer, err := p.server.ReadResource(p.t.Context(), &tfprotov6.ReadResourceRequest{
		TypeName: "healthcare_tenant", CurrentState: object(p.t, p.schema, map[string]any{"id": id}),
	})
	if err != nil || len(answer.Diagnostics) > 0 {
		p.t.Errorf("%v, %+v", err, answer)
		return
	}
	state, err := answer.NewState.Unmarshal(p.schema.ValueType())
	var fields map[string]tftypes.Value
	var name string
	if err != nil || state.As(&fields) != nil || fields["name"].As(&name) != nil || !strings.HasPrefix(name, "Clinic ") {
		p.t.Errorf("%v, %v", state, err)
	}
}

func (p *startedProvider) importTenant(id string) {
	answer, err := p.server.ImportResourceState(p.t.Context(), &tfprotov6.ImportResourceStateRequest{TypeName: "healthcare_tenant", ID: id})
	if err != nil || len(answer.Diagnostics) > 0 {
		p.t.Errorf("%v, %+v", err, answer)
	}
}

// countingProxy forwards connections to a database and counts messages.
type countingProxy struct {
	url     string
	blocked chan struct{} // Closed when the first inspection has come.
	release chan struct{} // Close it to let that go on.

	mu       sync.Mutex
	counters proxyCounts
	open     int
	once     sync.Once
}

type proxyCounts struct {
	statements     int // That were executed.
	maxConnections int // Connections at a time.
}

func newCountingProxy(t *testing.T, database string) *countingProxy {
	t.Helper()
	w := &countingProxy{blocked: make(chan struct{}), release: make(chan struct{})}
	w.url = testenv.ProxyMessages(t, database, w.connected)
	return w
}

func (w *countingProxy) snapshot() proxyCounts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.counters
}

func (w *countingProxy) add(connections, statements int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open += connections
	w.counters.maxConnections, w.counters.statements = max(w.counters.maxConnections, w.open), w.counters.statements+statements
}

// connected counts a connection and its messages.
func (w *countingProxy) connected() (handle func(kind byte, body []byte), closed func()) {
	w.add(1, 0)
	inspections := map[string]bool{} // Names of statements.
	return func(kind byte, body []byte) {
		fields := strings.Split(string(body), "\x00")
		switch kind {
		case 'P':
			inspections[fields[0]] = strings.Contains(fields[1], "pg_shdepend")
		case 'B':
			if inspections[fields[1]] {
				w.once.Do(func() { close(w.blocked); <-w.release })
			}
		case 'E':
			w.add(0, 1)
		case 'Q':
			if fields[0] != "-- ping" { // Of the pool, for a connection that was idle.
				w.add(0, 1)
			}
		}
	}, func() { w.add(-1, 0) }
}
