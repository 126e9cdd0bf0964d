package stellarnet

import (
	"math"
	"math/bits"
	"slices"

	"github.com/stellar/go-stellar-sdk/protocols/stellarcore"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// feeBumpMultiplier is how much more for each operation a fee bump has to bid to
// take the place of the transaction that waits.
const feeBumpMultiplier = 10

// checkReplacement is what a waiting transaction has to say to another of its account.
// Only a fee bump with the same sequence number and a much better bid may take
// its place; then it says nothing.
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

// isDuplicate also recognises the transaction that a waiting fee bump carries.
func (w *queuedTx) isDuplicate(t *transaction) bool {
	return w.envelopeHash == t.envelopeHash || w.inner != nil && w.inner.envelopeHash == t.envelopeHash
}

// selectEvictions names those with the lowest bids that have to leave a full queue, or
// refuses the newcomer, whose bid has to beat theirs, and those of all that left
// since the last ledger.
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
	case !required.fitsInto(capacity): // More than a transaction may ask for, as the rules will say.
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

// lowestBids lists one kind of transaction with the lowest bid first, and of equal
// ones the latest.
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

// insufficientFee refuses a bid and names the fee that would do, resources included.
func insufficientFee(t *transaction, minInclusionFee int64) admission {
	return admission{
		status:      stellarcore.TXStatusError,
		checkResult: rejection(xdr.TransactionResultCodeTxInsufficientFee, min(minInclusionFee, math.MaxInt64>>1)+t.resourceFeeBid()),
	}
}

// minFeeToReplace is the least inclusion fee with which a transaction beats a bid.
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
