// Command noop is the healthcare provider without a database or network, for bench to
// compare with. Schemas, validation and plans are the same, so that the CLI does the same
// work. Read returns the state unchanged; Create fills unknown values with a constant.
package main

import (
	"context"
	"log"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provider"
)

func main() {
	provider.SetRuntimeDefaults() // The same runtime settings, so that only the reads differ.
	noSettings := config.Source(func(string) string { return "" })
	full, err := providerserver.NewProtocol6WithError(provider.New("noop", noSettings)())()
	if err == nil {
		err = tf6server.Serve(provider.Address, func() tfprotov6.ProviderServer { return &server{ProviderServer: full} })
	}
	if err != nil {
		log.Fatal(err)
	}
}

// server overrides the calls that would use a database or network.
type server struct {
	tfprotov6.ProviderServer
}

func (s *server) ConfigureProvider(context.Context, *tfprotov6.ConfigureProviderRequest) (*tfprotov6.ConfigureProviderResponse, error) {
	return &tfprotov6.ConfigureProviderResponse{}, nil
}

// ReadResource returns the state without decoding it: no Read can be faster.
func (s *server) ReadResource(_ context.Context, r *tfprotov6.ReadResourceRequest) (*tfprotov6.ReadResourceResponse, error) {
	return &tfprotov6.ReadResourceResponse{NewState: r.CurrentState, NewIdentity: r.CurrentIdentity, Private: r.Private}, nil
}

// ApplyResourceChange returns the planned state, with word for each unknown value.
func (s *server) ApplyResourceChange(ctx context.Context, r *tfprotov6.ApplyResourceChangeRequest) (*tfprotov6.ApplyResourceChangeResponse, error) {
	schemas, err := s.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		return nil, err
	}
	state, err := fillUnknown(r.PlannedState, schemas.ResourceSchemas[r.TypeName].ValueType())
	if err != nil {
		return nil, err
	}
	id := tftypes.Object{AttributeTypes: map[string]tftypes.Type{"id": tftypes.String}}
	identity, err := tfprotov6.NewDynamicValue(id, tftypes.NewValue(id, map[string]tftypes.Value{"id": tftypes.NewValue(tftypes.String, unknownValue)}))
	return &tfprotov6.ApplyResourceChangeResponse{NewState: state, NewIdentity: &tfprotov6.ResourceIdentityData{IdentityData: &identity}}, err
}

const unknownValue = "made-up"

func fillUnknown(planned *tfprotov6.DynamicValue, kind tftypes.Type) (*tfprotov6.DynamicValue, error) {
	value, err := planned.Unmarshal(kind)
	if err != nil {
		return nil, err
	}
	value, err = tftypes.Transform(value, func(_ *tftypes.AttributePath, v tftypes.Value) (tftypes.Value, error) {
		if v.IsKnown() {
			return v, nil
		}
		if !v.Type().Is(tftypes.String) {
			return tftypes.NewValue(v.Type(), nil), nil
		}
		return tftypes.NewValue(v.Type(), unknownValue), nil
	})
	if err != nil {
		return nil, err
	}
	state, err := tfprotov6.NewDynamicValue(kind, value)
	return &state, err
}
