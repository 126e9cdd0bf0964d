package stellarnet

import (
	"math"
	"math/bits"
	"slices"

	"github.com/stellar/go-stellar-sdk/protocols/stellarcore"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// feeBumpMultiplier is how many times more per operation a fee bump must bid to replace
// the waiting transaction.
const feeBumpMultiplier = 10

// checkReplacement decides about another transaction of the same account. Only a fee
// bump with the same sequence number and a high enough bid may replace the waiting one;
// then it returns no status.
func (w *queuedTx) checkReplacement(t *transaction) admission {
	switch {
	case w.isDuplicate(t):
		return admission{status: stellarcore.TXStatusDuplicate}
	case t.seqNum() < w.seqNum():
		return admission{status: stellarcore.TXStatusError, checkResult: rejection(xdr.TransactionResultCodeTxBadSeq, 0)}
	case t.inner == nil, t.seqNum() != w.seqNum():
		return admission{status: stellarcore.TXStatusTryAgainLater}
	}
	minFee := minFeeToMatch(saturatingMul(w.inclusionFee(), feeBumpMultiplier), t, w.transaction)
	if t.inclusionFee() >= minFee {
		return admission{}
	}
	return insufficientFee(t, minFee)
}

// isDuplicate also recognises the inner transaction of a waiting fee bump.
func (w *queuedTx) isDuplicate(t *transaction) bool {
	return w.envelopeHash == t.envelopeHash || w.inner != nil && w.inner.envelopeHash == t.envelopeHash
}

// selectEvictions selects the transactions with the lowest bids to be evicted from a
// full queue, or refuses the new one, whose bid must be above theirs and above those of
// all evicted since the last ledger.
func (q *txQueue) selectEvictions(t *transaction, replaced *queuedTx) ([]*queuedTx, admission) {
	kind, capacity := t.isSoroban(), queueCapacity(q.ledgerCapacity())
	if evictedBid, exists := q.highestEvictedBid[kind]; exists && compareBids(evictedBid, t.bid()) >= 0 {
		return nil, insufficientFee(t, minFeeToReplace(evictedBid, t))
	}
	required, used := t.resources(), q.used
	if replaced != nil {
		used = used.minus(replaced.resources())
	}
	switch {
	case required.plus(used).fitsInto(capacity):
		return nil, admission{}
	case !required.fitsInto(capacity): // More than the limit of one transaction; the rules refuse it later.
		return nil, admission{}
	}
	var evictions []*queuedTx
	for _, w := range q.lowestBids(kind) {
		if required.plus(used).fitsInto(capacity) {
			break
		}
		if w == replaced {
			continue
		}
		if compareBids(w.bid(), t.bid()) >= 0 {
			return nil, insufficientFee(t, minFeeToReplace(w.bid(), t))
		}
		used = used.minus(w.resources())
		evictions = append(evictions, w)
	}
	return evictions, admission{}
}

// lowestBids sorts one kind of transaction by bid, lowest first, and among equal bids
// the latest first.
func (q *txQueue) lowestBids(soroban bool) []*queuedTx {
	var out []*queuedTx
	for _, w := range slices.Backward(q.order) {
		if w.isSoroban() == soroban {
			out = append(out, w)
		}
	}
	slices.SortStableFunc(out, func(a, b *queuedTx) int { return compareBids(a.bid(), b.bid()) })
	return out
}

func queueCapacity(ledger resources) resources {
	capacity := resources{}
	for range queueCapacityLedgers {
		capacity = capacity.plus(ledger)
	}
	return capacity
}

// insufficientFee refuses a bid and returns the fee that is enough, resources included.
func insufficientFee(t *transaction, minInclusionFee int64) admission {
	return admission{
		status:      stellarcore.TXStatusError,
		checkResult: rejection(xdr.TransactionResultCodeTxInsufficientFee, min(minInclusionFee, math.MaxInt64>>1)+t.resourceFeeBid()),
	}
}

// minFeeToReplace is the lowest inclusion fee that is above a bid.
func minFeeToReplace(other bid, t *transaction) int64 {
	high, low := bits.Mul64(uint64(other.stroops), uint64(t.operationCount()))
	if high >= uint64(other.operations) {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(high, low, uint64(other.operations))
	return int64(min(quotient, math.MaxInt64-1)) + 1
}

func saturatingMul(fee, factor int64) int64 {
	if fee > math.MaxInt64/factor {
		return math.MaxInt64
	}
	return fee * factor
}
