package provider

import (
	"context"
	"encoding/json"
	"slices"
	"sync/atomic"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// server wraps the framework's server and records which tenants are in the state.
// Terraform sends each resource's state to UpgradeResourceState first, also in an apply
// and without a refresh; the framework does not pass a state of the current version on
// to its resources.
type server struct {
	tfprotov6.ProviderServer
	tfprotov6.ListResourceServer
	tfprotov6.ActionServer
	provider *healthcareProvider
	tenants  tenantDecoder
	changes  atomic.Int64 // Calls in progress that change something.
}

var (
	_ tfprotov6.ProviderServerWithListResource = (*server)(nil) //nolint:staticcheck // it has no other name yet
	_ tfprotov6.ProviderServerWithActions      = (*server)(nil) //nolint:staticcheck // it has no other name yet
)

// NewServer returns a constructor of the protocol server that main serves to the CLI.
//
// stop ends what goes on behind the runs; it is called once before the process ends.
func NewServer(version string, source config.Source) (serve func() tfprotov6.ProviderServer, stop func()) {
	var open backends
	serve = func() tfprotov6.ProviderServer {
		p := newProvider(version, source)
		p.backends = &open
		return newServer(providerserver.NewProtocol6(p)(), p)
	}
	return serve, open.stop
}

// newServer wraps the framework's server. Lists and actions are optional interfaces of
// it; calls of one that is missing return an error.
func newServer(framework tfprotov6.ProviderServer, p *healthcareProvider) *server {
	s := &server{ProviderServer: framework, provider: p, ListResourceServer: noLists{}, ActionServer: noActions{}}
	if lists, ok := framework.(tfprotov6.ListResourceServer); ok {
		s.ListResourceServer = lists
	}
	if actions, ok := framework.(tfprotov6.ActionServer); ok {
		s.ActionServer = actions
	}
	return s
}

// ConfigureProvider starts a new plan or apply, so recorded names are cleared.
func (s *server) ConfigureProvider(ctx context.Context, req *tfprotov6.ConfigureProviderRequest) (*tfprotov6.ConfigureProviderResponse, error) {
	s.provider.names.reset()
	return s.ProviderServer.ConfigureProvider(ctx, req)
}

// ApplyResourceChange counts the changes in progress. Each has a span, in the trace that the variable
// TRACEPARENT names if there is one.
func (s *server) ApplyResourceChange(ctx context.Context, req *tfprotov6.ApplyResourceChangeRequest) (*tfprotov6.ApplyResourceChangeResponse, error) {
	s.changes.Add(1)
	defer s.changes.Add(-1)
	ctx, span := tracing.Continue(ctx, s.provider.source(config.Traceparent), tracing.Internal, "apply "+req.TypeName)
	answer, err := s.ProviderServer.ApplyResourceChange(ctx, req)
	if answer != nil {
		s.nameWarnings(ctx, req.TypeName, answer.Diagnostics, req.PlannedState, req.PriorState)
	}
	if answer != nil && slices.ContainsFunc(answer.Diagnostics, func(d *tfprotov6.Diagnostic) bool { return d.Severity == tfprotov6.DiagnosticSeverityError }) {
		span.Fail("the change failed; Terraform has the reason")
	} else {
		span.End(err)
	}
	return answer, err
}

// InvokeAction counts the action as a change while it runs, which is while its events are read.
func (s *server) InvokeAction(ctx context.Context, req *tfprotov6.InvokeActionRequest) (*tfprotov6.InvokeActionServerStream, error) {
	stream, err := s.ActionServer.InvokeAction(ctx, req)
	if err != nil {
		return stream, err
	}
	events := stream.Events
	return &tfprotov6.InvokeActionServerStream{Events: func(push func(tfprotov6.InvokeActionEvent) bool) {
		s.changes.Add(1)
		defer s.changes.Add(-1)
		events(push)
	}}, nil
}

// UpgradeResourceState records the tenant whose state Terraform sends.
func (s *server) UpgradeResourceState(ctx context.Context, req *tfprotov6.UpgradeResourceStateRequest) (*tfprotov6.UpgradeResourceStateResponse, error) {
	var state storedTenant
	if req.RawState != nil && json.Unmarshal(req.RawState.JSON, &state) == nil && state.ID != "" {
		s.provider.names.addExisting(state)
	}
	return s.ProviderServer.UpgradeResourceState(ctx, req)
}
