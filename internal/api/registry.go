package api

import (
	"context"
	"net/http"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
)

// registerRegistryRoutes registers the operations about the registry itself.
func (s *Server) registerRegistryRoutes() {
	registerEndpoint(s, &endpoint{
		id: "get-registry", method: http.MethodGet, path: "/admin/registry", tag: "registry", filtered: true, // It says nothing of tenants.
		summary: "Show which registry this is", description: "Clients that keep tenants' ids compare it, so that they notice another registry, and one that was restored from a backup.",
		scope: access.ScopeRead,
	}, s.getRegistry)
}

func (s *Server) getRegistry(ctx context.Context, _ *struct{}) (*bodyOutput[dto.Registry], error) {
	identity, err := s.opts.Service.RegistryIdentity(ctx)
	if err != nil {
		return nil, err
	}
	return newBodyOutput(dto.NewRegistry(identity)), nil
}
