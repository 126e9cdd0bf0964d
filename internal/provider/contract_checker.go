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
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// archiveStatusTimeout is how long an archiving waits until the contract says so: some
// ledgers.
const archiveStatusTimeout = 20 * time.Second

// contractChecker looks at tenants' contracts and after them. In API mode there is none: the
// server tells where contracts stand, and does what is due.
type contractChecker struct {
	deployer   *soroban.Deployer
	reconciler *contracts.Reconciler
	batcher    batcher[tenant.Tenant, contracts.Snapshot]
	breaker    provisioning.CircuitBreaker
}

func newContractChecker(deployer *soroban.Deployer, reconciler *contracts.Reconciler) *contractChecker {
	c := &contractChecker{deployer: deployer, reconciler: reconciler}
	c.batcher.maxBatch, c.batcher.fetch = provisioning.MaxInspect, c.checkBatch
	return c
}

// check tells where a tenant's contract stands; false when the network did not say.
func (c *contractChecker) check(ctx context.Context, t tenant.Tenant) (contracts.Snapshot, bool) {
	if c.breaker.Open() {
		return contracts.Snapshot{}, false
	}
	state, err := c.batcher.get(ctx, t)
	if err != nil && ctx.Err() == nil { // Else nobody waits for it any more.
		tflog.Warn(ctx, "the tenant's contract was not looked at: "+errs.SafeMessage(err), map[string]any{"tenant_id": t.ID.String()})
	}
	return state, err == nil
}

// checkBatch looks at many contracts. When the network does not answer, it is left alone.
func (c *contractChecker) checkBatch(ctx context.Context, tenants []tenant.Tenant) ([]contracts.Snapshot, error) {
	if !c.breaker.Allow() { // It may have opened since these were gathered.
		return nil, errs.Errorf(errs.KindTransient, "look at contracts", "the Stellar network did not answer a moment ago")
	}
	ctx, cancel := context.WithTimeout(ctx, provisioning.ContractReadTimeout)
	defer cancel()
	states, err := c.deployer.ReadContracts(ctx, tenants)
	if err != nil {
		c.breaker.Failure()
	} else {
		c.breaker.Success()
	}
	return states, err
}

// contractStateValue is what the state says of a contract. One that is looked after is extended
// long before its end; here that is drift only when it is near.
func contractStateValue(snapshot contracts.Snapshot) types.String {
	state := snapshot.State
	if state == contracts.StateExpiring && snapshot.LiveUntil-snapshot.Ledger > contracts.ExpiresSoon {
		state = contracts.StateLive
	}
	return types.StringValue(string(state))
}

// contractRead is a look at a tenant's contract that is under way.
type contractRead struct {
	tenant tenant.Tenant
	done   chan struct{} // Closed once the rest is there.

	snapshot contracts.Snapshot
	known    bool // The network said where it stands.
}

// startContractRead looks at the contract that a state names, while the registry is read.
// Nil where there is nothing to look at.
func (b *backend) startContractRead(ctx context.Context, id uuid.UUID, contractID string) *contractRead {
	checker := b.contractChecker()
	if checker == nil || contractID == "" {
		return nil
	}
	read := &contractRead{tenant: tenant.Tenant{ID: id, ContractID: contractID}, done: make(chan struct{})}
	go func() {
		defer close(read.done)
		read.snapshot, read.known = checker.check(ctx, read.tenant)
	}()
	return read
}

// setFoundContractState puts into the model where the contract stands: as the inspection
// says, or else by a look of one's own. One that was begun counts if the registry
// names that contract, too. When the network does not answer, what was known stays.
func (b *backend) setFoundContractState(ctx context.Context, m *tenantModel, found provisioning.Inspection, read *contractRead) {
	t := found.Tenant
	state, ok := found.Contract, found.Contract.State != ""
	if checker := b.contractChecker(); !ok && checker != nil && t.ContractID != "" {
		if read == nil || read.tenant.ContractID != t.ContractID {
			read = b.startContractRead(ctx, t.ID, t.ContractID)
		}
		<-read.done // It ends with ctx at the latest.
		state, ok = read.snapshot, read.known
	}
	switch {
	case ok:
		m.SorobanContractState = contractStateValue(state)
	case t.ContractID == "", m.SorobanContractState.IsUnknown():
		m.SorobanContractState = types.StringNull()
	}
}

// setVerifiedContractState puts into the model what a run has just verified.
func (r *tenantResource) setVerifiedContractState(m *tenantModel, t tenant.Tenant) {
	m.SorobanContractState = types.StringNull()
	if t.Status == tenant.StatusActive {
		m.SorobanContractState = types.StringValue(string(contracts.StateLive))
	}
}

// reconcileContract does for a tenant's contract what is due, here or at the server.
func (r *tenantResource) reconcileContract(ctx context.Context, id uuid.UUID) error {
	if checker := r.contractChecker(); checker != nil {
		return checker.reconciler.ReconcileOne(ctx, id)
	}
	service, err := r.open(ctx)
	if err != nil {
		return err
	}
	return service.ReconcileContract(ctx, id)
}

// applyContractPlan does what is due for the contract, if that was planned.
func (r *tenantResource) applyContractPlan(ctx context.Context, planned, current types.String, t tenant.Tenant, diags *diag.Diagnostics) bool {
	if planned.ValueString() != string(contracts.StateLive) || planned.Equal(current) || current.IsNull() {
		return true
	}
	err := r.reconcileContract(ctx, t.ID)
	if err != nil {
		diagnostic{operation: "renew the contract of", name: t.Name, state: "The tenant is live and in the state; its contract stays as it is."}.add(ctx, diags, err)
	}
	return err == nil
}

// planContract plans what is to be done for a contract, and refuses where nothing
// can be done. It reports whether something is planned.
func (r *tenantResource) planContract(ctx context.Context, state tenantModel, diags *diag.Diagnostics) bool {
	switch contracts.State(state.SorobanContractState.ValueString()) {
	case contracts.StateExpiring, contracts.StateExpired, contracts.StateMissing:
		return true
	case contracts.StateMismatch:
		diags.AddAttributeError(path.Root("soroban_contract_id"), "Contract is not the tenant's",
			"The contract of tenant \""+state.Name.ValueString()+"\" ("+state.ID.ValueString()+") differs from the one that was deployed for it: "+r.contractDrift(ctx, state)+".\n\n"+
				"Nothing was changed, and this provider changes nothing about such a contract. If a newer release of the platform upgraded it, use that release here. "+
				"Otherwise find out who holds the deployer's key. To archive the tenant all the same, use terraform destroy -refresh=false.")
	case contracts.StateLive:
	}
	return false
}

// contractDrift says what is wrong with a foreign contract.
func (r *tenantResource) contractDrift(ctx context.Context, state tenantModel) string {
	id, err := state.tenantID()
	if checker := r.contractChecker(); err == nil && checker != nil {
		if s, ok := checker.check(ctx, tenant.Tenant{ID: id, ContractID: state.SorobanContractID.ValueString()}); ok && s.Mismatch != "" {
			return s.Mismatch
		}
	} else if err == nil {
		if found, err := r.inspect(ctx, id); err == nil && found.Contract.Mismatch != "" {
			return found.Contract.Mismatch
		}
	}
	return "tenant-api contracts show " + state.ID.ValueString() + " has the details"
}

// setContractArchived has the contract of an archived tenant say so. It is tried once here:
// archiving does not depend on it, and whoever looks after contracts does it later.
func (r *tenantResource) setContractArchived(ctx context.Context, t tenant.Tenant, diags *diag.Diagnostics) {
	checker := r.contractChecker()
	if checker == nil || t.ContractID == "" {
		return
	}
	reason := "the Stellar network did not answer a moment ago"
	if checker.breaker.Allow() {
		statusCtx, cancel := context.WithTimeout(ctx, archiveStatusTimeout)
		defer cancel()
		err := checker.reconciler.ReconcileOne(statusCtx, t.ID)
		if err == nil {
			checker.breaker.Success()
			return
		}
		if statusCtx.Err() != nil && ctx.Err() == nil {
			checker.breaker.Failure()
		} else { // This says nothing about the network.
			checker.breaker.Abandon()
		}
		reason = errs.SafeMessage(err)
	}
	diags.AddWarning("Contract does not say yet that the tenant is archived",
		"Tenant \""+t.Name+"\" ("+t.ID.String()+") is archived. Its contract "+t.ContractID+" was not told: "+reason+".\n\n"+
			"If the reason is not in the contract itself, a worker of tenant-api tells it later. Without a worker, run tenant-api contracts renew "+t.ID.String()+".")
}
