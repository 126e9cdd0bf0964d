package ledger

import (
	"context"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// EntryState is the state of a ledger entry.
type EntryState int

// The states of a ledger entry.
const (
	Missing EntryState = iota
	Archived
	Live
)

// View is one read of a contract's ledger entries.
type View struct {
	Ledger   uint32
	Account  *xdr.AccountEntry // nil: the account does not exist.
	Code     EntryState
	Instance EntryState
	Content  *xdr.ScContractInstance // nil when the instance is missing.
}

// Sequence is the account's last used sequence number, 0 without an account.
func (v View) Sequence() int64 {
	if v.Account == nil {
		return 0
	}
	return int64(v.Account.SeqNum)
}

// View reads code, instance and account in one call, so all are of one ledger.
func (r *Reader) View(ctx context.Context, code xdr.Hash, id xdr.ContractId, account xdr.AccountId) (View, error) {
	entries, ledger, err := r.Entries(ctx, CodeKey(code), InstanceKey(id), AccountKey(account))
	if err != nil {
		return View{}, err
	}
	v := View{Ledger: ledger}
	for _, entry := range entries {
		if err := v.add(entry); err != nil {
			return View{}, err
		}
	}
	return v, nil
}

func (v *View) add(entry protocol.LedgerEntryResult) error {
	if entry.DataXDR == "" {
		return nil
	}
	data, err := decode(entry)
	if err != nil {
		return err
	}
	switch data.Type { // Only this key was requested.
	case xdr.LedgerEntryTypeAccount:
		v.Account = data.Account
	case xdr.LedgerEntryTypeContractCode:
		v.Code = stateOf(entry, v.Ledger)
	case xdr.LedgerEntryTypeContractData:
		v.Instance, v.Content = stateOf(entry, v.Ledger), data.ContractData.Val.Instance
	}
	return nil
}

// stateOf is the state of an entry in the next ledger, the first one that a
// transaction can be in. Archived entries have a lifetime that has ended, or 0.
func stateOf(entry protocol.LedgerEntryResult, ledger uint32) EntryState {
	if entry.LiveUntilLedgerSeq != nil && *entry.LiveUntilLedgerSeq <= ledger {
		return Archived
	}
	return Live
}

// CodeKey is the key of the entry of a contract's code.
func CodeKey(hash xdr.Hash) xdr.LedgerKey {
	return xdr.LedgerKey{
		Type:         xdr.LedgerEntryTypeContractCode,
		ContractCode: &xdr.LedgerKeyContractCode{Hash: hash},
	}
}

// InstanceKey is the key of the entry that names a contract's code and holds all of the
// tenant contract's values.
func InstanceKey(id xdr.ContractId) xdr.LedgerKey {
	return xdr.LedgerKey{
		Type: xdr.LedgerEntryTypeContractData,
		ContractData: &xdr.LedgerKeyContractData{
			Contract:   xdr.ScAddress{Type: xdr.ScAddressTypeScAddressTypeContract, ContractId: &id},
			Key:        xdr.ScVal{Type: xdr.ScValTypeScvLedgerKeyContractInstance},
			Durability: xdr.ContractDataDurabilityPersistent,
		},
	}
}

// AccountKey is the key of the entry of an account.
func AccountKey(id xdr.AccountId) xdr.LedgerKey {
	return xdr.LedgerKey{Type: xdr.LedgerEntryTypeAccount, Account: &xdr.LedgerKeyAccount{AccountId: id}}
}
