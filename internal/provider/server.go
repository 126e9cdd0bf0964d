package provider

import (
	"context"
	"encoding/json"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

// server is the framework's server, which also notes which tenants are in the state.
// Terraform hands each resource's state over before it does anything with it, also
// in an apply and without a refresh; but of a state of the present version the
// framework tells its resources nothing.
type server struct {
	tfprotov6.ProviderServer
	tfprotov6.ListResourceServer
	tfprotov6.ActionServer
	names *nameRegistry
}

var (
	_ tfprotov6.ProviderServerWithListResource = (*server)(nil) //nolint:staticcheck // it has no other name yet
	_ tfprotov6.ProviderServerWithActions      = (*server)(nil) //nolint:staticcheck // it has no other name yet
)

// NewServer makes what main serves to the CLI: a provider of a version, as New does.
func NewServer(version string, source config.Source) func() tfprotov6.ProviderServer {
	return func() tfprotov6.ProviderServer {
		p := newProvider(version, source)
		return newServer(providerserver.NewProtocol6(p)(), p.names)
	}
}

// newServer wraps the framework's server. Lists and actions are optional interfaces of
// it; without one, its calls answer with an error.
func newServer(framework tfprotov6.ProviderServer, names *nameRegistry) *server {
	s := &server{ProviderServer: framework, ListResourceServer: noLists{}, ActionServer: noActions{}, names: names}
	if lists, ok := framework.(tfprotov6.ListResourceServer); ok {
		s.ListResourceServer = lists
	}
	if actions, ok := framework.(tfprotov6.ActionServer); ok {
		s.ActionServer = actions
	}
	return s
}

// ConfigureProvider begins another walk through the configuration.
func (s *server) ConfigureProvider(ctx context.Context, req *tfprotov6.ConfigureProviderRequest) (*tfprotov6.ConfigureProviderResponse, error) {
	s.names.reset()
	return s.ProviderServer.ConfigureProvider(ctx, req)
}

// UpgradeResourceState notes the tenant whose state it is.
func (s *server) UpgradeResourceState(ctx context.Context, req *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	var state struct {
		ID string `json:"id"`
	}
	if req.RawState != nil && json.Unmarshal(req.RawState.JSON, &state) == nil && state.ID != "" {
		s.names.addExisting(state.ID)
	}
	return s.ProviderServer.UpgradeResourceState(ctx, req)
}
