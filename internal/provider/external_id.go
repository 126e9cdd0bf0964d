package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// checkExternalIDAvailable reports at plan that Create would be refused. A replacement
// archives the old tenant first, so an error at apply would come too late for it. ownID
// is the id of the planned tenant. An unreachable registry is no error here: apply
// reports it.
func (r *tenantResource) checkExternalIDAvailable(ctx context.Context, plan tenantModel, ownID string, diags *diag.Diagnostics) {
	if r.backend == nil || !r.isConfigKnown() || plan.ExternalID.IsUnknown() || plan.ExternalID.ValueString() == "" {
		return
	}
	ctx, cancel := context.WithTimeout(r.withLogMask(ctx), readTimeout)
	defer cancel()
	service, err := r.open(ctx)
	if err != nil {
		return
	}
	t, err := service.FindByExternalID(ctx, plan.ExternalID.ValueString())
	if err != nil || !t.WasLive() || t.ID.String() == ownID || !t.PurgedAt.IsZero() { // A purged tenant's is free.
		return
	}
	if t.Status == tenant.StatusArchived && t.PurgedAt.IsZero() && plan.UnarchiveExisting.ValueBool() {
		diags.AddAttributeWarning(path.Root("unarchive_existing"), "Archived tenant is brought back", fmt.Sprintf(
			"Tenant %q (%s), archived on %s, has the external_id %q. This plan brings it back with its data and with the values of the configuration; it creates no other one.",
			t.Name, t.ID, t.ArchivedAt.UTC().Format("2006-01-02"), t.ExternalID))
		return
	}
	if t.Status.Live() && r.settings.managedBy != "" && t.ManagedBy == r.settings.managedBy {
		return // Create may adopt it.
	}
	d := r.conflictDiagnostic(plan, provisioning.Outcome{ConflictingTenant: &t})
	if ownID == "" && t.Status.Live() {
		d.remedy += " If this plan is to replace it (-replace, or a tainted resource): an external_id stays with the archived tenant, " +
			"so choose another one, or keep the tenant with terraform untaint ADDRESS."
	}
	var found diag.Diagnostics
	d.add(ctx, &found, provisioning.ErrTenantExists(t, tenant.Inputs{ExternalID: plan.ExternalID.ValueString()}))
	// A live tenant outside this state holds up this resource alone, as checkNameNotInUse says. That of
	// a replacement is in this state.
	if ownID == "" && t.Status != tenant.StatusArchived && !r.names.comesFromState(ctx, t.ID.String()) {
		found = asWarnings(found)
	}
	diags.Append(found...)
}
