package soroban

import (
	"context"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// entryState is the state of a ledger entry.
type entryState int

const (
	missing entryState = iota
	archived
	live
)

// ledgerView is one read of a contract's ledger entries.
type ledgerView struct {
	ledger   uint32
	account  *xdr.AccountEntry // nil: the account does not exist.
	code     entryState
	instance entryState
	content  *xdr.ScContractInstance // nil when the instance is missing.
}

// sequence is the account's last used sequence number, 0 without an account.
func (v ledgerView) sequence() int64 {
	if v.account == nil {
		return 0
	}
	return int64(v.account.SeqNum)
}

// readItems reads code, instance and account in one call, so all are of one ledger.
func (d *Deployer) readView(ctx context.Context, id xdr.ContractId, account xdr.AccountId) (ledgerView, error) {
	entries, ledger, err := d.readEntries(ctx, d.reads, codeKey(d.code), instanceKey(id), accountKey(account))
	if err != nil {
		return ledgerView{}, err
	}
	v := ledgerView{ledger: ledger}
	for _, entry := range entries {
		if err := v.add(entry); err != nil {
			return ledgerView{}, malformedXDR(err, "read ledger entries")
		}
	}
	return v, nil
}

// readEntries returns the entries in the order of their keys; the zero result for a
// missing one.
func (d *Deployer) readEntries(ctx context.Context, through *entryBatcher, keys ...xdr.LedgerKey) ([]protocol.LedgerEntryResult, uint32, error) {
	encoded := make([]string, len(keys))
	for i, key := range keys {
		var err error
		if encoded[i], err = xdr.MarshalBase64(key); err != nil {
			return nil, 0, malformedXDR(err, "read ledger entries")
		}
	}
	found, ledger, err := through.entries(ctx, encoded)
	if err != nil {
		return nil, 0, err
	}
	out := make([]protocol.LedgerEntryResult, len(keys))
	for i, key := range encoded {
		out[i] = found[key]
	}
	return out, ledger, nil
}

// accountOf parses an account entry; nil when it does not exist.
func accountOf(entry protocol.LedgerEntryResult) (*xdr.AccountEntry, error) {
	if entry.DataXDR == "" {
		return nil, nil
	}
	var data xdr.LedgerEntryData
	if err := xdr.SafeUnmarshalBase64(entry.DataXDR, &data); err != nil {
		return nil, malformedXDR(err, "read ledger entries")
	}
	return data.Account, nil
}

func (v *ledgerView) add(entry protocol.LedgerEntryResult) error {
	if entry.DataXDR == "" {
		return nil
	}
	var data xdr.LedgerEntryData
	if err := xdr.SafeUnmarshalBase64(entry.DataXDR, &data); err != nil {
		return err
	}
	switch data.Type { // Only this key was requested.
	case xdr.LedgerEntryTypeAccount:
		v.account = data.Account
	case xdr.LedgerEntryTypeContractCode:
		v.code = entryStateOf(entry, v.ledger)
	case xdr.LedgerEntryTypeContractData:
		v.instance, v.content = entryStateOf(entry, v.ledger), data.ContractData.Val.Instance
	}
	return nil
}

// entryStateOf is the state of an entry in the next ledger, the first one that a
// transaction can be in. Archived entries have a lifetime that has ended, or 0.
func entryStateOf(entry protocol.LedgerEntryResult, ledger uint32) entryState {
	if entry.LiveUntilLedgerSeq != nil && *entry.LiveUntilLedgerSeq <= ledger {
		return archived
	}
	return live
}

func codeKey(hash xdr.Hash) xdr.LedgerKey {
	return xdr.LedgerKey{
		Type:         xdr.LedgerEntryTypeContractCode,
		ContractCode: &xdr.LedgerKeyContractCode{Hash: hash},
	}
}

// instanceKey is the key of the entry that names a contract's code and holds all of the
// tenant contract's values.
func instanceKey(id xdr.ContractId) xdr.LedgerKey {
	return xdr.LedgerKey{
		Type: xdr.LedgerEntryTypeContractData,
		ContractData: &xdr.LedgerKeyContractData{
			Contract:   xdr.ScAddress{Type: xdr.ScAddressTypeScAddressTypeContract, ContractId: &id},
			Key:        xdr.ScVal{Type: xdr.ScValTypeScvLedgerKeyContractInstance},
			Durability: xdr.ContractDataDurabilityPersistent,
		},
	}
}

func accountKey(id xdr.AccountId) xdr.LedgerKey {
	return xdr.LedgerKey{Type: xdr.LedgerEntryTypeAccount, Account: &xdr.LedgerKeyAccount{AccountId: id}}
}
