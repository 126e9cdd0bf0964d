package stellarnet

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/stellar/go-stellar-sdk/xdr"
)

const (
	// lastLedger is the highest possible ledger number: cursors have 31 bits.
	lastLedger = math.MaxInt32
	// maxClockAdvance is how far the network's clock may be ahead.
	maxClockAdvance = 100 * 365 * 24 * time.Hour
)

// CloseLedgers advances time by n ledgers at once and returns the sequence number of the
// last one. Use it for effects that only time has: lifetimes that end, transactions that
// expire, a retention window that moves. It works together with the timer and with
// Options.Manual, and n may be in the millions.
//
// Each ledger is Options.LedgerClose later than the one before, and the network's clock
// is then ahead by the sum, as after AdvanceClock. Clients that sign with the time of
// their own clock are then too late; take the time from the latest ledger. Queued
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
		n.clockOffset.Add(int64(n.opts.LedgerClose))
		closed, err := n.closeWithQueue(ctx)
		if err != nil {
			n.clockOffset.Add(-int64(n.opts.LedgerClose))
			return seq, fmt.Errorf("close ledger %d: %w", seq+1, err)
		}
		seq = closed
	}
	return seq, nil
}

// maxClosableLedgers is how many ledgers can be closed at once.
func (n *Network) maxClosableLedgers() uint32 {
	byNumber := int64(lastLedger) - int64(n.ledger.latest().seq())
	byTime := int64(maxClockAdvance-time.Duration(n.clockOffset.Load())) / int64(n.opts.LedgerClose)
	return uint32(max(0, min(byNumber, byTime)))
}

// closeEmptyLedgers closes empty ledgers. Those that would leave the retention window
// immediately are skipped: then the next ledger refers to a predecessor that no client
// can query.
func (n *Network) closeEmptyLedgers(count uint32) {
	last := n.ledger.latest()
	if skipped := int64(count) - int64(n.opts.Retention); skipped > 0 {
		n.clockOffset.Add(skipped * int64(n.opts.LedgerClose))
		header := last.header.Header
		header.LedgerSeq += xdr.Uint32(skipped)
		header.ScpValue.CloseTime = xdr.TimePoint(n.closeTimeAfter(last))
		last = newClosedLedger(header, nil, minimumPrices)
		count = n.opts.Retention
	}
	emptyLedgers := make([]*closedLedger, count)
	for i := range emptyLedgers {
		n.clockOffset.Add(int64(n.opts.LedgerClose))
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
