package soroban

import (
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/ledger"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/txsubmit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

func (d *Deployer) uploadSpec() *txsubmit.Spec {
	wasm := d.opts.Code.Wasm
	return &txsubmit.Spec{
		Purpose: txlog.PurposeUpload, Description: "the upload of the contract's code (once per network)",
		Body: invoke(xdr.HostFunction{Type: xdr.HostFunctionTypeHostFunctionTypeUploadContractWasm, Wasm: &wasm}),

		MaxFee: d.opts.MaxUploadFee, Setting: "SOROBAN_MAX_UPLOAD_FEE", Shared: true,
	}
}

func (d *Deployer) createSpec(t target) *txsubmit.Spec {
	code, tenant := d.code, TenantHash(t.tenant)
	admin, hash := accountAddress(d.submitter.Account()), xdr.ScBytes(tenant[:])
	return &txsubmit.Spec{
		Purpose: txlog.PurposeCreate, Description: "the creation of the contract",
		Body: invoke(xdr.HostFunction{
			Type: xdr.HostFunctionTypeHostFunctionTypeCreateContractV2,
			CreateContractV2: &xdr.CreateContractArgsV2{
				ContractIdPreimage: idPreimage(d.submitter.Account(), t.tenant),
				Executable:         xdr.ContractExecutable{Type: xdr.ContractExecutableTypeContractExecutableWasm, WasmHash: &code},
				ConstructorArgs: []xdr.ScVal{
					{Type: xdr.ScValTypeScvAddress, Address: &admin},
					{Type: xdr.ScValTypeScvBytes, Bytes: &hash},
				},
			},
		}),
		MaxFee: d.opts.MaxFee, Setting: "SOROBAN_MAX_FEE", Tenant: t.tenant, ContractID: t.address,
	}
}

// restoreContractSpec restores the code before the instance and not together: all
// contracts share the code, and it has a separate ceiling.
func (d *Deployer) restoreContractSpec(t target, v ledger.View) *txsubmit.Spec {
	if v.Code == ledger.Archived {
		return d.restoreCodeSpec(d.code)
	}
	a := restoreSpec("the restoration of the contract", ledger.InstanceKey(t.id))
	a.MaxFee, a.Setting, a.Tenant, a.ContractID = d.opts.MaxFee, "SOROBAN_MAX_FEE", t.tenant, t.address
	return a
}

func (d *Deployer) restoreCodeSpec(hash xdr.Hash) *txsubmit.Spec {
	a := restoreSpec("the restoration of the contract's code (once per network)", ledger.CodeKey(hash))
	a.MaxFee, a.Setting, a.Shared = d.opts.MaxUploadFee, "SOROBAN_MAX_UPLOAD_FEE", true
	return a
}

func restoreSpec(description string, keys ...xdr.LedgerKey) *txsubmit.Spec {
	return &txsubmit.Spec{
		Purpose: txlog.PurposeRestore, Description: description, Restore: keys,
		Body: xdr.OperationBody{Type: xdr.OperationTypeRestoreFootprint, RestoreFootprintOp: &xdr.RestoreFootprintOp{}},
	}
}

func extendSpec(description string, keys ...xdr.LedgerKey) *txsubmit.Spec {
	return &txsubmit.Spec{
		Purpose: txlog.PurposeExtend, Description: description, Extend: keys,
		Body: xdr.OperationBody{
			Type: xdr.OperationTypeExtendFootprintTtl, ExtendFootprintTtlOp: &xdr.ExtendFootprintTtlOp{ExtendTo: contracts.ExtendTo},
		},
	}
}

func invoke(f xdr.HostFunction) xdr.OperationBody {
	return xdr.OperationBody{
		Type:                 xdr.OperationTypeInvokeHostFunction,
		InvokeHostFunctionOp: &xdr.InvokeHostFunctionOp{HostFunction: f},
	}
}

// changeSpec is the transaction that makes a change.
func (d *Deployer) changeSpec(to target, change contracts.Change) *txsubmit.Spec {
	a := &txsubmit.Spec{
		Purpose: change.Purpose, MaxFee: d.opts.MaxFee, Setting: "SOROBAN_MAX_FEE", Tenant: to.tenant, ContractID: to.address,
	}
	var (
		function xdr.ScSymbol
		args     xdr.ScVec
	)
	switch change.Purpose {
	case txlog.PurposeStatus:
		status := xdr.Uint32(ledger.StatusNumbers[change.Status])
		a.Description, function, args = "the change of the contract's status", "set_status", xdr.ScVec{{Type: xdr.ScValTypeScvU32, U32: &status}}
	case txlog.PurposeAnchor:
		seq, root := xdr.Uint64(change.Anchor.Seq), xdr.ScBytes(change.Anchor.Root[:]) //nolint:gosec // never negative
		a.Description, function = "the anchoring of the audit chain", "anchor"
		args = xdr.ScVec{{Type: xdr.ScValTypeScvU64, U64: &seq}, {Type: xdr.ScValTypeScvBytes, Bytes: &root}}
	default:
		hash := xdr.ScBytes(d.code[:])
		a.Description, function, args = "the upgrade of the contract", "upgrade", xdr.ScVec{{Type: xdr.ScValTypeScvBytes, Bytes: &hash}}
	}
	a.Body = invoke(xdr.HostFunction{
		Type: xdr.HostFunctionTypeHostFunctionTypeInvokeContract,
		InvokeContract: &xdr.InvokeContractArgs{
			ContractAddress: xdr.ScAddress{Type: xdr.ScAddressTypeScAddressTypeContract, ContractId: &to.id},
			FunctionName:    function, Args: args,
		},
	})
	return a
}
