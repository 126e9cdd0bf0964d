package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Delete archives a tenant that was live, and keeps its schema. It aborts one that was not.
func (r *tenantResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	ctx = r.withLogMask(ctx)
	var state tenantModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	timeout, diags := timeoutFor(ctx, state.Timeouts, state.Timeouts.Delete, deleteTimeout)
	resp.Diagnostics.Append(diags...)
	note := readPlanNote(ctx, req.Private)
	if note.TenantID != state.ID.ValueString() {
		note = planNote{} // It says nothing about this tenant.
	}
	r.checkDeletable(state, note.Purge, &resp.Diagnostics)
	if resp.Diagnostics.HasError() || note.Refused.addTo(&resp.Diagnostics) { // What would replace it is refused.
		return
	}
	ctx, cancel := withTimeout(ctx, "delete", timeout)
	defer cancel()
	d := diagnostic{operation: "archive", name: state.Name.ValueString(), state: "The tenant stays in the state.",
		remedy: "Once the cause is gone, repeat the command. TF_LOG_PROVIDER=DEBUG shows the cause in detail."}
	id, err := state.tenantID()
	if err != nil {
		d.addInvalidID(ctx, &resp.Diagnostics, state)
		return
	}
	if !r.handovers.archive(id.String()) {
		resp.Diagnostics.AddWarning("Tenant is not archived", fmt.Sprintf("Tenant %q (%s): another resource of this apply has the same managed_by and inputs, and adopted it. "+
			"It stays live, and in the state of that resource.\n\nIf a resource's address changes in the configuration, add a moved block.", state.Name.ValueString(), id))
		return
	}
	service, err := r.openKnown(ctx, req.Private)
	if err != nil {
		r.handovers.keep(id.String())
		d.add(ctx, &resp.Diagnostics, err)
		return
	}
	if note.Purge && !r.checkPurge(ctx, service, id, &resp.Diagnostics) {
		r.handovers.keep(id.String())
		return
	}
	defer r.handovers.begin(id.String()).end()
	t, err := service.Archive(ctx, id)
	switch {
	case errs.KindOf(err) == errs.KindNotFound: // It does not exist any more.
	case err != nil:
		r.handovers.keep(id.String())
		d.add(ctx, &resp.Diagnostics, err)
	case t.WasLive():
		tflog.Info(ctx, "archived the tenant; its schema and data stay", map[string]any{"tenant_id": t.ID.String(), "schema_name": t.SchemaName})
		r.names.forget(t.ID.String())
		r.setContractStatus(ctx, t, &resp.Diagnostics)
		switch {
		case note.Purge:
			r.purge(ctx, service, t, resp)
		case hasPurgePolicy(state) && !note.KeepsData:
			warnNotPurged(t, &resp.Diagnostics)
		}
	default:
		tflog.Info(ctx, "rolled back the tenant, which was never live", map[string]any{"tenant_id": t.ID.String()})
	}
}

// checkDeletionProtection reports an error for a protected tenant. A tenant that is not
// active is not protected: a failed create must be able to start again.
func (r *tenantResource) checkDeletionProtection(state tenantModel, diags *diag.Diagnostics) {
	if !state.DeletionProtection.ValueBool() || !tenant.Status(state.Status.ValueString()).Live() {
		return
	}
	diags.AddAttributeError(path.Root("deletion_protection"), "Tenant is protected",
		fmt.Sprintf("Tenant %q (%s) has deletion_protection = true, so it is neither archived nor replaced. Nothing was changed.\n\n"+
			"To proceed, set deletion_protection = false, apply that, and then repeat this.", state.Name.ValueString(), state.ID.ValueString()))
}
