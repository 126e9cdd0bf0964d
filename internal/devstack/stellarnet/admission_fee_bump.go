package stellarnet

import (
	"context"
	"math"
	"math/bits"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// rejection is a result that has only a code, with its fee in stroops.
func rejection(code xdr.TransactionResultCode, fee int64) checkResult {
	return checkResult{result: xdr.TransactionResult{
		FeeCharged: xdr.Int64(fee), Result: xdr.TransactionResultResult{Code: code},
	}}
}

// malformedResult is the result for an envelope whose fee cannot be computed.
func malformedResult() checkResult { return rejection(xdr.TransactionResultCodeTxMalformed, 0) }

// checkFeeBump checks a fee bump: first the payment, then the inner transaction.
func (n *Network) checkFeeBump(ctx context.Context, state stateReader, t *transaction, cond ledgerConditions) (checkResult, error) {
	if !t.hasValidFee() || !t.inner.hasValidFee() {
		return malformedResult(), nil
	}
	charged := xdr.Int64(t.baseFeeTotal() + t.resourceFeeBid())
	if code, fee := checkPayer(state, t, charged); code != xdr.TransactionResultCodeTxSuccess {
		return rejection(code, int64(fee)), nil
	}
	v, err := n.checkTransaction(ctx, state, t.inner, cond, true)
	if err != nil {
		return checkResult{}, err
	}
	v.result = bumpResult(t, v.result.Result, charged)
	return v, nil
}

// checkPayer checks the outer transaction: its fee, then the account that pays it. The
// returned fee goes into the rejection; when the bid was too low it is the fee that is
// enough.
func checkPayer(state stateReader, t *transaction, charged xdr.Int64) (xdr.TransactionResultCode, xdr.Int64) {
	if t.inclusionFee() < t.baseFeeTotal() {
		return xdr.TransactionResultCodeTxInsufficientFee, charged
	}
	// A contract transaction may bid a negative amount; the fee bump must then pay all.
	if inner := t.inner; inner.inclusionFee() >= 0 && compareBids(t.bid(), inner.bid()) < 0 {
		return xdr.TransactionResultCodeTxInsufficientFee, xdr.Int64(minFeeToMatch(inner.inclusionFee(), t, inner))
	}
	signatures := newBumpSignatureCheck(t)
	acc := loadAccount(state, t.feeSource())
	switch {
	case acc == nil:
		return xdr.TransactionResultCodeTxNoAccount, charged
	case !signatures.reachesThreshold(acc, acc.ThresholdLow()):
		return xdr.TransactionResultCodeTxBadAuth, charged
	case spendableBalance(acc) < t.fullFee():
		return xdr.TransactionResultCodeTxInsufficientBalance, charged
	case !signatures.allUsed():
		return xdr.TransactionResultCodeTxBadAuthExtra, charged
	}
	return xdr.TransactionResultCodeTxSuccess, charged
}

// minFeeToMatch is the lowest fee with which a bids as much per operation as the given
// fee does for b, rounded up.
func minFeeToMatch(fee int64, a, b *transaction) int64 {
	high, low := bits.Mul64(uint64(fee), uint64(a.operationCount()))
	low, carry := bits.Add64(low, uint64(b.operationCount()-1), 0)
	high += carry
	if high >= uint64(b.operationCount()) {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(high, low, uint64(b.operationCount()))
	return int64(min(quotient, math.MaxInt64))
}
