package stellarnet

import (
	"github.com/stellar/go-stellar-sdk/xdr"
)

// bumpResult wraps the inner transaction's result. The fee is the outer transaction's;
// the inner one pays nothing since protocol 25.
func bumpResult(t *transaction, inner xdr.TransactionResultResult, feeCharged xdr.Int64) xdr.TransactionResult {
	code := xdr.TransactionResultCodeTxFeeBumpInnerFailed
	if inner.Code == xdr.TransactionResultCodeTxSuccess {
		code = xdr.TransactionResultCodeTxFeeBumpInnerSuccess
	}
	return xdr.TransactionResult{
		FeeCharged: feeCharged,
		Result: xdr.TransactionResultResult{
			Code: code,
			InnerResultPair: &xdr.InnerTransactionResultPair{
				TransactionHash: t.inner.hash,
				Result: xdr.InnerTransactionResult{
					Result: xdr.InnerTransactionResultResult{Code: inner.Code, Results: inner.Results},
				},
			},
		},
	}
}

// ledgerResult is the result as the ledger records it. While a transaction is applied,
// result is that of the innermost one.
func (a *appliedTx) ledgerResult() xdr.TransactionResult {
	if a.tx.inner == nil {
		return a.result
	}
	return bumpResult(a.tx, a.result.Result, a.result.FeeCharged)
}
