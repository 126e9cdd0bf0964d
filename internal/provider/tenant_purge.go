package provider

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
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
		MarkdownDescription: "What a destroy does: `ARCHIVE` (the default) keeps schema and data, `PURGE` **deletes them for good**, without waiting for the end of the retention period. `PURGE` needs `allow_purge = true` in the provider, in `api` mode also `ALLOW_EARLY_PURGE=true` of the server and the scope `tenants:purge`, and is refused under a legal hold. A plan that purges has a warning that names tenant and schema. State and configuration must both say `PURGE`.",
	}
}

// purgeBegunKey is the private-data key that says that a destroy has archived the tenant and could not
// purge it: the next one continues, although an archived tenant leaves the state otherwise.
const purgeBegunKey = "purge_begun"

// hasPurgePolicy reports whether a destroy of the tenant deletes its data: one that was never live has none.
func hasPurgePolicy(state tenantModel) bool {
	status := tenant.Status(state.Status.ValueString())
	return state.DeletionPolicy.ValueString() == policyPurge && (status.Live() || status == tenant.StatusArchived)
}

// checkDeletable reports at plan, and again at apply, why a tenant cannot be destroyed. purge: its data
// are deleted, too.
func (r *tenantResource) checkDeletable(state tenantModel, purge bool, diags *diag.Diagnostics) {
	r.checkDeletionProtection(state, diags)
	if !purge || r.backend == nil {
		return
	}
	tenantName := fmt.Sprintf("Tenant %q (%s)", state.Name.ValueString(), state.ID.ValueString())
	if !r.settings.allowPurge {
		diags.AddAttributeError(path.Root("deletion_policy"), "Purge is not allowed", tenantName+" has deletion_policy = \"PURGE\", so this would delete its records for good, and the provider does not allow that. Nothing was changed.\n\n"+
			"Set allow_purge = true in the provider, or deletion_policy = \"ARCHIVE\" here, and apply that first: a destroy reads the value in the state.")
	}
	if hold, ok := holdOf(state.LegalHold); ok && hold.Active.ValueBool() {
		diags.AddAttributeError(path.Root("legal_hold"), "Tenant is under a legal hold", tenantName+" has deletion_policy = \"PURGE\" and a legal hold: "+hold.Reason.ValueString()+". Nothing was changed.\n\n"+
			"To keep its data, set deletion_policy = \"ARCHIVE\" and apply that. Otherwise clear the hold first: legal_hold = { active = false, reason = \"...\" }, and apply that.")
	}
}

// warnPurge says in a plan that it deletes data.
func warnPurge(n planNote, diags *diag.Diagnostics) {
	diags.AddAttributeWarning(path.Root("deletion_policy"), "Data are deleted for good", fmt.Sprintf("Tenant %[1]q (%[2]s) has deletion_policy = \"PURGE\": applying this plan deletes its schema %[3]s with all records, for good.\n\n"+
		"To keep them, do not apply this. Set deletion_policy = \"ARCHIVE\" and apply that first.", n.Name, n.TenantID, n.SchemaName))
}

// warnNotPurged says that a tenant with the policy PURGE was archived alone. Two plans cannot announce a
// purge: that of -replace, and that of a tainted resource with another name and external id, which does
// not see which tenant it replaces.
func warnNotPurged(t tenant.Tenant, diags *diag.Diagnostics) {
	diags.AddWarning("Tenant is archived, not purged", fmt.Sprintf("Tenant %[1]q (%[2]s) has deletion_policy = \"PURGE\", and the plan did not say that its data are deleted. So it is archived and has its schema %[3]s.\n\n"+
		"To delete its data: tenant-api tenants purge %[2]s.", t.Name, t.ID, t.SchemaName))
}

// checkPurge reports why a tenant cannot be purged, before it is archived for that: by then it would be
// out of service, with its logins and invitations ended. It reports true if nothing is known that speaks against it.
func (r *tenantResource) checkPurge(ctx context.Context, service tenantService, id uuid.UUID, diags *diag.Diagnostics) bool {
	t, err := service.Get(ctx, id)
	if err == nil && t.WasLive() {
		err = service.CheckPurge(ctx, id, t.Name, provisioning.SkipRetention)
	}
	if err == nil || errs.KindOf(err) == errs.KindNotFound { // Also of an older server, which has no check.
		return true
	}
	d := diagnostic{operation: "purge", name: t.Name, state: fmt.Sprintf("Nothing was changed: the tenant (%s) is %s, and stays in the state.", id, t.Status),
		remedy: "Once the cause is gone, repeat the command. To keep the data instead, set deletion_policy = \"ARCHIVE\" and apply that first."}
	if t.Status == tenant.StatusArchived {
		d.remedy += " " + wayBack(id.String())
	}
	d.add(ctx, diags, err)
	return false
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
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("status"), string(tenant.StatusArchived))...)
	diagnostic{operation: "purge", name: t.Name, state: fmt.Sprintf("The tenant (%s) is archived, has its data, and stays in the state.", t.ID),
		remedy: "Once the cause is gone, repeat the command: it continues with the purge. To keep the data instead, set deletion_policy = \"ARCHIVE\" and apply that. " + wayBack(t.ID.String())}.add(ctx, &resp.Diagnostics, err)
}

// wayBack says how an archived tenant that is in the state becomes live again, or leaves the state.
func wayBack(id string) string {
	return "To bring the tenant back into service, run tenant-api tenants unarchive " + id + " (or POST /admin/tenants/" + id + "/unarchive, or the action healthcare_tenant_unarchive), and plan again. " +
		"To leave it archived and outside this state: terraform state rm ADDRESS, or a removed block."
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
