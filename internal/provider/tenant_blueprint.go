package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/mapplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// blueprintAttribute names what a tenant is made from.
func blueprintAttribute() schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true, Computed: true, PlanModifiers: []planmodifier.String{stringplanmodifier.UseNonNullStateForUnknown()},
		Validators: []validator.String{fieldValidator{"blueprint", tenant.CheckBlueprint}},
		MarkdownDescription: "Name of the blueprint that the tenant is made from: its tables, privileges, user roles and mails. It must be published and active in the registry. " +
			"It never changes: another value is a warning at plan, and the apply refuses it. Default: `default_blueprint` of the provider, or `DEFAULT_BLUEPRINT` of the server in `api` mode, which is `standard` unless set.",
	}
}

// variablesAttribute has the blueprint's variables.
func variablesAttribute() schema.MapAttribute {
	return schema.MapAttribute{
		Optional: true, ElementType: types.StringType,
		Validators:          []validator.Map{mapValidator{"variables", "map of variables", tenant.CheckVariables}},
		MarkdownDescription: "Values for the blueprint's variables; those without an own value here have the blueprint's default. Can be changed in place; that changes no rows that exist. No secrets.",
	}
}

// outputsAttribute has what own steps answered.
func outputsAttribute() schema.MapAttribute {
	return schema.MapAttribute{
		Computed: true, Sensitive: true, ElementType: types.StringType, PlanModifiers: []planmodifier.Map{mapplanmodifier.UseNonNullStateForUnknown()},
		MarkdownDescription: "What the blueprint's own steps answered, by name, such as an id in a directory of the platform. Empty without such steps; in `api` mode also if the key lacks the scope `tenants:write`.",
	}
}

// blueprintVersionAttribute is the version of the tenant's schema.
func blueprintVersionAttribute() schema.Int64Attribute {
	return schema.Int64Attribute{
		Computed: true, PlanModifiers: []planmodifier.Int64{int64planmodifier.UseNonNullStateForUnknown()},
		MarkdownDescription: "Number of the blueprint's last migration in the tenant's schema. `tenant-api tenants migrate` brings it to the newest.",
	}
}

// planDefaultBlueprint plans the blueprint of a new tenant whose configuration names none. In API
// mode the server chooses it, and it is known after the apply.
func (r *tenantResource) planDefaultBlueprint(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	var configured types.String
	resp.Diagnostics.Append(req.Config.GetAttribute(ctx, path.Root("blueprint"), &configured)...)
	if !configured.IsNull() || r.backend == nil || !r.isConfigKnown() || r.settings.api != nil {
		return
	}
	resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("blueprint"), types.StringValue(r.settings.database.DefaultBlueprint))...)
}

// checkBlueprintUnchanged reports at plan that a tenant never gets another blueprint. A tenant
// that is replaced, because of its external_id, may.
func checkBlueprintUnchanged(plan, state tenantModel, diags *diag.Diagnostics) {
	if plan.Blueprint.IsUnknown() || state.Blueprint.IsNull() || plan.Blueprint.Equal(state.Blueprint) || !plan.ExternalID.Equal(state.ExternalID) {
		return
	}
	diags.AddAttributeError(path.Root("blueprint"), "Blueprint cannot change", fmt.Sprintf(
		"Tenant %[1]q (%[2]s) was made from the blueprint %[3]q, and the configuration says %[4]q. A tenant's blueprint never changes, because its tables have records. Nothing was changed.\n\n"+
			"Write blueprint = %[3]q to keep the tenant. To have one with %[4]q, make another tenant: a resource of its own, with another name.",
		state.Name.ValueString(), state.ID.ValueString(), state.Blueprint.ValueString(), plan.Blueprint.ValueString()))
}

// keepPlanned keeps the schema version and the status of the mail that were planned, because a
// tenant can be migrated, or its admin invited, between plan and apply. The next refresh reads what
// they are then.
func keepPlanned(plan tenantModel, t *tenant.Tenant) {
	if planned := plan.WelcomeEmailStatus; !planned.IsNull() && !planned.IsUnknown() {
		t.WelcomeEmail = tenant.WelcomeEmailStatus(planned.ValueString())
	}
	if planned := plan.BlueprintVersion; !planned.IsNull() && !planned.IsUnknown() {
		t.SchemaVersion = int(planned.ValueInt64())
	}
	keepPlannedLife(plan, t)
}
