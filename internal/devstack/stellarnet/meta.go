package stellarnet

import (
	"github.com/stellar/go-stellar-sdk/xdr"
)

// buildMeta assembles the transaction meta in the protocol's format since version 23. It
// does not have the fees: they are charged and refunded separately.
func (a *appliedTx) buildMeta() xdr.TransactionMeta {
	v4 := &xdr.TransactionMetaV4{
		TxChangesBefore:  nonNilChanges(a.seqChanges),
		Operations:       a.operations,
		TxChangesAfter:   xdr.LedgerEntryChanges{},
		Events:           a.events,
		DiagnosticEvents: a.diagnostics,
	}
	if v4.Operations == nil {
		v4.Operations = []xdr.OperationMetaV2{}
	}
	if a.tx.isSoroban() {
		v4.SorobanMeta = &xdr.SorobanTransactionMetaV2{
			Ext: xdr.SorobanTransactionMetaExt{V: 1, V1: &xdr.SorobanTransactionMetaExtV1{
				TotalNonRefundableResourceFeeCharged: xdr.Int64(a.fees.nonRefundable),
				TotalRefundableResourceFeeCharged:    xdr.Int64(a.fees.refundableUsed),
				RentFeeCharged:                       xdr.Int64(a.fees.rentUsed),
			}},
			ReturnValue: a.returnValue,
		}
	}
	return xdr.TransactionMeta{V: 4, V4: v4}
}

func nonNilChanges(changes xdr.LedgerEntryChanges) xdr.LedgerEntryChanges {
	if changes == nil {
		return xdr.LedgerEntryChanges{}
	}
	return changes
}
