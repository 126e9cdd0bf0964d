package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/stream"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

type provisionTenantInput struct{ Body createBody }

// provisionTenant creates a tenant and provisions it inside the request.
func (s *Server) provisionTenant(_ context.Context, in *provisionTenantInput) (*huma.StreamResponse, error) {
	inputs, err := in.Body.inputs()
	if err != nil {
		return nil, err
	}
	return s.streamProvision(func(ctx context.Context) (provisioning.Outcome, error) { return s.opts.Service.Provision(ctx, inputs) })
}

// provisionExistingTenant continues the provisioning of a tenant inside the request.
// An unknown tenant is a 404, not an event of the stream.
func (s *Server) provisionExistingTenant(ctx context.Context, in *ByID) (*huma.StreamResponse, error) {
	if _, err := s.opts.Service.Get(ctx, in.tenantID); err != nil {
		return nil, err
	}
	return s.streamProvision(func(ctx context.Context) (provisioning.Outcome, error) { return s.opts.Service.Retry(ctx, in.tenantID) })
}

// streamProvision returns the event stream of a run. 503 when the server already runs the
// maximum number of them.
func (s *Server) streamProvision(provision stream.ProvisionFunc) (*huma.StreamResponse, error) {
	select {
	case s.provisionSlots <- struct{}{}:
	default:
		return nil, problem.New(http.StatusServiceUnavailable, "this server already provisions its maximum number of tenants inside requests; retry, or queue the tenant with POST /admin/tenants")
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		defer func() { <-s.provisionSlots }()
		defer s.metrics.trackStream("run")()
		c := requestContextFrom(hctx.Context())
		ctx, cancel := context.WithCancel(hctx.Context())
		defer cancel()
		defer context.AfterFunc(s.drainCtx, cancel)()
		ps := stream.Run{
			Out: stream.NewWriter(c.response), KeepAlive: s.timeouts.provisionKeepAlive, Logger: s.opts.Logger,
			// A problem in a stream is audited like any other rejection.
			Problem: func(err error) *problem.Problem { return s.finalizeProblem(c, problem.From(err)) },
		}
		ps.Serve(ctx, provision)
	}}, nil
}
