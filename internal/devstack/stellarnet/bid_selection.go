package stellarnet

import (
	"cmp"
	"math/bits"
	"slices"
)

// basePrices is the price per operation of each kind of transaction, in stroops.
type basePrices struct{ classic, soroban int64 }

// minimumPrices are the prices of a ledger with room for all.
var minimumPrices = basePrices{classic: baseFee, soroban: baseFee}

// forTransaction is the price for one operation of this transaction.
func (p basePrices) forTransaction(t *transaction) int64 {
	if t.isSoroban() {
		return p.soroban
	}
	return p.classic
}

// selectByBid fills a ledger with the best bids. When there is no room for all
// transactions of a kind, all included ones of that kind pay the lowest included bid;
// the others are left out.
func selectByBid(candidates []*transaction, remaining resources) (selected []*transaction, prices basePrices) {
	slices.SortStableFunc(candidates, func(a, b *transaction) int { return compareBids(b.bid(), a.bid()) })
	var classic, soroban laneResult
	for _, t := range candidates {
		l := &classic
		if t.isSoroban() {
			l = &soroban
		}
		required := t.resources()
		if !required.fitsInto(remaining) {
			l.full = true
			continue
		}
		remaining = remaining.minus(required)
		selected = append(selected, t)
		l.lowestBid = t.bid().perOperation()
	}
	return selected, basePrices{classic: classic.price(), soroban: soroban.price()}
}

// laneResult is the selection for one kind of transaction.
type laneResult struct {
	full      bool
	lowestBid int64 // Of the included bids.
}

func (l laneResult) price() int64 {
	if l.full {
		return max(baseFee, l.lowestBid)
	}
	return baseFee
}

// bid is a bid for a place: stroops for a number of operations.
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
