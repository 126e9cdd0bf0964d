package provider

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
)

// statusPatience is how long an archiving waits until the contract says so: some
// ledgers.
const statusPatience = 20 * time.Second

// contracts looks at tenants' contracts and after them. In API mode there is none: the
// server tells where contracts stand, and does what is due.
type contracts struct {
	chain   *soroban.Deployer
	keeper  *provisioning.Keeper
	looks   together[provisioning.Tenant, provisioning.ContractState]
	breaker provisioning.CircuitBreaker
}

func newContracts(chain *soroban.Deployer, keeper *provisioning.Keeper) *contracts {
	c := &contracts{chain: chain, keeper: keeper}
	c.looks.most, c.looks.ask = provisioning.MaxInspect, c.ask
	return c
}

// look tells where a tenant's contract stands; false when the network did not say.
func (c *contracts) look(ctx context.Context, t provisioning.Tenant) (provisioning.ContractState, bool) {
	if c.breaker.Open() {
		return provisioning.ContractState{}, false
	}
	state, err := c.looks.get(ctx, t)
	if err != nil && ctx.Err() == nil { // Else nobody waits for it any more.
		tflog.Warn(ctx, "the tenant's contract was not looked at: "+provisioning.SafeMessage(err), map[string]any{"tenant_id": t.ID.String()})
	}
	return state, err == nil
}

// ask looks at many contracts. When the network does not answer, it is left alone.
func (c *contracts) ask(ctx context.Context, all []provisioning.Tenant) ([]provisioning.ContractState, error) {
	if !c.breaker.Allow() { // It may have opened since these were gathered.
		return nil, provisioning.Errorf(provisioning.KindTransient, "look at contracts", "the Stellar network did not answer a moment ago")
	}
	ctx, cancel := context.WithTimeout(ctx, provisioning.ContractReadTimeout)
	defer cancel()
	states, err := c.chain.ReadContracts(ctx, all)
	if err != nil {
		c.breaker.Failure()
	} else {
		c.breaker.Success()
	}
	return states, err
}

// lifeOf is what the state says of a contract. One that is looked after is extended
// long before its end; here that is drift only when it is near.
func lifeOf(s provisioning.ContractState) types.String {
	life := s.Life
	if life == provisioning.ContractExpiring && s.LiveUntil-s.Ledger > provisioning.ExpiresSoon {
		life = provisioning.ContractLive
	}
	return types.StringValue(string(life))
}

// contractLook is a look at a tenant's contract that is under way.
type contractLook struct {
	of   provisioning.Tenant
	done chan struct{} // Closed once the rest is there.

	state provisioning.ContractState
	ok    bool // The network said where it stands.
}

// beginLook looks at the contract that a state names, while the registry is read.
// Nil where there is nothing to look at.
func (b *backend) beginLook(ctx context.Context, id uuid.UUID, contractID string) *contractLook {
	care := b.contracts()
	if care == nil || contractID == "" {
		return nil
	}
	l := &contractLook{of: provisioning.Tenant{ID: id, ContractID: contractID}, done: make(chan struct{})}
	go func() {
		defer close(l.done)
		l.state, l.ok = care.look(ctx, l.of)
	}()
	return l
}

// contractAsFound puts into the model where the contract stands: as the inspection
// says, or else by a look of one's own. One that was begun counts if the registry
// names that contract, too. When the network does not answer, what was known stays.
func (b *backend) contractAsFound(ctx context.Context, m *tenantModel, found provisioning.Inspection, begun *contractLook) {
	t := found.Tenant
	state, ok := found.Contract, found.Contract.Life != ""
	if care := b.contracts(); !ok && care != nil && t.ContractID != "" {
		if begun == nil || begun.of.ContractID != t.ContractID {
			begun = b.beginLook(ctx, t.ID, t.ContractID)
		}
		<-begun.done // It ends with ctx at the latest.
		state, ok = begun.state, begun.ok
	}
	switch {
	case ok:
		m.SorobanContractState = lifeOf(state)
	case t.ContractID == "", m.SorobanContractState.IsUnknown():
		m.SorobanContractState = types.StringNull()
	}
}

// contractAsVerified puts into the model what a run has just verified.
func (r *tenantResource) contractAsVerified(m *tenantModel, t provisioning.Tenant) {
	m.SorobanContractState = types.StringNull()
	if t.Status == provisioning.StatusActive {
		m.SorobanContractState = types.StringValue(string(provisioning.ContractLive))
	}
}

// attend does for a tenant's contract what is due, here or at the server.
func (r *tenantResource) attend(ctx context.Context, id uuid.UUID) error {
	if care := r.contracts(); care != nil {
		return care.keeper.AttendWhole(ctx, id)
	}
	service, err := r.open(ctx)
	if err != nil {
		return err
	}
	return service.RenewContract(ctx, id)
}

// renewContract does what is due for the contract, if that was planned.
func (r *tenantResource) renewContract(ctx context.Context, planned, before types.String, t provisioning.Tenant, diags *diag.Diagnostics) bool {
	if planned.ValueString() != string(provisioning.ContractLive) || planned.Equal(before) || before.IsNull() {
		return true
	}
	err := r.attend(ctx, t.ID)
	if err != nil {
		report{tried: "renew the contract of", name: t.Name, survived: "The tenant is live and in the state; its contract stays as it is."}.add(ctx, diags, err)
	}
	return err == nil
}

// planContract plans what is to be done for a contract, and refuses where nothing
// can be done. It reports whether something is planned.
func (r *tenantResource) planContract(ctx context.Context, state tenantModel, diags *diag.Diagnostics) bool {
	switch provisioning.ContractLife(state.SorobanContractState.ValueString()) {
	case provisioning.ContractExpiring, provisioning.ContractArchived, provisioning.ContractMissing:
		return true
	case provisioning.ContractForeign:
		diags.AddAttributeError(path.Root("soroban_contract_id"), "Contract is not the tenant's",
			"The contract of tenant \""+state.Name.ValueString()+"\" ("+state.ID.ValueString()+") differs from the one that was deployed for it: "+r.fault(ctx, state)+".\n\n"+
				"Nothing was changed, and this provider changes nothing about such a contract. If a newer release of the platform upgraded it, use that release here. "+
				"Otherwise find out who holds the deployer's key. To archive the tenant all the same, use terraform destroy -refresh=false.")
	case provisioning.ContractLive:
	}
	return false
}

// fault says what is wrong with a foreign contract.
func (r *tenantResource) fault(ctx context.Context, state tenantModel) string {
	id, err := state.tenantID()
	if care := r.contracts(); err == nil && care != nil {
		if s, ok := care.look(ctx, provisioning.Tenant{ID: id, ContractID: state.SorobanContractID.ValueString()}); ok && s.Fault != "" {
			return s.Fault
		}
	} else if err == nil {
		if found, err := r.inspect(ctx, id); err == nil && found.Contract.Fault != "" {
			return found.Contract.Fault
		}
	}
	return "tenant-api contracts show " + state.ID.ValueString() + " has the details"
}

// tellArchived has the contract of an archived tenant say so. It is tried once here:
// archiving does not depend on it, and whoever looks after contracts does it later.
func (r *tenantResource) tellArchived(ctx context.Context, t provisioning.Tenant, diags *diag.Diagnostics) {
	care := r.contracts()
	if care == nil || t.ContractID == "" {
		return
	}
	reason := "the Stellar network did not answer a moment ago"
	if care.breaker.Allow() {
		waiting, cancel := context.WithTimeout(ctx, statusPatience)
		defer cancel()
		err := care.keeper.AttendWhole(waiting, t.ID)
		if err == nil {
			care.breaker.Success()
			return
		}
		if waiting.Err() != nil && ctx.Err() == nil {
			care.breaker.Failure()
		} else { // This says nothing about the network.
			care.breaker.Abandon()
		}
		reason = provisioning.SafeMessage(err)
	}
	diags.AddWarning("Contract does not say yet that the tenant is archived",
		"Tenant \""+t.Name+"\" ("+t.ID.String()+") is archived. Its contract "+t.ContractID+" was not told: "+reason+".\n\n"+
			"If the reason is not in the contract itself, a worker of tenant-api tells it later. Without a worker, run tenant-api contracts renew "+t.ID.String()+".")
}
