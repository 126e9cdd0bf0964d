package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// registerTenantHealthRoutes registers the operations that check and repair tenants.
func (s *Server) registerTenantHealthRoutes() {
	registerEndpoint(s, &endpoint{
		id: "list-tenants-health", method: http.MethodGet, path: "/admin/tenants/health", tag: "tenants", filtered: true,
		summary:     "Check the schemas, roles and contracts of tenants",
		description: "In no particular order, without unknown ids. For an ACTIVE tenant the response has the drift of its schema and role and the state of its contract on the ledger.",
		scope:       access.ScopeRead,
	}, s.listTenantHealth)
	registerEndpoint(s, &endpoint{
		id: "repair-tenant", method: http.MethodPost, path: tenantPath + "/repair", tag: "tenants",
		summary: "Repair the database role of a tenant", description: "Grants missing privileges and revokes extra ones. Changes nothing if drift would remain that needs an operator." + queuedMoveDoc,
		scope: access.ScopeWrite, mutating: true, errorStatuses: []int{http.StatusConflict}, responses: moveResponses[repairedView]("Repaired."),
	}, s.repairTenant)
	registerEndpoint(s, &endpoint{
		id: "reconcile-contract", method: http.MethodPost, path: tenantPath + "/contract/reconcile", tag: "tenants",
		summary: "Reconcile the contract of a tenant", description: "Extends or restores the contract, or deploys it again on a network that was reset, and responds when that is done. Workers do the same periodically.",
		scope: access.ScopeWrite, mutating: true, timeout: rollbackTimeout,
	}, s.reconcileContract)
}

type tenantHealthInput struct {
	IDs string `query:"tenantId" required:"true" minLength:"36" maxLength:"3699" pattern:"^[0-9A-Fa-f-]{36}(,[0-9A-Fa-f-]{36})*$" patternDescription:"up to 100 UUIDs, separated by commas" doc:"Up to 100 tenant ids, separated by commas." example:"0199a1f0-5f0b-7c2e-9d35-3f6f1a1e7b11"`
}

type tenantHealthPage struct {
	Tenants []dto.TenantHealth `json:"tenants" nullable:"false"`
}

func (s *Server) listTenantHealth(ctx context.Context, in *tenantHealthInput) (*bodyOutput[tenantHealthPage], error) {
	var ids []uuid.UUID
	for part := range strings.SplitSeq(in.IDs, ",") {
		if id, valid := parseID(part); valid { // An invalid UUID is not the id of any tenant.
			ids = append(ids, id)
		}
	}
	found, err := s.opts.Service.Inspect(ctx, ids)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(f inspection.Inspection) bool { return !tenant.Visible(ctx).Matches(f.Tenant.Metadata) })
	out := tenantHealthPage{Tenants: make([]dto.TenantHealth, len(found))}
	for i, f := range found {
		out.Tenants[i] = dto.NewTenantHealth(f)
		out.Tenants[i].Tenant = s.withPermittedOutputs(ctx, out.Tenants[i].Tenant)
	}
	return newBodyOutput(out), nil
}

type repairedView struct {
	Tenant        dto.Tenant `json:"tenant"`
	DatabaseDrift []string   `json:"databaseDrift" nullable:"false" doc:"The drift that was repaired."`
}

func (s *Server) repairTenant(ctx context.Context, in *ByID) (*huma.StreamResponse, error) {
	if s.opts.WithoutWorker {
		return s.queueMove(ctx, in.tenantID, provisioning.MoveRequest{Move: provisioning.MoveRepair})
	}
	t, drift, err := s.opts.Service.Repair(ctx, in.tenantID)
	if err != nil {
		return nil, err
	}
	return s.okJSON(repairedView{dto.NewTenant(t), dto.List(drift)}), nil
}

type reconciledContractView struct {
	Status  string `json:"status" enum:"reconciled"`
	Message string `json:"message"`
}

func (s *Server) reconcileContract(ctx context.Context, in *ByID) (*bodyOutput[reconciledContractView], error) {
	if err := s.opts.Service.ReconcileContract(ctx, in.tenantID); err != nil {
		return nil, err
	}
	return newBodyOutput(reconciledContractView{"reconciled", "The contract of tenant " + in.tenantID.String() + " has been reconciled"}), nil
}
