package soroban

import (
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/ledger"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/txsubmit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// planContract returns the next step, or nil when the contract exists, is live and correct.
// It verifies an existing contract, archived or not, before anything is paid for it.
// An archived contract is restored; it cannot be created again.
func (r *contractTask) planContract(v ledger.View) (*txsubmit.Spec, error) {
	if v.Instance != ledger.Missing {
		if err := r.verifyInstance(r.to, v.Content); err != nil {
			return nil, err
		}
	}
	switch {
	case v.Instance == ledger.Live && r.runsPredecessor(v.Content):
		return nil, nil // The contract is valid; its upgrade is a separate operation.
	case v.Code == ledger.Missing:
		return r.uploadSpec(), nil
	case v.Code == ledger.Archived || v.Instance == ledger.Archived:
		return r.restoreContractSpec(r.to, v), nil
	case v.Instance == ledger.Missing:
		return r.createSpec(r.to), nil
	}
	return nil, nil
}

// planCode returns the step that is missing until the newest code is on the ledger and
// live; nil when it is.
func (r *contractTask) planCode(v ledger.View) (*txsubmit.Spec, error) {
	switch v.Code {
	case ledger.Missing:
		return r.uploadSpec(), nil
	case ledger.Archived:
		return r.restoreCodeSpec(r.code), nil
	default:
		return nil, nil
	}
}

// planChange returns the step that changes a contract; nil when it is as requested.
func (r *contractTask) planChange(v ledger.View, change contracts.Change) (*txsubmit.Spec, error) {
	switch {
	case v.Account == nil:
		return nil, r.submitter.AccountMissing()
	case v.Instance == ledger.Missing:
		return nil, errs.Errorf(errs.KindPermanent, "change contract", "the ledger has no contract %s", r.to.address)
	case v.Instance == ledger.Archived:
		return nil, errs.Errorf(errs.KindTransient, "change contract", "the contract %s is archived; it has to be restored first", r.to.address)
	}
	if err := r.verifyInstance(r.to, v.Content); err != nil || r.hasChange(v.Content, change) {
		return nil, err
	}
	return r.changeSpec(r.to, change), nil
}

// hasChange reports whether a contract has the requested change already.
func (d *Deployer) hasChange(instance *xdr.ScContractInstance, change contracts.Change) bool {
	switch change.Purpose {
	case txlog.PurposeStatus:
		return ledger.StatusOf(instance) == change.Status
	case txlog.PurposeAnchor:
		// A newer anchor is enough too; the contract refuses an older one.
		return ledger.AnchorOf(instance).Seq >= change.Anchor.Seq
	default:
		return instance.Executable.WasmHash != nil && *instance.Executable.WasmHash == d.code
	}
}
