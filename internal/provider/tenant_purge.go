package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// The values of deletion_policy.
const (
	policyArchive = "ARCHIVE"
	policyPurge   = "PURGE"
)

func deletionPolicyAttribute() schema.StringAttribute {
	return schema.StringAttribute{
		Optional: true, Computed: true, Default: stringdefault.StaticString(policyArchive), Validators: []validator.String{stringvalidator.OneOf(policyArchive, policyPurge)},
		MarkdownDescription: "What a destroy does: `ARCHIVE` (the default) keeps schema and data, `PURGE` **deletes them for good**, without waiting for the end of the retention period. `PURGE` needs `allow_purge = true` in the provider, in `api` mode also `ALLOW_EARLY_PURGE=true` of the server and the scope `tenants:purge`, and is refused under a legal hold.",
	}
}

// purgeBegunKey is the private-data key that says that a destroy has archived the tenant and could not
// purge it: the next one continues, although an archived tenant leaves the state otherwise.
const purgeBegunKey = "purge_begun"

// checkDeletable reports at plan, and again at apply, why a tenant cannot be destroyed.
func (r *tenantResource) checkDeletable(state tenantModel, diags *diag.Diagnostics) {
	r.checkDeletionProtection(state, diags)
	status := tenant.Status(state.Status.ValueString())
	if state.DeletionPolicy.ValueString() != policyPurge || r.backend == nil || !status.Live() && status != tenant.StatusArchived {
		return // A tenant that was never live has nothing to purge.
	}
	tenantName := fmt.Sprintf("Tenant %q (%s)", state.Name.ValueString(), state.ID.ValueString())
	if !r.settings.allowPurge {
		diags.AddAttributeError(path.Root("deletion_policy"), "Purge is not allowed", tenantName+" has deletion_policy = \"PURGE\", so this would delete its records for good, and the provider does not allow that. Nothing was changed.\n\n"+
			"Set allow_purge = true in the provider, or deletion_policy = \"ARCHIVE\" here, and apply that first: a destroy reads the value in the state.")
	}
	if hold, ok := holdOf(state.LegalHold); ok && hold.Active.ValueBool() {
		diags.AddAttributeError(path.Root("legal_hold"), "Tenant is under a legal hold", tenantName+" has deletion_policy = \"PURGE\" and a legal hold: "+hold.Reason.ValueString()+". Nothing was changed.\n\n"+
			"To keep its data, set deletion_policy = \"ARCHIVE\". Otherwise clear the hold first: legal_hold = { active = false, reason = \"...\" }, and apply that.")
	}
}

// purge deletes the data of a tenant that Delete has archived.
func (r *tenantResource) purge(ctx context.Context, service tenantService, t tenant.Tenant, resp *resource.DeleteResponse) {
	if !t.PurgedAt.IsZero() {
		return
	}
	certificate, err := service.Purge(ctx, t.ID, t.Name, provisioning.SkipRetention)
	if err == nil {
		tflog.Info(ctx, "purged the tenant", map[string]any{"tenant_id": t.ID.String(), "schema_name": certificate.SchemaName})
		return
	}
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, purgeBegunKey, []byte("true"))...)
	diagnostic{operation: "purge", name: t.Name, state: fmt.Sprintf("The tenant (%s) is archived, has its data, and stays in the state.", t.ID),
		remedy: "Once the cause is gone, repeat the command: it continues with the purge. To keep the data instead: terraform state rm ADDRESS."}.add(ctx, &resp.Diagnostics, err)
}

// isPurgeBegun reports whether an earlier destroy has archived the tenant and is to be continued.
func isPurgeBegun(ctx context.Context, req resource.ReadRequest, t tenant.Tenant) bool {
	begun, _ := req.Private.GetKey(ctx, purgeBegunKey)
	return len(begun) > 0 && t.PurgedAt.IsZero()
}

// planAfterPurge plans the replacement of a tenant whose purge has begun: the only way on.
func planAfterPurge(ctx context.Context, resp *resource.ModifyPlanResponse) {
	resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("status"), types.StringUnknown())...)
	resp.RequiresReplace = append(resp.RequiresReplace, path.Root("status"))
}

// warnArchivedElsewhere says how a tenant that leaves the state comes back.
func warnArchivedElsewhere(t tenant.Tenant, diags *diag.Diagnostics) {
	since := t.ArchivedAt.UTC().Format("2006-01-02 15:04 MST")
	if !t.PurgedAt.IsZero() {
		diags.AddWarning("Tenant was purged elsewhere", fmt.Sprintf("Tenant %q (%s) was archived on %s and purged on %s, not by this configuration: its data are deleted for good. It leaves the state. "+
			"If the configuration still has it, the plan creates another, empty one; otherwise remove the resource.", t.Name, t.ID, since, t.PurgedAt.UTC().Format("2006-01-02 15:04 MST")))
		return
	}
	diags.AddWarning("Tenant was archived elsewhere", fmt.Sprintf("Tenant %[1]q (%[2]s) was archived on %[3]s, not by this configuration. It leaves the state; its schema and data stay.\n\n"+
		"If the configuration still has it, the plan creates another, empty tenant. To bring this one back instead, do not apply that: run tenant-api tenants unarchive %[2]s "+
		"(or POST /admin/tenants/%[2]s/unarchive, or the action healthcare_tenant_unarchive), and plan again. "+
		"If it has left the state by then, import it: terraform import ADDRESS %[2]s.", t.Name, t.ID, since))
}
