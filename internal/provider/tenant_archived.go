package provider

import (
	"context"
	"fmt"
	"reflect"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// This file is about a tenant that stays in the state although it is archived: a destroy has archived
// it, and could not purge it.

// isPurgeBegun reports whether an earlier destroy has archived the tenant and could not purge it.
func isPurgeBegun(ctx context.Context, private privateData) bool {
	begun, _ := private.GetKey(ctx, purgeBegunKey)
	return len(begun) > 0
}

// planArchived plans what becomes of an archived tenant. Its purge is continued, by a replacement, only
// as long as the configuration says PURGE; otherwise it stays archived, with its data.
func (r *tenantResource) planArchived(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse, plan, state tenantModel) {
	note := noteOf(state)
	note.KeepsData = plan.DeletionPolicy.ValueString() == policyArchive
	if continued := hasPurgePolicy(state) && plan.DeletionPolicy.ValueString() == policyPurge; continued {
		r.planReplacement(plan, state, &note, &resp.Diagnostics)
		note.save(ctx, resp.Private, &resp.Diagnostics)
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("status"), types.StringUnknown())...)
		resp.RequiresReplace = append(resp.RequiresReplace, path.Root("status"))
		return
	}
	note.save(ctx, resp.Private, &resp.Diagnostics)
	resp.Diagnostics.AddAttributeWarning(path.Root("status"), "Tenant is archived", fmt.Sprintf("Tenant %q (%s) was archived by a destroy whose purge was refused or failed. "+
		"This plan does not delete its data, and does not bring it back.\n\n%s", state.Name.ValueString(), state.ID.ValueString(), wayBack(state.ID.ValueString())))
	for name, value := range map[string]any{
		"status": state.Status, "welcome_email_status": state.WelcomeEmailStatus, "soroban_contract_state": state.SorobanContractState,
		"database_state": state.DatabaseState, "updated_at": state.UpdatedAt,
	} {
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root(name), value)...)
	}
	planLife(ctx, req, resp, state)
}

// updateArchived stores the attributes that say what a destroy does, which are in the state alone.
// Anything else is refused: a tenant that is archived does not change.
func (r *tenantResource) updateArchived(ctx context.Context, plan, state tenantModel, resp *resource.UpdateResponse) {
	changed := state
	changed.DeletionPolicy, changed.UnarchiveExisting, changed.Timeouts = plan.DeletionPolicy, plan.UnarchiveExisting, plan.Timeouts
	if !reflect.DeepEqual(changed, plan) {
		diagnostic{operation: "update", name: state.Name.ValueString(), state: "The tenant stays as it is.", remedy: wayBack(state.ID.ValueString())}.add(ctx, &resp.Diagnostics,
			errs.Errorf(errs.KindConflict, "update tenant", "it is ARCHIVED since a destroy whose purge was refused or failed; only deletion_policy can be changed"))
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &changed)...)
	saveIdentity(ctx, &resp.Diagnostics, resp.Identity, state.ID.ValueString())
}
