package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// refuseTakenExternalID tells at plan that Create would be refused. Replacing a
// tenant archives it first, and the refusal would come too late for it. own is the
// id of the tenant that is planned. A registry that cannot be asked now is no
// finding: apply will say what there is to say.
func (r *tenantResource) refuseTakenExternalID(ctx context.Context, plan tenantModel, own string, diags *diag.Diagnostics) {
	if r.backend == nil || !r.known() || plan.ExternalID.IsUnknown() || plan.ExternalID.ValueString() == "" {
		return
	}
	ctx, cancel := context.WithTimeout(r.masked(ctx), readTimeout)
	defer cancel()
	service, err := r.open(ctx)
	if err != nil {
		return
	}
	t, err := service.FindByExternalID(ctx, plan.ExternalID.ValueString())
	if err != nil || !t.WasLive() || t.ID.String() == own {
		return
	}
	if t.Status == provisioning.StatusActive && r.settings.managedBy != "" && t.ManagedBy == r.settings.managedBy {
		return // Create may take it over.
	}
	rep := r.refusal(plan, provisioning.Outcome{Standing: &t})
	if own == "" && t.Status == provisioning.StatusActive {
		rep.next += " If this plan is to replace it (-replace, or a tainted resource): an external_id stays with the archived tenant, " +
			"so give another one, or keep the tenant with terraform untaint ADDRESS."
	}
	rep.add(ctx, diags, provisioning.Exists(t, plan.ExternalID.ValueString()))
}
