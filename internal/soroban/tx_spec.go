package soroban

import (
	"github.com/google/uuid"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// txSpec describes the transaction of one step. It has one operation; only a
// transaction that funds channels has several.
type txSpec struct {
	purpose     txlog.Purpose
	description string // For messages: "the creation of the contract".
	body        xdr.OperationBody
	restore     []xdr.LedgerKey // With PurposeRestore: the entries to restore.
	extend      []xdr.LedgerKey // With PurposeExtend: the entries to extend.
	ops         []xdr.Operation // With PurposeFund, instead of body.
	maxFee      int64
	setting     string // The setting of the ceiling.
	tenant      uuid.UUID
	contractID  string // The contract, C...; empty: none, or several.
	spends      int64  // Stroops that the deployer pays in addition to the fee.
	shared      bool   // Done once for all tenants, so only one caller at a time may do it.
}

// plan returns the next step, or nil when the contract exists, is live and correct.
// It verifies an existing contract, archived or not, before anything is paid for it.
// An archived contract is restored; it cannot be created again.
func (d *Deployer) plan(t target, v ledgerView) (*txSpec, error) {
	if v.instance != missing {
		if err := d.verifyInstance(t, v.content); err != nil {
			return nil, err
		}
	}
	switch {
	case v.instance == live && d.runsPredecessor(v.content):
		return nil, nil // The contract is valid; its upgrade is a separate operation.
	case v.code == missing:
		return d.uploadSpec(), nil
	case v.code == archived || v.instance == archived:
		return d.restoreSpec(t, v), nil
	case v.instance == missing:
		return d.createSpec(t), nil
	}
	return nil, nil
}

func (d *Deployer) uploadSpec() *txSpec {
	wasm := d.opts.Code.Wasm
	return &txSpec{
		purpose: txlog.PurposeUpload, description: "the upload of the contract's code (once per network)",
		body: invoke(xdr.HostFunction{Type: xdr.HostFunctionTypeHostFunctionTypeUploadContractWasm, Wasm: &wasm}),

		maxFee: d.opts.MaxUploadFee, setting: "SOROBAN_MAX_UPLOAD_FEE", shared: true,
	}
}

func (d *Deployer) createSpec(t target) *txSpec {
	code, tenant := d.code, TenantHash(t.tenant)
	admin, hash := accountAddress(d.account), xdr.ScBytes(tenant[:])
	return &txSpec{
		purpose: txlog.PurposeCreate, description: "the creation of the contract",
		body: invoke(xdr.HostFunction{
			Type: xdr.HostFunctionTypeHostFunctionTypeCreateContractV2,
			CreateContractV2: &xdr.CreateContractArgsV2{
				ContractIdPreimage: idPreimage(d.account, t.tenant),
				Executable:         xdr.ContractExecutable{Type: xdr.ContractExecutableTypeContractExecutableWasm, WasmHash: &code},
				ConstructorArgs: []xdr.ScVal{
					{Type: xdr.ScValTypeScvAddress, Address: &admin},
					{Type: xdr.ScValTypeScvBytes, Bytes: &hash},
				},
			},
		}),
		maxFee: d.opts.MaxFee, setting: "SOROBAN_MAX_FEE", tenant: t.tenant, contractID: t.address,
	}
}

// restoreSpec restores the code before the instance and not together: all contracts
// share the code, and it has a separate ceiling.
func (d *Deployer) restoreSpec(t target, v ledgerView) *txSpec {
	if v.code == archived {
		return d.restoreCodeSpec(d.code)
	}
	return &txSpec{
		purpose: txlog.PurposeRestore, description: "the restoring of the contract", restore: []xdr.LedgerKey{instanceKey(t.id)},
		body:   xdr.OperationBody{Type: xdr.OperationTypeRestoreFootprint, RestoreFootprintOp: &xdr.RestoreFootprintOp{}},
		maxFee: d.opts.MaxFee, setting: "SOROBAN_MAX_FEE", tenant: t.tenant, contractID: t.address,
	}
}

func (d *Deployer) restoreCodeSpec(hash xdr.Hash) *txSpec {
	return &txSpec{
		purpose: txlog.PurposeRestore, description: "the restoring of the contract's code (once per network)",
		body:    xdr.OperationBody{Type: xdr.OperationTypeRestoreFootprint, RestoreFootprintOp: &xdr.RestoreFootprintOp{}},
		restore: []xdr.LedgerKey{codeKey(hash)},
		maxFee:  d.opts.MaxUploadFee, setting: "SOROBAN_MAX_UPLOAD_FEE", shared: true,
	}
}

func invoke(f xdr.HostFunction) xdr.OperationBody {
	return xdr.OperationBody{
		Type:                 xdr.OperationTypeInvokeHostFunction,
		InvokeHostFunctionOp: &xdr.InvokeHostFunctionOp{HostFunction: f},
	}
}
