package stellarnet

import (
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
)

// rentChange describes an extended lifetime to the host. An archived entry (from 0) pays
// for its full size, like a new one.
func (n *Network) rentChange(key xdr.LedgerKey, r entryState, oldLiveUntil, newLiveUntil uint32) host.RentChange {
	size := n.rentSize(r)
	change := host.RentChange{
		IsPersistent: isPersistent(key),
		IsCode:       key.Type == xdr.LedgerEntryTypeContractCode,
		OldSize:      size,
		NewSize:      size,
		OldLiveUntil: oldLiveUntil,
		NewLiveUntil: newLiveUntil,
	}
	if oldLiveUntil == 0 {
		change.OldSize = 0
	}
	return change
}

// rentSize is the size that an entry pays rent for: its XDR, and for code the memory of
// the parsed module in validators.
func (n *Network) rentSize(r entryState) uint32 {
	size := uint32(len(r.xdr))
	if code, ok := r.entry().Data.GetContractCode(); ok {
		size += n.limits.moduleMemory(code)
	}
	return size
}

// moduleMemory computes a parsed module's memory by the network's cost model: a constant
// and, scaled by 128, a linear part for each kind of item in it.
func (l *limits) moduleMemory(code xdr.ContractCodeEntry) uint32 {
	cost := func(kind xdr.ContractCostType, count uint64) uint64 {
		if int(kind) >= len(l.memoryCosts) {
			return 0
		}
		param := l.memoryCosts[kind]
		return uint64(param.ConstTerm) + uint64(param.LinearTerm)*count>>7
	}
	if code.Ext.V1 == nil {
		return uint32(cost(xdr.ContractCostTypeVmInstantiation, uint64(len(code.Code))))
	}
	in := code.Ext.V1.CostInputs
	return uint32(cost(xdr.ContractCostTypeParseWasmInstructions, uint64(in.NInstructions)) +
		cost(xdr.ContractCostTypeParseWasmFunctions, uint64(in.NFunctions)) +
		cost(xdr.ContractCostTypeParseWasmGlobals, uint64(in.NGlobals)) +
		cost(xdr.ContractCostTypeParseWasmTableEntries, uint64(in.NTableEntries)) +
		cost(xdr.ContractCostTypeParseWasmTypes, uint64(in.NTypes)) +
		cost(xdr.ContractCostTypeParseWasmDataSegments, uint64(in.NDataSegments)) +
		cost(xdr.ContractCostTypeParseWasmElemSegments, uint64(in.NElemSegments)) +
		cost(xdr.ContractCostTypeParseWasmImports, uint64(in.NImports)) +
		cost(xdr.ContractCostTypeParseWasmExports, uint64(in.NExports)) +
		cost(xdr.ContractCostTypeParseWasmDataSegmentBytes, uint64(in.NDataSegmentBytes)))
}
