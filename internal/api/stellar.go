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
}

// registerStellarRoutes registers what is read of contracts and accounts.
func (s *Server) registerStellarRoutes() {
	registerEndpoint(s, &endpoint{
		id: "get-contract", method: http.MethodGet, path: tenantPath + "/contract", tag: "tenants",
		summary: "Show a tenant's contract as the ledger has it now", description: "With the fees of the tenant's own transactions so far. 503 while the network does not answer, 404 for a tenant without a contract.",
		scope: access.ScopeRead, errorStatuses: []int{http.StatusNotImplemented},
	}, s.getContract)
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
