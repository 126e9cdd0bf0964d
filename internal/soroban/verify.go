package soroban

import (
	"fmt"
	"slices"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/ledger"
)

// verifyInstance compares an existing contract with the one that this program would
// create. Only the deployer can have created it, so a difference means another version
// of the program or a change by the contract's admin.
func (d *Deployer) verifyInstance(t target, instance *xdr.ScContractInstance) error {
	differs := func(what string) error {
		return errs.Errorf(errs.KindPermanent, "verify contract",
			"the contract %s exists but is not the tenant's: %s; its admin has to repair it, this program does not change it",
			t.address, what)
	}
	if instance == nil {
		return differs("it has no contract instance")
	}
	switch hash := instance.Executable.WasmHash; {
	case hash == nil:
		return differs("it runs no WebAssembly")
	case *hash != d.code && !d.runsPredecessor(instance):
		return differs(fmt.Sprintf("it runs code %x instead of %x", *hash, d.code))
	}
	if admin, ok := ledger.StoredValue(instance, "Admin").GetAddress(); !ok || !admin.Equals(accountAddress(d.submitter.Account())) {
		return differs("its admin is not the deployer " + d.Address())
	}
	tenant := TenantHash(t.tenant)
	if hash, ok := ledger.StoredValue(instance, "Tenant").GetBytes(); !ok || string(hash) != string(tenant[:]) {
		return differs("it has the hash of another tenant")
	}
	return nil
}

// runsPredecessor reports whether a contract runs the code of an earlier release.
func (d *Deployer) runsPredecessor(instance *xdr.ScContractInstance) bool {
	hash := instance.Executable.WasmHash
	return hash != nil && slices.Contains(d.opts.Code.Predecessors, [32]byte(*hash))
}
