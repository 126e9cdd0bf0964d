package provider

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// ImportState takes the id, name:NAME, or the identity.
func (r *tenantResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	ctx = r.masked(ctx)
	wanted := req.ID
	if wanted == "" && req.Identity != nil {
		var identity identityModel
		resp.Diagnostics.Append(req.Identity.Get(ctx, &identity)...)
		wanted = identity.ID.ValueString()
	}
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := within(ctx, "read", readTimeout)
	defer cancel()
	t, err := r.find(ctx, wanted)
	if err != nil {
		rep := report{tried: "import", name: wanted}
		if kind := provisioning.KindOf(err); kind == provisioning.KindNotFound || kind == provisioning.KindInvalid {
			rep.next = "Give the id or name:NAME of a live tenant."
		}
		rep.add(ctx, &resp.Diagnostics, err)
		return
	}
	if t.Status == provisioning.StatusArchived {
		report{tried: "import", name: t.Name, next: "An archived tenant cannot be managed. Import a live one, or create a new one."}.add(ctx, &resp.Diagnostics,
			provisioning.Errorf(provisioning.KindConflict, "import tenant", "it is archived since %s", t.ArchivedAt.UTC().Format("2006-01-02")))
		return
	}
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), t.ID.String())...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("deletion_protection"), false)...)
	identify(ctx, &resp.Diagnostics, resp.Identity, t.ID.String())
}

func (r *tenantResource) find(ctx context.Context, wanted string) (provisioning.Tenant, error) {
	service, err := r.open(ctx)
	if err != nil {
		return provisioning.Tenant{}, err
	}
	if name, ok := strings.CutPrefix(wanted, "name:"); ok {
		return service.FindByName(ctx, name)
	}
	id, err := uuid.Parse(wanted)
	if err != nil {
		return provisioning.Tenant{}, provisioning.Errorf(provisioning.KindInvalid, "import tenant",
			"%s is neither a tenant's UUID nor name:NAME", fmt.Sprintf("%.80q", wanted))
	}
	return service.Get(ctx, id)
}
