package provider

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// contractStatusTimeout is how long an operation waits for the status update of the contract,
// which takes one or two ledgers.
const contractStatusTimeout = 20 * time.Second

// contractStateValue returns the contract state to store. EXPIRING counts as LIVE until
// contracts.ExpiresSoon ledgers are left: workers extend contracts long before their end,
// so a plan reports drift only when the end is near.
func contractStateValue(snapshot contracts.Snapshot) types.String {
	state := snapshot.State
	if state == contracts.StateExpiring && snapshot.LiveUntil-snapshot.Ledger > contracts.ExpiresSoon {
		state = contracts.StateLive
	}
	return types.StringValue(string(state))
}

// setFoundContractState sets the contract state that an inspection found. When the
// network did not answer, the model keeps its value.
func (b *backend) setFoundContractState(ctx context.Context, m *tenantModel, found inspection.Inspection) {
	t := found.Tenant
	if found.ContractError != "" {
		tflog.Warn(ctx, "the tenant's contract was not read: "+found.ContractError, map[string]any{"tenant_id": t.ID.String()})
	}
	switch {
	case found.Contract.State != "":
		m.SorobanContractState = contractStateValue(found.Contract)
	case t.ContractID == "", m.SorobanContractState.IsUnknown():
		m.SorobanContractState = types.StringNull()
	}
}

// setVerifiedContractState sets the contract state after a run, which has verified it. A blueprint
// can do without contracts.
func (r *tenantResource) setVerifiedContractState(m *tenantModel, t tenant.Tenant) {
	m.SorobanContractState = types.StringNull()
	if t.Status.Live() && t.ContractID != "" {
		m.SorobanContractState = types.StringValue(string(contracts.StateLive))
	}
}

// reconcileContract extends, restores, deploys or updates a tenant's contract, in this
// process or through tenant-api.
func (r *tenantResource) reconcileContract(ctx context.Context, id uuid.UUID) error {
	service, err := r.open(ctx)
	if err != nil {
		return err
	}
	return service.ReconcileContract(ctx, id)
}

// applyContractPlan reconciles the contract if that was planned. It reports success.
func (r *tenantResource) applyContractPlan(ctx context.Context, planned, current types.String, t tenant.Tenant, diags *diag.Diagnostics) bool {
	if planned.ValueString() != string(contracts.StateLive) || planned.Equal(current) || current.IsNull() {
		return true
	}
	err := r.reconcileContract(ctx, t.ID)
	if err != nil {
		diagnostic{operation: "reconcile the contract of", name: t.Name, state: "The tenant is live and in the state; its contract stays as it is."}.add(ctx, diags, err)
	}
	return err == nil
}

// planContract reports whether there is something for the apply to do. It reconciles the contract. One
// that does not match is an error: this provider changes nothing about it.
func (r *tenantResource) planContract(ctx context.Context, state tenantModel, diags *diag.Diagnostics) bool {
	switch contracts.State(state.SorobanContractState.ValueString()) {
	case contracts.StateExpiring, contracts.StateExpired, contracts.StateMissing:
		return true
	case contracts.StateMismatch:
		diags.AddAttributeError(path.Root("soroban_contract_id"), "Contract mismatch",
			"The contract of tenant \""+state.Name.ValueString()+"\" ("+state.ID.ValueString()+") differs from the one that was deployed for it: "+r.contractDrift(ctx, state)+".\n\n"+
				"Nothing was changed, and this provider changes nothing about such a contract. If a newer release of the platform upgraded it, use that release here. "+
				"Otherwise find out who has the deployer's key. To archive the tenant in spite of this, use terraform destroy.")
		return true // The apply says it again, as an error.
	case contracts.StateLive:
	}
	return false
}

// contractDrift returns how a contract differs from the one that was deployed.
func (r *tenantResource) contractDrift(ctx context.Context, state tenantModel) string {
	if id, err := state.tenantID(); err == nil {
		if found, err := r.inspect(ctx, id); err == nil && found.Contract.Mismatch != "" {
			return found.Contract.Mismatch
		}
	}
	return "tenant-api contracts show " + state.ID.ValueString() + " has the details"
}

// setContractStatus updates the status in the contract of a tenant that was suspended, resumed,
// archived or unarchived. It makes one attempt: the move does not depend on it, and a worker
// retries later. In API mode the server does it.
func (r *tenantResource) setContractStatus(ctx context.Context, t tenant.Tenant, diags *diag.Diagnostics) {
	if r.settings.api != nil || t.ContractID == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, contractStatusTimeout)
	defer cancel()
	err := r.reconcileContract(ctx, t.ID)
	if err == nil {
		return
	}
	diags.AddWarning("Contract status not updated",
		"Tenant \""+t.Name+"\" ("+t.ID.String()+") is "+string(t.Status)+". The status in its contract "+t.ContractID+" was not updated: "+errs.SafeMessage(err)+".\n\n"+
			"If the reason is not in the contract itself, a worker of tenant-api updates it later. Without a worker, run tenant-api contracts reconcile "+t.ID.String()+".")
}
