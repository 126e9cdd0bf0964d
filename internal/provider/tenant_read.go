package provider

import (
	"context"
	"reflect"

	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Read shares one query of the registry, and one read of contracts, with all reads that
// come at the same time. A tenant that is gone or archived leaves the state.
func (r *tenantResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	ctx = r.withLogMask(ctx)
	var state tenantModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	timeout, diags := timeoutFor(ctx, state.Timeouts, state.Timeouts.Read, readTimeout)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	// Before anything else: the framework refuses every read without an identity,
	// also that of a tenant which is gone.
	saveIdentity(ctx, &resp.Diagnostics, resp.Identity, state.ID.ValueString())
	if !r.isConfigKnown() {
		// The database is part of this plan's own changes. What the state says is
		// all that can be known now.
		tflog.Warn(ctx, "the provider's configuration is not known yet, so the tenant was not read", map[string]any{"tenant_id": state.ID.ValueString()})
		return
	}
	ctx, cancel := withTimeout(ctx, "read", timeout)
	defer cancel()
	d := diagnostic{operation: "read", name: state.Name.ValueString()}
	id, err := state.tenantID()
	if err != nil {
		d.add(ctx, &resp.Diagnostics, errs.Errorf(errs.KindInvalid, "read tenant", "the id in the state is no UUID"))
		return
	}
	if _, err := r.open(ctx); err != nil {
		d.add(ctx, &resp.Diagnostics, err)
		return
	}
	before := state
	found, err := r.inspect(ctx, id)
	t := found.Tenant
	switch {
	case errs.KindOf(err) == errs.KindNotFound:
		resp.State.RemoveResource(ctx)
	case err != nil:
		d.add(ctx, &resp.Diagnostics, err)
	case t.Status == tenant.StatusArchived:
		tflog.Info(ctx, "the tenant was archived outside Terraform", map[string]any{"tenant_id": t.ID.String()})
		resp.State.RemoveResource(ctx)
	default:
		r.setFoundContractState(ctx, &state, found)
		setFoundDatabaseState(ctx, &state, found)
		resp.Diagnostics.Append(state.fill(ctx, t)...)
		if !reflect.DeepEqual(before, state) { // The response has what the request had.
			resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
		}
	}
}
