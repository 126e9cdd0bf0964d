package provider

import (
	"context"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Update changes a tenant in place. It also continues a tenant that is not live yet, and
// sends the welcome mail again if the mail server refused it before.
func (r *tenantResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	ctx = r.withLogMask(ctx)
	var plan, state tenantModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	timeout, diags := timeoutFor(ctx, plan.Timeouts, plan.Timeouts.Update, updateTimeout)
	resp.Diagnostics.Append(diags...)
	ctx, password, diags := passwordFromConfig(ctx, req.Config)
	resp.Diagnostics.Append(diags...)
	life := readLifeConfig(ctx, req.Config, &resp.Diagnostics)
	if resp.Diagnostics.HasError() || readPlanNote(ctx, req.Private).Refused.addTo(&resp.Diagnostics) {
		return
	}
	if state.Status.ValueString() == string(tenant.StatusArchived) {
		r.updateArchived(ctx, plan, state, resp)
		return
	}
	ctx, cancel := withTimeout(ctx, "update", timeout)
	defer cancel()
	d := diagnostic{operation: "update", name: state.Name.ValueString(), state: "The tenant stays as the state shows it."}
	id, err := state.tenantID()
	if err != nil {
		d.addInvalidID(ctx, &resp.Diagnostics, state)
		return
	}
	service, err := r.openKnown(ctx, req.Private)
	if err != nil {
		d.add(ctx, &resp.Diagnostics, err)
		return
	}
	if err := r.resumeFirst(ctx, service, life, state, &resp.Diagnostics); err != nil {
		d.operation = "resume"
		d.add(ctx, &resp.Diagnostics, err)
		return
	}
	inputs := plan.inputs(r.settings.managedBy)
	inputs.DeletionProtection = life.deletionProtection()
	// A tenant that is not live yet always gets the configured password: the apply that
	// should have set it may have ended early, or had another one.
	if live := tenant.Status(state.Status.ValueString()).Live(); !live || !plan.AdminPasswordVersion.Equal(state.AdminPasswordVersion) {
		inputs.AdminPassword = password
	}
	t, ok := r.updateInputs(ctx, service, id, inputs, d, &resp.Diagnostics)
	if !ok {
		return
	}
	tflog.Info(ctx, "changed the tenant", map[string]any{"tenant_id": t.ID.String(), "tenant_name": t.Name, "status": string(t.Status)})
	t = r.applyLife(ctx, service, life, t, &resp.Diagnostics)
	r.recordRegistry(ctx, nil, resp.Private, t, true, &resp.Diagnostics)
	model := plan
	model.SorobanContractState, model.DatabaseState = state.SorobanContractState, state.DatabaseState
	keepPlanned(plan, &t)
	saveState(ctx, &resp.Diagnostics, &resp.State, resp.Identity, model, t)
	repaired := r.repairDrift(ctx, &model, plan, t, &resp.Diagnostics)
	saveState(ctx, &resp.Diagnostics, &resp.State, resp.Identity, model, t)
	if repaired {
		r.continueUpdated(ctx, service, model, plan, t, resp)
	}
}

// updateInputs changes the inputs of a tenant, and waits for a name that this apply sets free.
func (r *tenantResource) updateInputs(ctx context.Context, service tenantService, id uuid.UUID, inputs tenant.Inputs, d diagnostic, diags *diag.Diagnostics) (t tenant.Tenant, ok bool) {
	operation := r.handovers.begin(id.String())
	defer operation.end()
	var err error
	wait := &nameWait{r: r, operation: operation, service: service, name: inputs.Name, ownID: id.String(), oldName: d.name}
	for again := true; again; again = wait.again(ctx, err) {
		t, err = service.Update(ctx, id, inputs, 0)
	}
	if err == nil {
		operation.goesOn()
		return t, true
	}
	switch fields := errs.FieldsOf(err); {
	case isNameConflict(err) && r.names.circle(d.name) != nil:
		addSwapped(d.name, r.names.circle(d.name), diags)
		return t, false
	case isNameConflict(err):
		d.remedy = "Choose another name. " + handoverRemedy
	case errs.KindOf(err) == errs.KindConflict && len(fields) > 0 && fields[0].Field != "blueprint":
		d.remedy = "Choose another value."
	}
	d.add(ctx, diags, err)
	return t, false
}

// continueUpdated continues an updated tenant that is not live yet, or sends its welcome
// mail again. Another tenant needs nothing more.
func (r *tenantResource) continueUpdated(ctx context.Context, service tenantService, model, planned tenantModel, t tenant.Tenant, resp *resource.UpdateResponse) {
	var (
		out provisioning.Outcome
		err error
	)
	switch {
	case !t.Status.Live():
		out, err = service.Retry(ctx, t.ID)
	case t.Status == tenant.StatusActive && t.WelcomeEmail.Due():
		out, err = service.Invite(ctx, t.ID)
	default:
		return
	}
	if out.Tenant.ID == t.ID {
		t = out.Tenant
		keepPlanned(planned, &t)
		if planned.SorobanContractState.IsUnknown() {
			r.setVerifiedContractState(&model, t)
		}
		if planned.DatabaseState.IsUnknown() {
			setCreatedDatabaseState(&model, t)
		}
	}
	saveState(ctx, &resp.Diagnostics, &resp.State, resp.Identity, model, t)
	addWarnings(&resp.Diagnostics, out)
	addRunDiagnostics(ctx, &resp.Diagnostics, "retry", t, err)
}

// repairDrift repairs planned drift of role and contract, and sets both states in the
// model: the planned values, or, if those are unknown, the values that it reads. It
// reports success.
func (r *tenantResource) repairDrift(ctx context.Context, m *tenantModel, planned tenantModel, t tenant.Tenant, diags *diag.Diagnostics) bool {
	if !r.applyDatabasePlan(ctx, planned.DatabaseState, m.DatabaseState, t, diags) {
		return false
	}
	if !r.applyContractPlan(ctx, planned.SorobanContractState, m.SorobanContractState, t, diags) {
		m.DatabaseState = known(planned.DatabaseState, m.DatabaseState)
		return false
	}
	m.DatabaseState, m.SorobanContractState = planned.DatabaseState, planned.SorobanContractState
	if !m.DatabaseState.IsUnknown() && !m.SorobanContractState.IsUnknown() {
		return true
	}
	found, err := r.inspect(ctx, t.ID)
	if err != nil {
		found = inspection.Inspection{Tenant: t} // The next refresh reads it.
	}
	if m.DatabaseState.IsUnknown() {
		setFoundDatabaseState(ctx, m, found)
	}
	if m.SorobanContractState.IsUnknown() {
		r.setFoundContractState(ctx, m, found)
	}
	return true
}

// known returns value, or fallback while value is unknown.
func known(value, fallback types.String) types.String {
	if value.IsUnknown() {
		return fallback
	}
	return value
}
