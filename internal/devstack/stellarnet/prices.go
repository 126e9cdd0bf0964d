package stellarnet

import (
	"cmp"
	"math/bits"
	"slices"
)

// basePrices is what each kind of transaction pays for its place in a ledger, in
// stroops for each operation.
type basePrices struct{ classic, soroban int64 }

// minimumPrices are those of a ledger that has room for all.
var minimumPrices = basePrices{classic: baseFee, soroban: baseFee}

// of is the price for one operation of this transaction.
func (p basePrices) of(t *transaction) int64 {
	if t.isSoroban() {
		return p.soroban
	}
	return p.classic
}

// auction fills a ledger with the best bids. Where a kind of transaction does not
// find room for all, everybody of that kind pays what the lowest bid that got in
// offers; what finds no room is left out.
func auction(candidates []*transaction, room resources) (chosen []*transaction, prices basePrices) {
	slices.SortStableFunc(candidates, func(a, b *transaction) int { return compareBids(b.bid(), a.bid()) })
	var classic, soroban lane
	for _, t := range candidates {
		l := &classic
		if t.isSoroban() {
			l = &soroban
		}
		need := t.resources()
		if !need.fitsInto(room) {
			l.full = true
			continue
		}
		room = room.minus(need)
		chosen = append(chosen, t)
		l.lowest = t.bid().perOperation()
	}
	return chosen, basePrices{classic: classic.price(), soroban: soroban.price()}
}

// lane is one kind of transaction in an auction.
type lane struct {
	full   bool
	lowest int64 // Of the bids that got in.
}

func (l lane) price() int64 {
	if l.full {
		return max(baseFee, l.lowest)
	}
	return baseFee
}

// bid is an offer for a place: so many stroops for so many operations.
type bid struct {
	stroops    int64
	operations int64
}

func (t *transaction) bid() bid { return bid{t.inclusionFee(), t.operationCount()} }

func (b bid) perOperation() int64 { return b.stroops / b.operations }

// compareBids compares stroops per operation, without rounding.
func compareBids(a, b bid) int {
	if a.stroops < 0 || b.stroops < 0 {
		return cmp.Compare(a.stroops, b.stroops)
	}
	aHigh, aLow := bits.Mul64(uint64(a.stroops), uint64(b.operations))
	bHigh, bLow := bits.Mul64(uint64(b.stroops), uint64(a.operations))
	return cmp.Or(cmp.Compare(aHigh, bHigh), cmp.Compare(aLow, bLow))
}
