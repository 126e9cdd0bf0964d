package provider

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Create runs the whole pipeline.
func (r *tenantResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	ctx = r.withLogMask(ctx)
	var plan tenantModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	timeout, diags := timeoutFor(ctx, plan.Timeouts, plan.Timeouts.Create, createTimeout)
	resp.Diagnostics.Append(diags...)
	ctx, password, diags := passwordFromConfig(ctx, req.Config)
	resp.Diagnostics.Append(diags...)
	life := readLifeConfig(ctx, req.Config, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	if !r.names.claim(plan.Name.ValueString()) { // With managed_by, it would adopt the other one.
		addUsedTwice(plan.Name.ValueString(), &resp.Diagnostics)
		return
	}
	createCtx, cancel := withTimeout(app.MakeRegistry(ctx), "create", timeout)
	defer cancel()

	service, err := r.open(createCtx)
	if err != nil {
		diagnostic{operation: "create", name: plan.Name.ValueString()}.add(createCtx, &resp.Diagnostics, err)
		return
	}
	inputs := plan.inputs(r.settings.managedBy)
	inputs.AdminPassword, inputs.DeletionProtection = password, life.deletionProtection()
	started := time.Now()
	tflog.Info(ctx, "creating the tenant", map[string]any{"tenant_name": plan.Name.ValueString()})
	operation := r.handovers.begin("")
	defer operation.end()
	out, err := (&nameWait{r: r, operation: operation, service: service, name: inputs.Name}).provision(createCtx, inputs)
	if out.Tenant.ID == uuid.Nil { // No tenant was created, so there is no state to save.
		r.conflictDiagnostic(plan, out).add(createCtx, &resp.Diagnostics, err)
		return
	}
	if errs.KindOf(err) == errs.KindFenced {
		supersededDiagnostic(out.Tenant).add(ctx, &resp.Diagnostics, err)
		return
	}
	r.recordRegistry(createCtx, nil, resp.Private, out.Tenant, true, &resp.Diagnostics)
	r.setVerifiedContractState(&plan, out.Tenant)
	setCreatedDatabaseState(&plan, out.Tenant)
	saveState(ctx, &resp.Diagnostics, &resp.State, resp.Identity, plan, out.Tenant)
	switch {
	case out.Adopted:
		tflog.Info(ctx, "adopted the live tenant, which has the same managed_by and inputs", map[string]any{"tenant_id": out.Tenant.ID.String()})
	case err == nil:
		tflog.Info(ctx, "the tenant is live", map[string]any{"tenant_id": out.Tenant.ID.String(), "tenant_name": out.Tenant.Name,
			"schema_name": out.Tenant.SchemaName, "soroban_contract_id": out.Tenant.ContractID, "duration_ms": time.Since(started).Milliseconds()})
	}
	addWarnings(&resp.Diagnostics, out)
	addRunDiagnostics(createCtx, &resp.Diagnostics, "create", out.Tenant, err)
	if err == nil {
		if out.Unarchived {
			r.setContractStatus(createCtx, out.Tenant, &resp.Diagnostics)
		}
		out.Tenant = r.applyLife(createCtx, service, life, out.Tenant, &resp.Diagnostics)
		saveState(ctx, &resp.Diagnostics, &resp.State, resp.Identity, plan, out.Tenant)
	}
}

// conflictDiagnostic returns the diagnostic for a tenant that was not created because of
// another one.
func (r *tenantResource) conflictDiagnostic(plan tenantModel, out provisioning.Outcome) diagnostic {
	d := diagnostic{operation: "create", name: plan.Name.ValueString()}
	if t := out.ConflictingTenant; t != nil {
		d.state = fmt.Sprintf("That tenant is %s since %s and was not touched: a tenant that was live is never adopted by accident.",
			t.Status, t.UpdatedAt.UTC().Format("2006-01-02 15:04 MST"))
		d.remedy = "If it is the intended tenant, import it with this block, in which ADDRESS is the resource's, such as healthcare_tenant.example:\n\n" +
			importBlock(*t) + "\n\nIf only its resource was renamed in the configuration, add a moved block. " +
			"If this apply was to replace it, remove create_before_destroy: the two cannot share a name. " +
			"Otherwise choose another name or external_id."
		if t.Status == tenant.StatusArchived {
			d.remedy = "To bring that tenant back with its data, set unarchive_existing = true. Otherwise choose another external_id: it stays with an archived tenant until that is purged."
		}
	}
	return d
}

// importBlock returns the block that imports a tenant.
func importBlock(t tenant.Tenant) string {
	return fmt.Sprintf("import {\n  to = ADDRESS\n  id = %q\n}", t.ID)
}

// supersededDiagnostic returns the diagnostic for a tenant that another run claimed. The
// tenant is not saved in the state: the error would taint it, and the next apply would
// abort or archive a tenant that the other run works on.
func supersededDiagnostic(t tenant.Tenant) diagnostic {
	return diagnostic{
		operation: "create", name: t.Name,
		state: fmt.Sprintf("The tenant (%s) belongs to the other run now, if it still runs, and is not in this state.", t.ID),
		remedy: "Wait for the other run to end. Then run terraform apply again, which continues the tenant if it is not live, " +
			"or import it: terraform import ADDRESS " + t.ID.String(),
	}
}

// addRunDiagnostics reports how a run ended that has a tenant in the state. Being stopped is
// no error: an error would taint the tenant, and the next apply would replace it
// instead of continuing.
func addRunDiagnostics(ctx context.Context, diags *diag.Diagnostics, operation string, t tenant.Tenant, err error) {
	switch kind := errs.KindOf(err); {
	case err == nil:
	case kind == errs.KindCancelled && !errors.Is(err, context.DeadlineExceeded):
		diags.AddWarning("Provisioning was interrupted", fmt.Sprintf("Tenant %q (%s) is %s: %s.\n\n"+
			"It is in the state. Run terraform apply again to continue where it stopped.", t.Name, t.ID, t.Status, errs.SafeMessage(err)))
	default:
		state := fmt.Sprintf("The tenant is %s and in the state.", t.Status)
		if t.Status == tenant.StatusFailed {
			state = "Its schema and database role were removed again; a contract that may be on the ledger already is found and used by the next attempt. " +
				"The tenant is FAILED and in the state under the id " + t.ID.String() + "."
			if left := tenant.CutLeftOver(t.ProvisioningError); left != "" {
				state += " Left over at the receiver: " + left + ". The next attempt tries this undo first."
			}
		} else if operation == "create" {
			state = fmt.Sprintf("The tenant is %s and in the state, where Terraform marks it as tainted: the next apply rolls it back "+
				"and starts again with the same id, schema name and contract.", t.Status)
		}
		diagnostic{operation: operation, name: t.Name, state: state}.add(ctx, diags, err)
	}
}

// saveState stores a tenant in the state, with its identity: a state without one
// breaks every later read.
func saveState(ctx context.Context, diags *diag.Diagnostics, state *tfsdk.State, identity *tfsdk.ResourceIdentity, m tenantModel, t tenant.Tenant) {
	diags.Append(m.fill(ctx, t)...)
	diags.Append(state.Set(ctx, &m)...)
	saveIdentity(ctx, diags, identity, t.ID.String())
}

// saveIdentity stores a tenant's identity, if the CLI supports identities.
func saveIdentity(ctx context.Context, diags *diag.Diagnostics, identity *tfsdk.ResourceIdentity, id string) {
	if identity != nil {
		diags.Append(identity.Set(ctx, identityModel{ID: types.StringValue(id)})...)
	}
}
