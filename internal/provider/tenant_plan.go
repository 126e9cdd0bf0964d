package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// ModifyPlan plans an in-place update for a tenant that is not live yet or whose
// welcome mail was not sent, and warns at plan of the errors that apply would return.
func (r *tenantResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var plan, state tenantModel
	switch {
	case req.State.Raw.IsNull():
		resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
		r.planCreate(ctx, req, resp, plan)
	case req.Plan.Raw.IsNull():
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
		if !resp.Diagnostics.HasError() {
			r.planDelete(ctx, resp, state)
		}
	default:
		resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
		resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
		if !resp.Diagnostics.HasError() {
			r.planUpdate(ctx, req, resp, plan, state)
		}
	}
}

// planCreate plans a new tenant, also that of a replacement.
func (r *tenantResource) planCreate(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse, plan tenantModel) {
	note, ownID := r.noteOfReplaced(ctx, req, plan), ""
	if note.Purge { // Which sets the external id free.
		ownID = note.TenantID
	}
	var found diag.Diagnostics
	r.checkExternalIDAvailable(ctx, plan, ownID, &found)
	if !found.HasError() {
		r.checkNameAvailable(ctx, req, plan, nil, &found)
	}
	note.refuse(found, &resp.Diagnostics)
	if note.Purge && note.Refused == nil {
		warnPurge(note, &resp.Diagnostics)
	}
	note.save(ctx, resp.Private, &resp.Diagnostics)
	r.planDefaultBlueprint(ctx, req, resp)
}

// noteOfReplaced begins the note on the tenant that a new one replaces. The zero value: there is none.
func (r *tenantResource) noteOfReplaced(ctx context.Context, req resource.ModifyPlanRequest, plan tenantModel) planNote {
	note := readPlanNote(ctx, req.Private)
	if note.TenantID != "" || r.backend == nil || plan.Name.IsUnknown() {
		return note
	}
	stored, ok := r.names.stored(plan.Name.ValueString(), plan.ExternalID.ValueString())
	status := tenant.Status(stored.Status)
	if !ok || !status.Live() && status != tenant.StatusArchived {
		return note
	}
	configured := plan.DeletionPolicy.ValueString()
	return planNote{TenantID: stored.ID, Name: stored.Name, SchemaName: stored.SchemaName,
		Purge: stored.DeletionPolicy == policyPurge && configured == policyPurge, KeepsData: configured == policyArchive}
}

// planDelete plans the end of a tenant.
func (r *tenantResource) planDelete(ctx context.Context, resp *resource.ModifyPlanResponse, state tenantModel) {
	note := noteOf(state)
	note.Purge = hasPurgePolicy(state)
	note.save(ctx, resp.Private, &resp.Diagnostics)
	r.checkDeletable(state, note.Purge, &resp.Diagnostics)
	r.planArchive(state, &resp.Diagnostics)
	if note.Purge && !resp.Diagnostics.HasError() {
		warnPurge(note, &resp.Diagnostics)
	}
}

// planReplacement plans what a replacement does to the data of the old tenant: state and configuration
// must both say PURGE.
func (r *tenantResource) planReplacement(plan, state tenantModel, note *planNote, diags *diag.Diagnostics) {
	note.Purge = hasPurgePolicy(state) && plan.DeletionPolicy.ValueString() == policyPurge
	r.checkDeletable(state, note.Purge, diags)
	if note.Purge && !diags.HasError() {
		warnPurge(*note, diags)
	}
}

// planUpdate plans the change of a tenant, or the first half of its replacement.
func (r *tenantResource) planUpdate(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse, plan, state tenantModel) {
	if state.Status.ValueString() == string(tenant.StatusArchived) {
		r.planArchived(ctx, req, resp, plan, state)
		return
	}
	note := noteOf(state)
	note.KeepsData = plan.DeletionPolicy.ValueString() == policyArchive
	var found diag.Diagnostics
	r.checkNameAvailable(ctx, req, plan, &state, &found)
	checkBlueprintUnchanged(plan, state, &found)
	if !plan.ExternalID.Equal(state.ExternalID) { // Which replaces it.
		r.planReplacement(plan, state, &note, &resp.Diagnostics)
		r.checkExternalIDAvailable(ctx, plan, note.TenantID, &found)
	}
	if r.planContract(ctx, state, &found) {
		plan.SorobanContractState = types.StringValue(string(contracts.StateLive))
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("soroban_contract_state"), plan.SorobanContractState)...)
	}
	if r.planDatabase(ctx, state, &found) {
		plan.DatabaseState = types.StringValue(string(inspection.DatabaseInSync))
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("database_state"), plan.DatabaseState)...)
	}
	note.refuse(found, &resp.Diagnostics)
	note.save(ctx, resp.Private, &resp.Diagnostics)
	plan.Suspended = planLife(ctx, req, resp, state)
	planComputed(ctx, plan, state, resp)
}

// planComputed plans the computed attributes of a tenant that exists: what the apply does not
// change keeps its value, so that a plan shows what changes, and resources that use them stay.
func planComputed(ctx context.Context, plan, state tenantModel, resp *resource.ModifyPlanResponse) {
	set := func(name string, value any) {
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root(name), value)...)
	}
	unknown := types.StringUnknown()
	due := tenant.WelcomeEmailStatus(state.WelcomeEmailStatus.ValueString()).Due() && !plan.Suspended.ValueBool()
	invites := due || !plan.AdminEmail.Equal(state.AdminEmail) // Another address is invited.
	if !tenant.Status(state.Status.ValueString()).Live() {
		for _, name := range []string{"updated_at", "status", "welcome_email_status", "soroban_contract_id", "soroban_contract_state", "database_state"} {
			set(name, unknown)
		}
		set("blueprint_schema_version", types.Int64Unknown())
		set("outputs", types.MapUnknown(types.StringType))
		return
	}
	set("status", plannedStatus(plan.Suspended))
	mail := state.WelcomeEmailStatus
	if invites {
		mail = unknown
	}
	set("welcome_email_status", mail)
	if due {
		set("updated_at", unknown)
	}
	// A state that was not read is read by the apply.
	if plan.SorobanContractState.IsUnknown() && !state.SorobanContractState.IsNull() {
		set("soroban_contract_state", state.SorobanContractState)
	}
	if plan.DatabaseState.IsUnknown() && !state.DatabaseState.IsNull() {
		set("database_state", state.DatabaseState)
	}
}

// plannedStatus is the status of a live tenant after the apply.
func plannedStatus(suspended types.Bool) types.String {
	switch {
	case suspended.IsUnknown():
		return types.StringUnknown()
	case suspended.ValueBool():
		return types.StringValue(string(tenant.StatusSuspended))
	}
	return types.StringValue(string(tenant.StatusActive))
}
