package provider

import (
	"context"
	"encoding/json"
	"math/big"
	"reflect"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// readCounter counts the reads that the framework handles.
type readCounter struct {
	tfprotov6.ProviderServer
	reads atomic.Int64
}

func (c *readCounter) ReadResource(ctx context.Context, req *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	c.reads.Add(1)
	return c.ProviderServer.ReadResource(ctx, req)
}

// readers read the same requests with and without the short way for unchanged tenants.
type readers struct {
	t         *testing.T
	provider  *startedProvider
	framework *readCounter
	server    *server
}

func newReaders(t *testing.T, database string) *readers {
	t.Helper()
	p := startProvider(t, databaseSettings(database))
	own := newProvider("test", nil)
	own.configured.Store(p.backend)
	r := &readers{t: t, provider: p, framework: &readCounter{ProviderServer: p.server}}
	r.server = newServer(r.framework, own)
	return r
}

// read returns the response, and whether the framework has made it.
func (r *readers) read(req *tfprotov6.ReadResourceRequest) (resp *tfprotov6.ReadResourceResponse, byFramework bool) {
	r.t.Helper()
	before := r.framework.reads.Load()
	resp, err := r.server.readResource(r.t.Context(), req)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp, r.framework.reads.Load() > before
}

// compare reads with and without the short way, and checks that the responses are the same.
func (r *readers) compare(what string, req *tfprotov6.ReadResourceRequest) (byFramework bool) {
	r.t.Helper()
	want, err := r.provider.server.ReadResource(r.t.Context(), req)
	if err != nil {
		r.t.Fatal(err)
	}
	got, byFramework := r.read(req)
	for name, pair := range map[string][2]any{
		"state": {r.values(got.NewState), r.values(want.NewState)}, "identity": {got.NewIdentity, want.NewIdentity},
		"private data": {private(got.Private), private(want.Private)}, "diagnostics": {got.Diagnostics, want.Diagnostics},
	} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			r.t.Errorf("%s: the %s is %v, want %v", what, name, pair[0], pair[1])
		}
	}
	return byFramework
}

// values returns the attributes of a state, as text, nil for none.
func (r *readers) values(state *tfprotov6.DynamicValue) map[string]string {
	r.t.Helper()
	if state == nil { // As in a response with errors of the protocol.
		return nil
	}
	attributes, err := objectOf(state, r.provider.schema.ValueType())
	if err != nil {
		r.t.Fatal(err)
	}
	texts := map[string]string{}
	for name, value := range attributes {
		texts[name] = value.String()
	}
	return texts
}

func private(text []byte) (data map[string]string) {
	_ = json.Unmarshal(text, &data) // Of the test's own provider.
	return data
}

// setAttribute returns the state with another value of an attribute.
func (r *readers) setAttribute(state *tfprotov6.DynamicValue, name string, value tftypes.Value) *tfprotov6.DynamicValue {
	r.t.Helper()
	kind := r.provider.schema.ValueType()
	attributes, err := objectOf(state, kind)
	if err != nil {
		r.t.Fatal(err)
	}
	attributes[name] = value
	changed, err := tfprotov6.NewDynamicValue(kind, tftypes.NewValue(kind, attributes))
	if err != nil {
		r.t.Fatal(err)
	}
	return &changed
}

// TestServer_ReadUnchanged: a read of an unchanged tenant does without the framework, and each response is
// the one that the framework gives.
func TestServer_ReadUnchanged(t *testing.T) {
	t.Parallel()
	database := testenv.Database(t)
	registry := registrytest.Open(t, database)
	id := registry.AddLive(1)[0]
	r := newReaders(t, database)
	first, byFramework := r.read(&tfprotov6.ReadResourceRequest{TypeName: tenantTypeName, CurrentState: object(t, r.provider.schema, map[string]any{"id": id})})
	if !byFramework || len(first.Diagnostics) > 0 {
		t.Fatalf("%v, %+v", byFramework, first)
	}
	request := func() *tfprotov6.ReadResourceRequest {
		return &tfprotov6.ReadResourceRequest{TypeName: tenantTypeName, CurrentState: first.NewState, CurrentIdentity: first.NewIdentity, Private: first.Private}
	}
	if r.compare("unchanged", request()) {
		t.Error("the framework read an unchanged tenant")
	}
	r.compareAttributes(request)
	r.comparePrivate(request)

	missing := request()
	missing.CurrentIdentity = nil
	if r.compare("without an identity", missing) {
		t.Error("the framework read an unchanged tenant without an identity")
	}
	other, _ := tfprotov6.NewDynamicValue(identityType, tftypes.NewValue(identityType, map[string]tftypes.Value{"id": tftypes.NewValue(tftypes.String, uuid.NewString())}))
	missing.CurrentIdentity = &tfprotov6.ResourceIdentityData{IdentityData: &other}
	r.compare("with another identity", missing)

	registry.Rename("Clinic 1", "Other")
	if !r.compare("changed in the registry", request()) {
		t.Error("a changed tenant counts as unchanged")
	}
	registry.Archive(0, "Clinic 1")
	r.compare("archived", request())
	registry.RemoveTenant(id)
	r.compare("missing", request())
}

// compareAttributes reads states with another value of one attribute each.
func (r *readers) compareAttributes(request func() *tfprotov6.ReadResourceRequest) {
	r.t.Helper()
	kind, _ := r.provider.schema.ValueType().(tftypes.Object)
	for name, attribute := range kind.AttributeTypes {
		var other any
		switch {
		case attribute.Is(tftypes.String):
			other = "other"
		case attribute.Is(tftypes.Bool):
			other = true
		case attribute.Is(tftypes.Number):
			other = big.NewFloat(42)
		case attribute.Is(tftypes.Map{}):
			other = map[string]tftypes.Value{"other": tftypes.NewValue(tftypes.String, "value")}
		default:
			object, ok := attribute.(tftypes.Object)
			if !ok {
				r.t.Fatalf("%s is %s", name, attribute)
			}
			fields := map[string]tftypes.Value{}
			for field, of := range object.AttributeTypes {
				fields[field] = tftypes.NewValue(of, nil)
			}
			other = fields
		}
		for _, value := range []any{other, nil} {
			changed := request()
			changed.CurrentState = r.setAttribute(changed.CurrentState, name, tftypes.NewValue(attribute, value))
			r.compare(name, changed)
		}
	}
}

// comparePrivate reads states with other private data.
func (r *readers) comparePrivate(request func() *tfprotov6.ReadResourceRequest) {
	r.t.Helper()
	var stored map[string][]byte
	if err := json.Unmarshal(request().Private, &stored); err != nil {
		r.t.Fatal(err)
	}
	var registry knownRegistry
	if err := json.Unmarshal(stored[registryKey], &registry); err != nil || registry.ID == uuid.Nil {
		r.t.Fatalf("%v, %s", err, stored[registryKey])
	}
	for what, change := range map[string]func(known *knownRegistry){
		"another registry": func(known *knownRegistry) { known.ID = uuid.New() }, "no registry": func(known *knownRegistry) { known.ID = uuid.Nil },
		"a later timeline": func(known *knownRegistry) { known.Timeline++ }, "an earlier timeline": func(known *knownRegistry) { known.Timeline-- },
		"a later version": func(known *knownRegistry) { known.Version++ },
	} {
		known := registry
		change(&known)
		text, _ := json.Marshal(known)
		changed := request()
		changed.Private, _ = json.Marshal(map[string][]byte{registryKey: text})
		if !r.compare(what, changed) {
			r.t.Errorf("%s counts as unchanged", what)
		}
	}
	for what, text := range map[string]string{"none": ``, "no JSON": `{`, "of the framework": `{".import_before_read": "dHJ1ZQ=="}`} {
		changed := request()
		changed.Private = []byte(text)
		if !r.compare("private data: "+what, changed) {
			r.t.Errorf("private data %s count as unchanged", what)
		}
	}
}
