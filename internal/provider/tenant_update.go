package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// Update changes a tenant in place. It also continues one that is not live yet,
// and sends a welcome mail that was not accepted again.
func (r *tenantResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	ctx = r.masked(ctx)
	var plan, state tenantModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	patience, diags := limit(ctx, plan.Timeouts, plan.Timeouts.Update, updateTimeout)
	resp.Diagnostics.Append(diags...)
	ctx, password, diags := passwordOf(ctx, req.Config)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := within(ctx, "update", patience)
	defer cancel()
	rep := report{tried: "update", name: state.Name.ValueString(), survived: "The tenant stays as the state shows it."}
	id, err := state.tenantID()
	if err != nil {
		rep.add(ctx, &resp.Diagnostics, provisioning.Errorf(provisioning.KindInvalid, "update tenant", "the id in the state is no UUID"))
		return
	}
	service, err := r.open(ctx)
	if err != nil {
		rep.add(ctx, &resp.Diagnostics, err)
		return
	}
	inputs := plan.inputs(r.settings.managedBy)
	// One that is not live yet gets it in any case: the apply that was to set it may
	// have ended before it did, or with another one.
	if live := state.Status.ValueString() == string(provisioning.StatusActive); !live || !plan.AdminPasswordVersion.Equal(state.AdminPasswordVersion) {
		inputs.AdminPassword = password
	}
	t, err := service.Update(ctx, id, inputs, 0)
	if err != nil {
		if provisioning.KindOf(err) == provisioning.KindConflict && len(provisioning.FieldsOf(err)) > 0 {
			rep.next = "Choose another value. If two tenants are to exchange names, give one of them a third name first, in an apply of its own."
		}
		rep.add(ctx, &resp.Diagnostics, err)
		return
	}
	tflog.Info(ctx, "changed the tenant", map[string]any{"tenant_id": t.ID.String(), "tenant_name": t.Name, "status": string(t.Status)})
	planned := plan
	plan.SorobanContractState, plan.DatabaseState = state.SorobanContractState, state.DatabaseState
	keep(ctx, &resp.Diagnostics, &resp.State, resp.Identity, plan, t)
	healed := r.heal(ctx, &plan, planned, t, &resp.Diagnostics)
	keep(ctx, &resp.Diagnostics, &resp.State, resp.Identity, plan, t)
	if !healed {
		return
	}

	var out provisioning.Outcome
	switch {
	case t.Status != provisioning.StatusActive:
		out, err = service.Resume(ctx, id)
	case t.WelcomeEmail != provisioning.WelcomeEmailSent:
		out, err = service.ResendWelcome(ctx, id)
	default:
		return
	}
	if out.Tenant.ID == id {
		t = out.Tenant
		if planned.SorobanContractState.IsUnknown() {
			r.contractAsVerified(&plan, t)
		}
		if planned.DatabaseState.IsUnknown() {
			databaseAsMade(&plan, t)
		}
	}
	keep(ctx, &resp.Diagnostics, &resp.State, resp.Identity, plan, t)
	addWarnings(&resp.Diagnostics, out)
	ended(ctx, &resp.Diagnostics, "continue", t, err)
}

// heal puts right what drifted, as far as that was planned, and puts into the model
// what is so after it: what was planned, or what is found where that is not known.
func (r *tenantResource) heal(ctx context.Context, m *tenantModel, planned tenantModel, t provisioning.Tenant, diags *diag.Diagnostics) bool {
	if !r.repair(ctx, planned.DatabaseState, m.DatabaseState, t, diags) {
		return false
	}
	if !r.renewContract(ctx, planned.SorobanContractState, m.SorobanContractState, t, diags) {
		m.DatabaseState = known(planned.DatabaseState, m.DatabaseState)
		return false
	}
	m.DatabaseState, m.SorobanContractState = planned.DatabaseState, planned.SorobanContractState
	if !m.DatabaseState.IsUnknown() && !m.SorobanContractState.IsUnknown() {
		return true
	}
	found, err := r.inspect(ctx, t.ID)
	if err != nil {
		found = provisioning.Inspection{Tenant: t} // The next refresh tells.
	}
	if m.DatabaseState.IsUnknown() {
		databaseAsFound(ctx, m, found)
	}
	if m.SorobanContractState.IsUnknown() {
		r.contractAsFound(ctx, m, found, nil)
	}
	return true
}

// known is a value, or another one while it is not known.
func known(value, otherwise types.String) types.String {
	if value.IsUnknown() {
		return otherwise
	}
	return value
}
