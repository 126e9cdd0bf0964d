package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

const tenantTypeName = "healthcare_tenant"

// readResource returns the state of a tenant that has not changed as it came. The framework would
// decode and encode it again, which takes four fifths of the CPU time of a refresh; it handles all other
// reads, with what this one has found.
func (s *server) readResource(ctx context.Context, req *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	b := s.provider.configured.Load()
	if b == nil || !b.isConfigKnown() {
		return s.ProviderServer.ReadResource(ctx, req)
	}
	known, ok := s.tenants.decode(ctx, req)
	if !ok {
		return s.ProviderServer.ReadResource(ctx, req)
	}
	timeout, diags := timeoutFor(ctx, known.model.Timeouts, known.model.Timeouts.Read, readTimeout)
	if diags.HasError() {
		return s.ProviderServer.ReadResource(ctx, req)
	}
	ctx, cancel := withTimeout(ctx, "read", timeout)
	defer cancel()
	masked := b.withLogMask(ctx)
	found, err := b.inspectKnown(masked, known.private, known.id)
	if err == nil && b.isUnchanged(masked, known, found) {
		return &tfprotov6.ReadResourceResponse{NewState: req.CurrentState, NewIdentity: known.identity, Private: req.Private}, nil
	}
	return s.ProviderServer.ReadResource(context.WithValue(ctx, inspectedKey{}, inspected{found, err}), req)
}

// inspectedKey is the context key of what readResource of the server has found.
type inspectedKey struct{}

type inspected struct {
	found inspection.Inspection
	err   error
}

// knownTenant is a tenant as the state has it.
type knownTenant struct {
	id       uuid.UUID
	model    tenantModel
	private  rawPrivate
	identity *tfprotov6.ResourceIdentityData
}

// isUnchanged reports whether Read would return the state and the private data as they are.
func (b *backend) isUnchanged(ctx context.Context, known knownTenant, found inspection.Inspection) bool {
	stored := readKnownRegistry(ctx, known.private)
	identity, err := b.registryIdentity(ctx)
	if err != nil || stored.ID != identity.ID || stored.Timeline != identity.Timeline || found.Tenant.Status == tenant.StatusArchived || isPurgeBegun(ctx, known.private) {
		return false
	}
	now := known.model
	return !b.setFound(ctx, &now, found).HasError() && reflect.DeepEqual(known.model, now)
}

// rawPrivate is the provider's private data as a state has it: JSON values by key, in base64.
type rawPrivate map[string][]byte

// GetKey is as that of the framework's private data.
func (p rawPrivate) GetKey(_ context.Context, key string) ([]byte, diag.Diagnostics) {
	return p[key], nil
}

// hasFrameworkKeys reports data of the framework, which only the framework may handle.
func (p rawPrivate) hasFrameworkKeys() bool {
	for key := range p {
		if strings.HasPrefix(key, ".") {
			return true
		}
	}
	return false
}

// tenantDecoder converts states of tenants from the protocol's form. The framework does the same, and
// looks each attribute up in a new copy of the schema.
type tenantDecoder struct {
	once   sync.Once
	err    error
	kind   tftypes.Type
	fields []modelField
}

// modelField is a field of tenantModel with its attribute.
type modelField struct {
	index int
	name  string
	kind  attr.Type
}

var identityType = tftypes.Object{AttributeTypes: map[string]tftypes.Type{"id": tftypes.String}}

func (d *tenantDecoder) init(ctx context.Context) error {
	d.once.Do(func() {
		var schema resource.SchemaResponse
		newTenantResource().Schema(ctx, resource.SchemaRequest{}, &schema)
		d.kind = schema.Schema.Type().TerraformType(ctx)
		for index := range reflect.TypeFor[tenantModel]().NumField() {
			name := reflect.TypeFor[tenantModel]().Field(index).Tag.Get("tfsdk")
			attribute, ok := schema.Schema.Attributes[name]
			if !ok {
				d.err = fmt.Errorf("the schema has no attribute %q", name)
				return
			}
			d.fields = append(d.fields, modelField{index, name, attribute.GetType()})
		}
	})
	return d.err
}

// decode reads the state of a tenant. It reports false for another type, a state without private data,
// as after an import, and for what it cannot read: the framework handles these.
func (d *tenantDecoder) decode(ctx context.Context, req *tfprotov6.ReadResourceRequest) (known knownTenant, ok bool) {
	if req.TypeName != tenantTypeName || req.CurrentState == nil || d.init(ctx) != nil {
		return known, false
	}
	if len(req.Private) == 0 || json.Unmarshal(req.Private, &known.private) != nil || known.private.hasFrameworkKeys() {
		return known, false
	}
	values, err := objectOf(req.CurrentState, d.kind)
	if err != nil || values == nil {
		return known, false
	}
	if known.identity, err = identityOf(req.CurrentIdentity, values["id"]); err != nil {
		return known, false
	}
	model := reflect.ValueOf(&known.model).Elem()
	for _, f := range d.fields {
		value, err := f.kind.ValueFromTerraform(ctx, values[f.name])
		if err != nil || !reflect.TypeOf(value).AssignableTo(model.Field(f.index).Type()) {
			return known, false
		}
		model.Field(f.index).Set(reflect.ValueOf(value))
	}
	known.id, err = known.model.tenantID()
	return known, err == nil
}

// identityOf returns the identity of a state, and makes the one of a state without: that of a CLI that
// has none. It is an error if the state has another id.
func identityOf(current *tfprotov6.ResourceIdentityData, id tftypes.Value) (*tfprotov6.ResourceIdentityData, error) {
	if current == nil || current.IdentityData == nil {
		data, err := tfprotov6.NewDynamicValue(identityType, tftypes.NewValue(identityType, map[string]tftypes.Value{"id": id}))
		return &tfprotov6.ResourceIdentityData{IdentityData: &data}, err
	}
	identity, err := objectOf(current.IdentityData, identityType)
	if err == nil && !identity["id"].Equal(id) {
		err = errors.New("the identity has another id")
	}
	return current, err
}

// objectOf returns the attributes of an object, nil if it is null.
func objectOf(value *tfprotov6.DynamicValue, kind tftypes.Type) (attributes map[string]tftypes.Value, err error) {
	object, err := value.Unmarshal(kind)
	if err != nil || object.IsNull() {
		return nil, err
	}
	return attributes, object.As(&attributes)
}
