package api

import (
	"context"
	"net/http"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Stellar reads what registry and network have of the deployer. app.Stellar is one.
type Stellar interface {
	// ReadContract reads the ledger. KindTransient when the network does not answer.
	ReadContract(ctx context.Context, t tenant.Tenant) (app.Contract, error)
	// FindContracts and Channels ask the registry alone.
	FindContracts(ctx context.Context, q contracts.ListQuery) ([]contracts.WorkItem, error)
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
		id: "list-contracts", method: http.MethodGet, path: "/admin/contracts", tag: "registry",
		summary: "List contracts as the registry last recorded them", description: "Without querying the network, in the order of tenants' ids, without those of purged tenants, and with the registry's own. A contract is listed once a worker has reconciled it, some minutes after its deployment.",
		scope: access.ScopeRead, errorStatuses: []int{http.StatusNotImplemented},
	}, s.listContracts)
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

type listContractsInput struct {
	State  string `query:"state" enum:"LIVE,EXPIRING,EXPIRED,MISSING,MISMATCH" doc:"Only contracts of this state."`
	Failed string `query:"failed" enum:"true,false" default:"false" doc:"true returns only contracts whose last reconciliation failed."`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Maximum number of contracts."`
	Cursor string `query:"cursor" minLength:"1" maxLength:"128" doc:"The nextCursor of the previous page, with the same filters."`
}

type contractPage struct {
	Contracts  []dto.Contract `json:"contracts" nullable:"false"`
	NextCursor string         `json:"nextCursor,omitempty" doc:"The cursor of the next page; absent on the last page."`
}

func (s *Server) listContracts(ctx context.Context, in *listContractsInput) (*bodyOutput[contractPage], error) {
	if s.opts.Stellar == nil {
		return nil, notConfigured(noStellar)
	}
	list := dto.ListName("contracts", in.State, in.Failed)
	q := contracts.ListQuery{State: contracts.State(in.State), Failed: in.Failed == "true", Limit: in.Limit + 1} // One more shows whether there is a next page.
	if in.Cursor != "" {
		var ok bool
		if q.After, ok = dto.OpenIDCursor(list, in.Cursor); !ok {
			return nil, errInvalidCursor
		}
	}
	found, err := s.opts.Stellar.FindContracts(ctx, q)
	if err != nil {
		return nil, err
	}
	page := contractPage{}
	if len(found) > in.Limit {
		found = found[:in.Limit]
		page.NextCursor = dto.IDCursor(list, found[in.Limit-1].Tenant.ID)
	}
	page.Contracts = make([]dto.Contract, len(found))
	for i, item := range found {
		page.Contracts[i] = dto.NewContract(item)
	}
	return newBodyOutput(page), nil
}
