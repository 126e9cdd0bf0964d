package api

import (
	"context"
	"net/http"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Stellar reads what registry and network have of the deployer. app.Stellar is one.
type Stellar interface {
	// ReadContract reads the ledger. KindTransient when the network does not answer.
	ReadContract(ctx context.Context, t tenant.Tenant) (app.Contract, error)
	// Channels asks the registry alone.
	Channels(ctx context.Context) (dto.ChannelList, error)
}

// registerStellarRoutes registers what is read of contracts and accounts.
func (s *Server) registerStellarRoutes() {
	registerEndpoint(s, &endpoint{
		id: "get-contract", method: http.MethodGet, path: tenantPath + "/contract", tag: "tenants",
		summary: "Show a tenant's contract as the ledger has it now", description: "With the fees of the tenant's own transactions so far. 503 while the network does not answer, 404 for a tenant without a contract.",
		scope: access.ScopeRead, errorStatuses: []int{http.StatusNotImplemented},
	}, s.getContract)
	registerEndpoint(s, &endpoint{
		id: "list-channels", method: http.MethodGet, path: "/admin/channels", tag: "registry",
		summary: "List the channel accounts", description: "The accounts that submit tenants' transactions, the deployer's balance and the transactions whose outcome is not known yet, as the registry knows them, without querying the network.",
		scope: access.ScopeRead, errorStatuses: []int{http.StatusNotImplemented},
	}, s.listChannels)
}

// noStellar is what a server has not that is set up without Options.Stellar.
const noStellar = "the Stellar network"

func (s *Server) getContract(ctx context.Context, in *ByID) (*bodyOutput[dto.ContractNow], error) {
	if s.opts.Stellar == nil {
		return nil, notConfigured(noStellar)
	}
	t, err := s.opts.Service.Get(ctx, in.tenantID)
	switch {
	case err != nil:
		return nil, err
	case t.WithoutContract:
		return nil, errs.Errorf(errs.KindNotFound, "read contract", "the tenant has no contract: its blueprint has contract: none")
	case t.ContractID == "":
		return nil, errs.Errorf(errs.KindNotFound, "read contract", "the tenant has no contract yet: its provisioning deploys it")
	}
	contract, err := s.opts.Stellar.ReadContract(ctx, t)
	if err != nil {
		return nil, err
	}
	return newBodyOutput(contract.View(t)), nil
}

func (s *Server) listChannels(ctx context.Context, _ *struct{}) (*bodyOutput[dto.ChannelList], error) {
	if s.opts.Stellar == nil {
		return nil, notConfigured(noStellar)
	}
	list, err := s.opts.Stellar.Channels(ctx)
	if err != nil {
		return nil, err
	}
	return newBodyOutput(list), nil
}
