package soroban

import (
	"context"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

var _ provisioning.ContractVerifier = (*Deployer)(nil)

// VerifyContract reads the tenant's contract back from the ledger, and pays
// nothing. KindPermanent when it is missing, archived or another one than this
// program would make, or not the one that the registry names; KindTransient when
// the network does not answer.
func (d *Deployer) VerifyContract(ctx context.Context, t provisioning.Tenant) error {
	differs := func(format string, args ...any) error {
		return provisioning.Errorf(provisioning.KindPermanent, "verify contract", format, args...)
	}
	to, err := d.target(t.ID)
	if err != nil {
		return err
	}
	if t.ContractID != to.address {
		return differs("the registry names the contract %s, but this deployer's contract for the tenant is %s; either the registry was changed, or another deployer or network is configured",
			t.ContractID, to.address)
	}
	if err := d.checkNetwork(ctx); err != nil {
		return err
	}
	v, err := d.look(ctx, to.id, d.account)
	if err != nil {
		return err
	}
	switch {
	case v.instance == missing:
		return differs("the ledger has no contract %s", to.address)
	case v.instance == archived:
		return differs("the contract %s is archived because its time to live is over; it has to be restored", to.address)
	case v.code != live:
		return differs("the code of the contract %s is archived or missing; it has to be restored", to.address)
	}
	return d.verify(to, v.content)
}
