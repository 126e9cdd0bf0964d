package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/stream"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

type provisionTenantInput struct{ Body createBody }

// provisionTenant creates a tenant and provisions it inside the request.
func (s *Server) provisionTenant(ctx context.Context, in *provisionTenantInput) (*huma.StreamResponse, error) {
	inputs, err := in.Body.inputs()
	if err != nil {
		return nil, err
	}
	if err := checkMetadata(ctx, inputs.Metadata); err != nil {
		return nil, err
	}
	return s.streamProvision(ctx, func(ctx context.Context) (provisioning.Outcome, error) { return s.opts.Service.Provision(ctx, inputs) })
}

// provisionExistingTenant continues the provisioning of a tenant inside the request.
// An unknown tenant is a 404, not an event of the stream.
func (s *Server) provisionExistingTenant(ctx context.Context, in *ByID) (*huma.StreamResponse, error) {
	if _, err := s.opts.Service.Get(ctx, in.tenantID); err != nil {
		return nil, err
	}
	return s.streamProvision(ctx, func(ctx context.Context) (provisioning.Outcome, error) { return s.opts.Service.Retry(ctx, in.tenantID) })
}

// streamProvision returns the event stream of a run. 503 or 429 when the server, or the caller,
// already runs its maximum number of them.
func (s *Server) streamProvision(ctx context.Context, provision stream.ProvisionFunc) (*huma.StreamResponse, error) {
	leave, refused := s.provisionPlaces.Take(requestContextFrom(ctx).placeKey())
	if refused != nil {
		return nil, refused
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		defer s.metrics.TrackStream("run")()
		c := requestContextFrom(hctx.Context())
		watched := hctx.Context()
		ctx, cancel := context.WithCancel(watched)
		defer cancel()
		defer context.AfterFunc(s.drainCtx, cancel)()
		s.runs.Add(1)
		ps := stream.Run{
			Out: stream.NewWriter(c.response), KeepAlive: s.timeouts.provisionKeepAlive, Logger: s.opts.Logger,
			Ended: func() { leave(); s.runs.Done() },
			Revoked: func() error {
				if authErr := revocation(watched); authErr != nil {
					return authErr
				}
				return nil
			},
			// A problem in a stream is audited like any other rejection.
			Problem: func(err error) *problem.Problem { return s.finalizeProblem(c, streamProblem(err)) },
		}
		ps.Serve(ctx, provision)
	}}, nil
}

// streamProblem returns the problem that ends a stream.
func streamProblem(err error) *problem.Problem {
	var authErr *access.AuthError
	if errors.As(err, &authErr) {
		return problem.New(http.StatusUnauthorized, authErr.Detail).WithAudit(map[string]any{"reason": authErr.Reason})
	}
	return problem.From(err)
}
