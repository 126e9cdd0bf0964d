package soroban

import (
	"context"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
)

// life tells where an entry of the ledger stands.
type life int

const (
	missing life = iota
	archived
	live
)

// view is what one look at the ledger showed of a contract.
type view struct {
	ledger   uint32
	account  *xdr.AccountEntry // nil: the deployer's account does not exist.
	code     life
	instance life
	content  *xdr.ScContractInstance // nil while instance is missing.
}

// sequence is the number that the account used last, 0 without an account.
func (v view) sequence() int64 {
	if v.account == nil {
		return 0
	}
	return int64(v.account.SeqNum)
}

// look reads code, instance and account in one call, so that all are of one ledger.
func (d *Deployer) look(ctx context.Context, id xdr.ContractId) (view, error) {
	got, err := d.rpc.entries(ctx, []xdr.LedgerKey{codeKey(), instanceKey(id), accountKey(d.account)})
	if err != nil {
		return view{}, err
	}
	v := view{ledger: got.LatestLedger}
	for _, entry := range got.Entries {
		if err := v.take(entry); err != nil {
			return view{}, unusable(err, "read ledger entries")
		}
	}
	return v, nil
}

func (v *view) take(entry protocol.LedgerEntryResult) error {
	var data xdr.LedgerEntryData
	if err := xdr.SafeUnmarshalBase64(entry.DataXDR, &data); err != nil {
		return err
	}
	switch data.Type { // Nothing else was asked for.
	case xdr.LedgerEntryTypeAccount:
		v.account = data.Account
	case xdr.LedgerEntryTypeContractCode:
		v.code = lifeOf(entry, v.ledger)
	case xdr.LedgerEntryTypeContractData:
		v.instance, v.content = lifeOf(entry, v.ledger), data.ContractData.Val.Instance
	}
	return nil
}

// lifeOf tells where an entry will stand in the next ledger, which is the first
// that a transaction can be in. Archived ones are shown with a lifetime that is
// over, or with 0.
func lifeOf(entry protocol.LedgerEntryResult, ledger uint32) life {
	if entry.LiveUntilLedgerSeq != nil && *entry.LiveUntilLedgerSeq <= ledger {
		return archived
	}
	return live
}

func codeKey() xdr.LedgerKey {
	return xdr.LedgerKey{
		Type:         xdr.LedgerEntryTypeContractCode,
		ContractCode: &xdr.LedgerKeyContractCode{Hash: contract.Hash()},
	}
}

// instanceKey names the entry that says which code a contract runs, and holds
// all of the tenant contract's values.
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
