package provider

import (
	"context"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// ImportState imports a tenant by id, name:NAME or identity.
func (r *tenantResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	ctx = r.withLogMask(ctx)
	importID := req.ID
	if importID == "" && req.Identity != nil {
		var identity identityModel
		resp.Diagnostics.Append(req.Identity.Get(ctx, &identity)...)
		importID = identity.ID.ValueString()
	}
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := withTimeout(ctx, "read", readTimeout)
	defer cancel()
	t, err := r.find(ctx, importID)
	if err != nil {
		d := diagnostic{operation: "import", name: importID}
		if kind := errs.KindOf(err); kind == errs.KindNotFound || kind == errs.KindInvalid {
			d.remedy = "Give the id or name:NAME of a live tenant."
		}
		d.add(ctx, &resp.Diagnostics, err)
		return
	}
	if t.Status == tenant.StatusArchived {
		diagnostic{operation: "import", name: t.Name, remedy: "An archived tenant cannot be managed. Unarchive it first (tenant-api tenants unarchive " + t.ID.String() + "), or import a live one."}.add(ctx, &resp.Diagnostics,
			errs.Errorf(errs.KindConflict, "import tenant", "it is archived since %s", t.ArchivedAt.UTC().Format("2006-01-02")))
		return
	}
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), t.ID.String())...)
	saveIdentity(ctx, &resp.Diagnostics, resp.Identity, t.ID.String())
}

func (r *tenantResource) find(ctx context.Context, importID string) (tenant.Tenant, error) {
	service, err := r.open(ctx)
	if err != nil {
		return tenant.Tenant{}, err
	}
	if name, ok := strings.CutPrefix(importID, "name:"); ok {
		return service.FindByName(ctx, name)
	}
	id, err := uuid.Parse(importID)
	if err != nil {
		return tenant.Tenant{}, errs.Errorf(errs.KindInvalid, "import tenant",
			"%s is neither a tenant's UUID nor name:NAME", fmt.Sprintf("%.80q", importID))
	}
	return service.Get(ctx, id)
}
