package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// inspectionRoutes are the calls that look at what tenants have in the database.
func (s *Server) inspectionRoutes() {
	route(s, &endpoint{
		id: "inspect-tenants", method: http.MethodGet, path: "/admin/inspections", tag: "tenants",
		summary:     "Look at many tenants and what they have in the database",
		description: "All in one query, in no order; ids that nobody has are left out. For a live tenant it tells whether schema and role are as they were made.",
		scope:       access.ScopeRead,
	}, s.inspectTenants)
	route(s, &endpoint{
		id: "repair-tenant", method: http.MethodPost, path: tenantPath + "/repair", tag: "tenants",
		summary: "Put a tenant's database role right", description: "Gives it what it should be able to do and takes what it should not. Nothing is changed when something is left that only a person can put right.",
		scope: access.ScopeWrite, changes: true, refusals: []int{http.StatusConflict},
	}, s.repairTenant)
}

type inspectInput struct {
	IDs string `query:"tenantId" required:"true" minLength:"36" maxLength:"3699" pattern:"^[0-9A-Fa-f-]{36}(,[0-9A-Fa-f-]{36})*$" patternDescription:"up to 100 UUIDs with commas between them" doc:"The tenants' ids, up to 100, with commas between them." example:"0199a1f0-5f0b-7c2e-9d35-3f6f1a1e7b11"`
}

type inspectionView struct {
	Tenant         tenantView `json:"tenant"`
	DatabaseState  *string    `json:"databaseState" enum:"INTACT,ALTERED,MISSING" doc:"Null unless the tenant is ACTIVE."`
	DatabaseFaults []string   `json:"databaseFaults" nullable:"false" doc:"What is not as it was made."`
}

type inspectionsView struct {
	Inspections []inspectionView `json:"inspections" nullable:"false"`
}

func (s *Server) inspectTenants(ctx context.Context, in *inspectInput) (*plain[inspectionsView], error) {
	var ids []uuid.UUID
	for word := range strings.SplitSeq(in.IDs, ",") {
		if id, known := parseID(word); known { // One that is none is that of no tenant.
			ids = append(ids, id)
		}
	}
	found, err := s.opts.Service.Inspect(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := inspectionsView{Inspections: make([]inspectionView, len(found))}
	for i, f := range found {
		out.Inspections[i] = inspectionView{Tenant: viewOf(f.Tenant), DatabaseState: text(string(f.Database)), DatabaseFaults: orNone(f.Faults)}
	}
	return ok(out), nil
}

type repairedView struct {
	Tenant tenantView `json:"tenant"`
	Faults []string   `json:"faults" nullable:"false" doc:"What was not as it should be."`
}

func (s *Server) repairTenant(ctx context.Context, in *ByID) (*plain[repairedView], error) {
	id, err := in.tenant()
	if err != nil {
		return nil, err
	}
	t, faults, err := s.opts.Service.Repair(ctx, id)
	if err != nil {
		return nil, err
	}
	return ok(repairedView{viewOf(t), orNone(faults)}), nil
}

// orNone is a list that is written as one, also when it is empty.
func orNone(all []string) []string {
	if all == nil {
		return []string{}
	}
	return all
}

var _ provisioning.Inspector = (*provisioning.Service)(nil)
