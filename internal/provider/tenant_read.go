package provider

import (
	"context"
	"reflect"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Read shares one registry query and one ledger read with all concurrent reads. It
// removes a missing or archived tenant from the state.
func (r *tenantResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	ctx = r.withLogMask(ctx)
	var state tenantModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	timeout, diags := timeoutFor(ctx, state.Timeouts, state.Timeouts.Read, readTimeout)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	// This comes first: the framework rejects every read without an identity, also that
	// of a missing tenant.
	saveIdentity(ctx, &resp.Diagnostics, resp.Identity, state.ID.ValueString())
	if !r.isConfigKnown() {
		// The database is created by the same plan, so the tenant cannot be read yet and
		// the state is kept.
		tflog.Warn(ctx, "the provider's configuration is not known yet, so the tenant was not read", map[string]any{"tenant_id": state.ID.ValueString()})
		return
	}
	ctx, cancel := withTimeout(ctx, "read", timeout)
	defer cancel()
	d := diagnostic{operation: "read", name: state.Name.ValueString()}
	id, err := state.tenantID()
	if err != nil {
		d.addInvalidID(ctx, &resp.Diagnostics, state)
		return
	}
	before := state
	found, err := r.inspectOnce(ctx, req.Private, id)
	t := found.Tenant
	switch {
	case errs.KindOf(err) == errs.KindNotFound:
		r.leaveState(ctx, state, resp)
	case err != nil:
		d.add(ctx, &resp.Diagnostics, err)
	case t.Status == tenant.StatusArchived && (!isPurgeBegun(ctx, req.Private) || !t.PurgedAt.IsZero()):
		warnArchivedElsewhere(t, &resp.Diagnostics)
		tflog.Info(ctx, "the tenant was archived outside Terraform", map[string]any{"tenant_id": t.ID.String()})
		r.leaveState(ctx, state, resp)
	default:
		if t.Status != tenant.StatusArchived { // It is live again: a purge has not begun any more.
			resp.Diagnostics.Append(resp.Private.SetKey(ctx, purgeBegunKey, nil)...)
		}
		resp.Diagnostics.Append(r.setFound(ctx, &state, found)...)
		changed := !reflect.DeepEqual(before, state)
		if changed { // By default the response has the state of the request.
			resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
		}
		r.recordRegistry(ctx, req.Private, resp.Private, t, changed, &resp.Diagnostics)
	}
}

// leaveState removes a tenant from the state. Terraform hands its private data to the plan of another
// one, which replaces nothing.
func (r *tenantResource) leaveState(ctx context.Context, state tenantModel, resp *resource.ReadResponse) {
	r.names.forget(state.ID.ValueString())
	planNote{}.save(ctx, resp.Private, &resp.Diagnostics)
	resp.State.RemoveResource(ctx)
}

// inspectOnce is inspectKnown, unless ReadResource of the server has called it for this read.
func (r *tenantResource) inspectOnce(ctx context.Context, private privateData, id uuid.UUID) (inspection.Inspection, error) {
	if done, ok := ctx.Value(inspectedKey{}).(inspected); ok {
		return done.found, done.err
	}
	return r.inspectKnown(ctx, private, id)
}

// setFound sets what an inspection has found.
func (b *backend) setFound(ctx context.Context, state *tenantModel, found inspection.Inspection) diag.Diagnostics {
	b.setFoundContractState(ctx, state, found)
	setFoundDatabaseState(ctx, state, found)
	return state.fill(ctx, found.Tenant)
}
