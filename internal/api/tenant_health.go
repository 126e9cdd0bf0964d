package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
)

// registerTenantHealthRoutes are the calls that look at what tenants have in the database.
func (s *Server) registerTenantHealthRoutes() {
	registerEndpoint(s, &endpoint{
		id: "list-tenants-health", method: http.MethodGet, path: "/admin/tenants/health", tag: "tenants",
		summary:     "Look at many tenants and what they have in the database",
		description: "All in one query, in no order; ids that nobody has are left out. For a live tenant it tells whether schema and role are as they were made, and where its contract stands on the ledger.",
		scope:       access.ScopeRead,
	}, s.listTenantHealth)
	registerEndpoint(s, &endpoint{
		id: "repair-tenant", method: http.MethodPost, path: tenantPath + "/repair", tag: "tenants",
		summary: "Put a tenant's database role right", description: "Gives it what it should be able to do and takes what it should not. Nothing is changed when something is left that only a person can put right.",
		scope: access.ScopeWrite, mutating: true, errorStatuses: []int{http.StatusConflict},
	}, s.repairTenant)
	registerEndpoint(s, &endpoint{
		id: "reconcile-contract", method: http.MethodPost, path: tenantPath + "/contract/reconcile", tag: "tenants",
		summary: "Do for a tenant's contract what is due", description: "Workers do it by themselves, in time. This waits until it is done: extended, restored, or deployed again on a network that was begun anew.",
		scope: access.ScopeWrite, mutating: true, timeout: rollbackTimeout,
	}, s.reconcileContract)
}

type tenantHealthInput struct {
	IDs string `query:"tenantId" required:"true" minLength:"36" maxLength:"3699" pattern:"^[0-9A-Fa-f-]{36}(,[0-9A-Fa-f-]{36})*$" patternDescription:"up to 100 UUIDs with commas between them" doc:"The tenants' ids, up to 100, with commas between them." example:"0199a1f0-5f0b-7c2e-9d35-3f6f1a1e7b11"`
}

type tenantHealthPage struct {
	Tenants []dto.TenantHealth `json:"tenants" nullable:"false"`
}

func (s *Server) listTenantHealth(ctx context.Context, in *tenantHealthInput) (*bodyOutput[tenantHealthPage], error) {
	var ids []uuid.UUID
	for part := range strings.SplitSeq(in.IDs, ",") {
		if id, valid := parseID(part); valid { // One that is none is that of no tenant.
			ids = append(ids, id)
		}
	}
	found, err := s.opts.Service.Inspect(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := tenantHealthPage{Tenants: make([]dto.TenantHealth, len(found))}
	for i, f := range found {
		out.Tenants[i] = dto.NewTenantHealth(f)
	}
	return newBodyOutput(out), nil
}

type repairedView struct {
	Tenant        dto.Tenant `json:"tenant"`
	DatabaseDrift []string   `json:"databaseDrift" nullable:"false" doc:"What was not as it should be."`
}

func (s *Server) repairTenant(ctx context.Context, in *ByID) (*bodyOutput[repairedView], error) {
	id, err := in.tenantID()
	if err != nil {
		return nil, err
	}
	t, drift, err := s.opts.Service.Repair(ctx, id)
	if err != nil {
		return nil, err
	}
	return newBodyOutput(repairedView{dto.NewTenant(t), dto.List(drift)}), nil
}

type reconciledContractView struct {
	Status  string `json:"status" enum:"reconciled"`
	Message string `json:"message"`
}

func (s *Server) reconcileContract(ctx context.Context, in *ByID) (*bodyOutput[reconciledContractView], error) {
	id, err := in.tenantID()
	if err != nil {
		return nil, err
	}
	if err := s.opts.Service.ReconcileContract(ctx, id); err != nil {
		return nil, err
	}
	return newBodyOutput(reconciledContractView{"reconciled", "The contract of tenant " + id.String() + " has been reconciled"}), nil
}
