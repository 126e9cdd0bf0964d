package soroban

import (
	"context"

	"github.com/google/uuid"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// ChangeContract changes the status, anchor or code of a tenant's contract: it reads the
// ledger, calls the contract if needed, and reads again. Its errors are those of Deploy.
func (d *Deployer) ChangeContract(
	ctx context.Context, journal txlog.Log, tenant uuid.UUID, change contracts.Change,
) (int64, error) {
	if _, known := statusNumbers[change.Status]; change.Purpose == txlog.PurposeStatus && !known {
		return 0, errs.Errorf(errs.KindPermanent, "change contract", "%q is not a contract status", change.Status)
	}
	to, err := d.target(tenant)
	if err != nil {
		return 0, err
	}
	if err := d.checkNetwork(ctx); err != nil {
		return 0, err
	}
	r := d.newDeployTx(journal, to)
	if err := r.resolveOpenTx(ctx); err != nil {
		return r.contract.FeeCharged, err
	}
	if change.Purpose == txlog.PurposeUpgrade {
		if err := r.ensureCode(ctx); err != nil {
			return r.contract.FeeCharged, err
		}
	}
	err = r.change(ctx, change)
	return r.contract.FeeCharged, err
}

// ensureCode makes sure that the newest code is on the ledger and live.
func (r *deployTx) ensureCode(ctx context.Context) error {
	for range maxRounds {
		v, err := r.currentView(ctx, 0)
		if err != nil || v.code == live {
			return err
		}
		if v.account == nil {
			return r.accountMissing()
		}
		if err := r.provideCode(ctx); err != nil {
			return err
		}
	}
	return r.notSettled()
}

// provideCode uploads or restores the code with the deployer's account. It reads the
// ledger again first: the previous holder of the account may have done it.
func (r *deployTx) provideCode(ctx context.Context) error {
	src, err := r.leaseOwnAccount(ctx)
	if err != nil {
		return err
	}
	defer src.release(ctx)
	v, err := r.currentView(ctx, src.minSequence())
	if err != nil || v.code == live || v.account == nil {
		return err
	}
	src.lastSequence = v.sequence()
	next := r.uploadSpec()
	if v.code == archived {
		next = r.restoreCodeSpec(r.code)
	}
	built, err := r.build(ctx, next)
	if err != nil {
		return err
	}
	attempt, err := r.signAndSend(ctx, built, src, v.account)
	if err != nil {
		return err
	}
	return r.handleResult(ctx, attempt)
}

// change repeats until the contract is as requested.
func (r *deployTx) change(ctx context.Context, change contracts.Change) error {
	for range maxRounds {
		if err := r.resolveCompetingTx(ctx); err != nil {
			return err
		}
		v, err := r.currentView(ctx, 0)
		if err != nil {
			return err
		}
		switch {
		case v.account == nil:
			return r.accountMissing()
		case v.instance == missing:
			return errs.Errorf(errs.KindPermanent, "change contract", "the ledger has no contract %s", r.to.address)
		case v.instance == archived:
			return errs.Errorf(errs.KindTransient, "change contract", "the contract %s is archived; it has to be restored first", r.to.address)
		}
		if err := r.verifyInstance(r.to, v.content); err != nil {
			return err
		}
		if r.hasChange(v.content, change) {
			return nil
		}
		attempt, err := r.attemptOnce(ctx, r.changeSpec(change))
		if err != nil {
			return err
		}
		if err := r.handleResult(ctx, attempt); err != nil {
			return err
		}
	}
	return r.notSettled()
}

// hasChange reports whether a contract is as the change requests.
func (d *Deployer) hasChange(instance *xdr.ScContractInstance, change contracts.Change) bool {
	switch change.Purpose {
	case txlog.PurposeStatus:
		return statusOf(instance) == change.Status
	case txlog.PurposeAnchor:
		// A newer anchor is as good; the contract refuses an older one.
		return anchorOf(instance).Seq >= change.Anchor.Seq
	default:
		return instance.Executable.WasmHash != nil && *instance.Executable.WasmHash == d.code
	}
}

// statusNumbers are the contract's numbers for the statuses.
var statusNumbers = map[contracts.ContractStatus]uint32{
	contracts.ContractStatusActive:    contract.StatusActive,
	contracts.ContractStatusSuspended: contract.StatusSuspended,
	contracts.ContractStatusArchived:  contract.StatusArchived,
}

// statusOf reads the status from a contract's instance. It is empty when the
// instance has none, or a number that this program does not know.
func statusOf(instance *xdr.ScContractInstance) contracts.ContractStatus {
	number, ok := storedValue(instance, "Status").GetU32()
	if !ok {
		return ""
	}
	for status, n := range statusNumbers {
		if n == uint32(number) {
			return status
		}
	}
	return ""
}

// changeSpec is the transaction that makes a change.
func (r *deployTx) changeSpec(change contracts.Change) *txSpec {
	a := &txSpec{
		purpose: change.Purpose, maxFee: r.opts.MaxFee, setting: "SOROBAN_MAX_FEE", tenant: r.to.tenant, contractID: r.to.address,
	}
	var (
		function xdr.ScSymbol
		args     xdr.ScVec
	)
	switch change.Purpose {
	case txlog.PurposeStatus:
		status := xdr.Uint32(statusNumbers[change.Status])
		a.description, function, args = "the change of the contract's status", "set_status", xdr.ScVec{{Type: xdr.ScValTypeScvU32, U32: &status}}
	case txlog.PurposeAnchor:
		seq, root := xdr.Uint64(change.Anchor.Seq), xdr.ScBytes(change.Anchor.Root[:]) //nolint:gosec // never negative
		a.description, function = "the anchoring of the audit chain", "anchor"
		args = xdr.ScVec{{Type: xdr.ScValTypeScvU64, U64: &seq}, {Type: xdr.ScValTypeScvBytes, Bytes: &root}}
	default:
		hash := xdr.ScBytes(r.code[:])
		a.description, function, args = "the upgrade of the contract", "upgrade", xdr.ScVec{{Type: xdr.ScValTypeScvBytes, Bytes: &hash}}
	}
	a.body = invoke(xdr.HostFunction{
		Type: xdr.HostFunctionTypeHostFunctionTypeInvokeContract,
		InvokeContract: &xdr.InvokeContractArgs{
			ContractAddress: xdr.ScAddress{Type: xdr.ScAddressTypeScAddressTypeContract, ContractId: &r.to.id},
			FunctionName:    function, Args: args,
		},
	})
	return a
}
