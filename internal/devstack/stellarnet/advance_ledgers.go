package stellarnet

import (
	"context"
	"fmt"
	"math"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// lastLedger is the highest possible ledger number: cursors have 31 bits.
const lastLedger = math.MaxInt32

// CloseLedgers closes n ledgers at once and returns the sequence number of the last one. Use
// it for what ledgers count: lifetimes that end, a retention window that moves. It works
// together with the timer and with Options.Manual, and n may be in the millions.
//
// Their close times are the network's clock, as of every ledger: transactions do not expire
// by it, and clients that compare that time with their own find no difference. Queued
// transactions get into these ledgers or are dropped, as usual. Of the empty ledgers
// only those are built that the retention window still has at the end.
func (n *Network) CloseLedgers(ctx context.Context, count uint32) (uint32, error) {
	n.closeMu.Lock()
	defer n.closeMu.Unlock()
	seq := n.ledger.latest().seq()
	if most := n.maxClosableLedgers(); count > most {
		return seq, fmt.Errorf("close %d ledgers after ledger %d: close %d at most", count, seq, most)
	}
	for remaining := count; remaining > 0; remaining-- {
		if remaining > 1 && n.queue.isIdle() {
			n.closeEmptyLedgers(remaining - 1)
			remaining = 1
		}
		closed, err := n.closeWithQueue(ctx)
		if err != nil {
			return seq, fmt.Errorf("close ledger %d: %w", seq+1, err)
		}
		seq = closed
	}
	return seq, nil
}

// maxClosableLedgers is how many ledgers can be closed at once.
func (n *Network) maxClosableLedgers() uint32 {
	return uint32(max(0, int64(lastLedger)-int64(n.ledger.latest().seq())))
}

// closeEmptyLedgers closes empty ledgers. Those that would leave the retention window
// immediately are skipped: then the next ledger refers to a predecessor that no client
// can query.
func (n *Network) closeEmptyLedgers(count uint32) {
	last := n.ledger.latest()
	if skipped := int64(count) - int64(n.opts.Retention); skipped > 0 {
		header := last.header.Header
		header.LedgerSeq += xdr.Uint32(skipped)
		header.ScpValue.CloseTime = xdr.TimePoint(n.closeTimeAfter(last))
		last = newClosedLedger(header, nil, minimumPrices)
		count = n.opts.Retention
	}
	emptyLedgers := make([]*closedLedger, count)
	for i := range emptyLedgers {
		emptyLedgers[i] = n.buildEmptyLedger(last, n.closeTimeAfter(last))
		last = emptyLedgers[i]
	}
	n.ledger.commitEmpty(emptyLedgers)
	n.queue.ledgerClosed(last.seq(), nil, nil, false)
}

// buildEmptyLedger builds the empty ledger after last.
func (n *Network) buildEmptyLedger(last *closedLedger, closeTime uint64) *closedLedger {
	env := applyContext{seq: last.seq() + 1, closeTime: closeTime, prices: minimumPrices}
	return n.buildLedger(last, env, newStateDelta(nil, env.seq), nil)
}
