package ledger

import (
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
)

// StoredValue reads a value of the contract's storage. Keys are variants of a Rust enum,
// which the ledger stores as a vector of one symbol. The zero ScVal means absent: it is
// a boolean, a type that the contract does not use.
func StoredValue(instance *xdr.ScContractInstance, name xdr.ScSymbol) xdr.ScVal {
	if instance.Storage == nil {
		return xdr.ScVal{}
	}
	for _, entry := range *instance.Storage {
		key, ok := entry.Key.GetVec()
		if !ok || key == nil || len(*key) != 1 {
			continue
		}
		if symbol, ok := (*key)[0].GetSym(); ok && symbol == name {
			return entry.Val
		}
	}
	return xdr.ScVal{}
}

// StatusNumbers are the contract's numbers for the statuses.
var StatusNumbers = map[contracts.ContractStatus]uint32{
	contracts.ContractStatusActive:    contract.StatusActive,
	contracts.ContractStatusSuspended: contract.StatusSuspended,
	contracts.ContractStatusArchived:  contract.StatusArchived,
}

// StatusOf reads the status from a contract's instance. It is empty when the
// instance has none, or a number that this program does not know.
func StatusOf(instance *xdr.ScContractInstance) contracts.ContractStatus {
	number, ok := StoredValue(instance, "Status").GetU32()
	if !ok {
		return ""
	}
	for status, n := range StatusNumbers {
		if n == uint32(number) {
			return status
		}
	}
	return ""
}

// AnchorOf returns the contract's newest anchor; the zero Anchor when it has none.
func AnchorOf(instance *xdr.ScContractInstance) contracts.Anchor {
	var a contracts.Anchor
	fields, ok := StoredValue(instance, "Anchor").GetMap()
	if !ok || fields == nil {
		return a
	}
	for _, f := range *fields {
		name, _ := f.Key.GetSym()
		switch name {
		case "seq":
			seq, _ := f.Val.GetU64()
			a.Seq = int64(seq) //nolint:gosec // the registry's sequence numbers
		case "root":
			root, _ := f.Val.GetBytes()
			copy(a.Root[:], root)
		case "ledger":
			ledger, _ := f.Val.GetU32()
			a.Ledger = uint32(ledger)
		}
	}
	return a
}

// LifetimeOf returns the remaining lifetime of an entry, as of a ledger.
func LifetimeOf(entry protocol.LedgerEntryResult, ledger uint32) (contracts.State, uint32) {
	switch until := entry.LiveUntilLedgerSeq; {
	case stateOf(entry, ledger) == Archived:
		return contracts.StateExpired, 0
	case until == nil:
		return contracts.StateLive, 0
	case *until < ledger+contracts.RenewAhead:
		return contracts.StateExpiring, *until
	default:
		return contracts.StateLive, *until
	}
}
