package stellarnet

import (
	"math"
	"math/bits"
	"slices"

	"github.com/stellar/go-stellar-sdk/protocols/stellarcore"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// feeMultiplier is how much more for each operation a fee bump has to bid to
// take the place of the transaction that waits.
const feeMultiplier = 10

// refuses is what a waiting transaction has to say to another of its account.
// Only a fee bump with the same sequence number and a much better bid may take
// its place; then it says nothing.
func (w *waiting) refuses(t *transaction) standing {
	switch {
	case w.isDuplicate(t):
		return standing{status: stellarcore.TXStatusDuplicate}
	case t.seqNum() < w.seqNum():
		return standing{status: stellarcore.TXStatusError, verdict: refusal(xdr.TransactionResultCodeTxBadSeq, 0)}
	case t.inner == nil, t.seqNum() != w.seqNum():
		return standing{status: stellarcore.TXStatusTryAgainLater}
	}
	least := scaleUp(saturate(w.inclusionFee(), feeMultiplier), t, w.transaction)
	if t.inclusionFee() >= least {
		return standing{}
	}
	return tooCheap(t, least)
}

// isDuplicate also recognises the transaction that a waiting fee bump carries.
func (w *waiting) isDuplicate(t *transaction) bool {
	return w.fullHash == t.fullHash || w.inner != nil && w.inner.fullHash == t.fullHash
}

// makeRoom names those with the lowest bids that have to leave a full queue, or
// refuses the newcomer, whose bid has to beat theirs, and those of all that left
// since the last ledger.
func (q *queue) makeRoom(t *transaction, replaced *waiting) ([]*waiting, standing) {
	kind, room := t.isSoroban(), queueRoom(q.room())
	if last, some := q.evicted[kind]; some && compareBids(last, t.bid()) >= 0 {
		return nil, tooCheap(t, better(last, t))
	}
	need, used := t.resources(), q.used
	if replaced != nil {
		used = used.minus(replaced.resources())
	}
	switch {
	case need.plus(used).fitsInto(room):
		return nil, standing{}
	case !need.fitsInto(room): // More than a transaction may ask for, as the rules will say.
		return nil, standing{}
	}
	var leaving []*waiting
	for _, w := range q.cheapest(kind) {
		if need.plus(used).fitsInto(room) {
			break
		}
		if w == replaced {
			continue
		}
		if compareBids(w.bid(), t.bid()) >= 0 {
			return nil, tooCheap(t, better(w.bid(), t))
		}
		used = used.minus(w.resources())
		leaving = append(leaving, w)
	}
	return leaving, standing{}
}

// cheapest lists one kind of transaction with the lowest bid first, and of equal
// ones the latest.
func (q *queue) cheapest(soroban bool) []*waiting {
	var out []*waiting
	for _, w := range slices.Backward(q.order) {
		if w.isSoroban() == soroban {
			out = append(out, w)
		}
	}
	slices.SortStableFunc(out, func(a, b *waiting) int { return compareBids(a.bid(), b.bid()) })
	return out
}

func queueRoom(ledger resources) resources {
	room := resources{}
	for range queueLedgers {
		room = room.plus(ledger)
	}
	return room
}

// tooCheap refuses a bid and names the fee that would do, resources included.
func tooCheap(t *transaction, inclusion int64) standing {
	return standing{
		status:  stellarcore.TXStatusError,
		verdict: refusal(xdr.TransactionResultCodeTxInsufficientFee, min(inclusion, math.MaxInt64>>1)+t.resourceFeeBid()),
	}
}

// better is the least inclusion fee with which a transaction beats a bid.
func better(than bid, t *transaction) int64 {
	high, low := bits.Mul64(uint64(than.stroops), uint64(t.operationCount()))
	if high >= uint64(than.operations) {
		return math.MaxInt64
	}
	quotient, _ := bits.Div64(high, low, uint64(than.operations))
	return int64(min(quotient, math.MaxInt64-1)) + 1
}

func saturate(fee, times int64) int64 {
	if fee > math.MaxInt64/times {
		return math.MaxInt64
	}
	return fee * times
}
