package stellarnet

import (
	"github.com/stellar/go-stellar-sdk/xdr"
)

// loadAccount returns a modifiable copy of an account, or nil.
func loadAccount(v stateReader, id xdr.AccountId) *xdr.AccountEntry {
	r, ok := v.get(accountKey(id))
	if !ok {
		return nil
	}
	return r.entry().Data.Account
}

func (d *stateDelta) putAccount(acc *xdr.AccountEntry) {
	le := xdr.LedgerEntry{Data: xdr.LedgerEntryData{Type: xdr.LedgerEntryTypeAccount, Account: acc}}
	if err := d.put(le, 0); err != nil {
		panic("stellarnet: store account: " + err.Error())
	}
}

// newAccount is an account as CreateAccount creates it: its sequence numbers start at
// the ledger's number shifted left by 32 bits, so that transactions of an earlier
// account with the same address can never be replayed.
func newAccount(id xdr.AccountId, balance int64, seq uint32) *xdr.AccountEntry {
	return &xdr.AccountEntry{
		AccountId:  id,
		Balance:    xdr.Int64(balance),
		SeqNum:     xdr.SequenceNumber(startingSequence(seq)),
		Thresholds: xdr.NewThreshold(1, 0, 0, 0),
	}
}

func startingSequence(seq uint32) int64 { return int64(seq) << 32 }

// minBalance is the reserve that an account must hold.
func minBalance(acc *xdr.AccountEntry) int64 {
	units := 2 + int64(acc.NumSubEntries) + int64(acc.NumSponsoring()) - int64(acc.NumSponsored())
	return units * baseReserve
}

// spendableBalance is an account's balance above its reserve.
func spendableBalance(acc *xdr.AccountEntry) int64 {
	return int64(acc.Balance) - minBalance(acc) - int64(acc.Liabilities().Selling)
}

// setSequence raises an account's sequence number and records the time and ledger, for
// minSeqAge and minSeqLedgerGap.
func setSequence(acc *xdr.AccountEntry, seqNum int64, seq uint32, closeTime uint64) {
	acc.SeqNum = xdr.SequenceNumber(seqNum)
	if acc.Ext.V1 == nil {
		acc.Ext = xdr.AccountEntryExt{V: 1, V1: &xdr.AccountEntryExtensionV1{}}
	}
	if acc.Ext.V1.Ext.V2 == nil {
		acc.Ext.V1.Ext = xdr.AccountEntryExtensionV1Ext{V: 2, V2: &xdr.AccountEntryExtensionV2{
			SignerSponsoringIDs: make([]xdr.SponsorshipDescriptor, len(acc.Signers)),
		}}
	}
	acc.Ext.V1.Ext.V2.Ext = xdr.AccountEntryExtensionV2Ext{V: 3, V3: &xdr.AccountEntryExtensionV3{
		SeqLedger: xdr.Uint32(seq),
		SeqTime:   xdr.TimePoint(closeTime),
	}}
}
