package provider

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// Create runs the whole pipeline.
func (r *tenantResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	ctx = r.masked(ctx)
	var plan tenantModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	patience, diags := limit(ctx, plan.Timeouts, plan.Timeouts.Create, createTimeout)
	resp.Diagnostics.Append(diags...)
	ctx, password, diags := passwordOf(ctx, req.Config)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	limited, cancel := within(ctx, "create", patience)
	defer cancel()

	service, err := r.open(limited)
	if err != nil {
		report{tried: "create", name: plan.Name.ValueString()}.add(limited, &resp.Diagnostics, err)
		return
	}
	inputs := plan.inputs(r.settings.managedBy)
	inputs.AdminPassword = password
	began := time.Now()
	tflog.Info(ctx, "creating the tenant", map[string]any{"tenant_name": plan.Name.ValueString()})
	out, err := service.Provision(limited, inputs)
	if out.Tenant.ID == uuid.Nil { // There is no tenant of ours, and so no state.
		r.refusal(plan, out).add(limited, &resp.Diagnostics, err)
		return
	}
	if provisioning.KindOf(err) == provisioning.KindFenced {
		overtaken(out.Tenant).add(ctx, &resp.Diagnostics, err)
		return
	}
	r.contractAsVerified(&plan, out.Tenant)
	databaseAsMade(&plan, out.Tenant)
	keep(ctx, &resp.Diagnostics, &resp.State, resp.Identity, plan, out.Tenant)
	switch {
	case out.Adopted:
		tflog.Info(ctx, "took over the live tenant, which has the same managed_by and inputs", map[string]any{"tenant_id": out.Tenant.ID.String()})
	case err == nil:
		tflog.Info(ctx, "the tenant is live", map[string]any{"tenant_id": out.Tenant.ID.String(), "tenant_name": out.Tenant.Name,
			"schema_name": out.Tenant.SchemaName, "soroban_contract_id": out.Tenant.ContractID, "duration_ms": time.Since(began).Milliseconds()})
	}
	addWarnings(&resp.Diagnostics, out)
	ended(ctx, &resp.Diagnostics, "create", out.Tenant, err)
}

// refusal says what stands in the way of a tenant that was not even recorded.
func (r *tenantResource) refusal(plan tenantModel, out provisioning.Outcome) report {
	rep := report{tried: "create", name: plan.Name.ValueString()}
	if t := out.Standing; t != nil {
		rep.survived = fmt.Sprintf("That tenant is %s since %s and was not touched: a tenant that has been live is never taken over by accident.",
			t.Status, t.UpdatedAt.UTC().Format("2006-01-02 15:04 MST"))
		rep.next = fmt.Sprintf("If it is the one that you mean, import it: terraform import ADDRESS %s, where ADDRESS is the resource's, "+
			"such as healthcare_tenant.example. If its resource was only renamed in the configuration, add a moved block. "+
			"If this apply was to replace it, take create_before_destroy out: the two cannot share a name. "+
			"Otherwise choose another name or external_id.", t.ID)
		if t.Status == provisioning.StatusArchived {
			rep.next = "An external_id stays with an archived tenant. Choose another one."
		}
	}
	return rep
}

// overtaken leaves the tenant out of the state: an error would taint it there,
// and the next apply would then abort, or archive, what is the other run's now.
func overtaken(t provisioning.Tenant) report {
	return report{
		tried: "create", name: t.Name,
		survived: fmt.Sprintf("The tenant (%s) is the other run's now, if there is one, and it is not in this state.", t.ID),
		next: "Wait for the other run to end. Then run terraform apply again, which continues the tenant if it is not live, " +
			"or import it: terraform import ADDRESS " + t.ID.String(),
	}
}

// ended reports how a run ended that has a tenant in the state. Being stopped is
// no error: an error would taint the tenant, and the next apply would replace it
// instead of continuing.
func ended(ctx context.Context, diags *diag.Diagnostics, tried string, t provisioning.Tenant, err error) {
	switch kind := provisioning.KindOf(err); {
	case err == nil:
	case kind == provisioning.KindCancelled && !errors.Is(err, context.DeadlineExceeded):
		diags.AddWarning("Provisioning was interrupted", fmt.Sprintf("Tenant %q (%s) is %s: %s.\n\n"+
			"It is in the state. Run terraform apply again to continue where it stopped.", t.Name, t.ID, t.Status, provisioning.SafeMessage(err)))
	default:
		survived := fmt.Sprintf("The tenant is %s and in the state.", t.Status)
		if t.Status == provisioning.StatusFailed {
			survived = "Its schema and database role were removed again; what may be on the ledger already is found and used by the next attempt. " +
				"The tenant is FAILED and in the state under the id " + t.ID.String() + "."
		} else if tried == "create" {
			survived = fmt.Sprintf("The tenant is %s and in the state, where Terraform marks it as tainted: the next apply rolls it back "+
				"and begins again with the same id, schema name and contract.", t.Status)
		}
		report{tried: tried, name: t.Name, survived: survived}.add(ctx, diags, err)
	}
}

// keep stores a tenant in the state, with its identity: a state without one
// breaks every later read.
func keep(ctx context.Context, diags *diag.Diagnostics, state *tfsdk.State, identity *tfsdk.ResourceIdentity, m tenantModel, t provisioning.Tenant) {
	diags.Append(m.fill(ctx, t)...)
	diags.Append(state.Set(ctx, &m)...)
	identify(ctx, diags, identity, t.ID.String())
}

// identify stores a tenant's identity, for CLIs that know of such a thing.
func identify(ctx context.Context, diags *diag.Diagnostics, identity *tfsdk.ResourceIdentity, id string) {
	if identity != nil {
		diags.Append(identity.Set(ctx, identityModel{ID: types.StringValue(id)})...)
	}
}
