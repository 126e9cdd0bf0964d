package stellarnet

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/stellar/go-stellar-sdk/xdr"
)

const (
	// lastLedger is the highest number that a ledger can have: cursors have 31 bits.
	lastLedger = math.MaxInt32
	// longestTravel is how far the network's clock may be ahead.
	longestTravel = 100 * 365 * 24 * time.Hour
)

// CloseLedgers lets the time of n ledgers pass at once and returns the sequence
// number of the last of them. It is for what only time brings about: lifetimes
// that end, transactions that expire, a retention window that moves on. It may be
// called beside the timer and with Options.Manual, and n may be in the millions.
//
// Each ledger is Options.LedgerClose later than the one before, and the network's
// clock stays ahead by all of them, as if AdvanceClock had been called. Clients
// that sign for a time of their own clock will be too late; take the time from
// the latest ledger. What waits in the queue gets into these ledgers, or is
// dropped from them, as in any others. Of ledgers in which nothing happens only
// those are made that the retention window still shows afterwards.
func (n *Network) CloseLedgers(ctx context.Context, count uint32) (uint32, error) {
	n.closing.Lock()
	defer n.closing.Unlock()
	seq := n.ledger.latest().seq()
	if most := n.mostLedgers(); count > most {
		return seq, fmt.Errorf("close %d ledgers after ledger %d: close %d at most", count, seq, most)
	}
	for left := count; left > 0; left-- {
		if left > 1 && n.queue.idle() {
			n.skip(left - 1)
			left = 1
		}
		n.shift.Add(int64(n.opts.LedgerClose))
		closed, err := n.closeNext(ctx)
		if err != nil {
			n.shift.Add(-int64(n.opts.LedgerClose))
			return seq, fmt.Errorf("close ledger %d: %w", seq+1, err)
		}
		seq = closed
	}
	return seq, nil
}

// mostLedgers is how many can be closed at once.
func (n *Network) mostLedgers() uint32 {
	numbers := int64(lastLedger) - int64(n.ledger.latest().seq())
	times := int64(longestTravel-time.Duration(n.shift.Load())) / int64(n.opts.LedgerClose)
	return uint32(max(0, min(numbers, times)))
}

// skip closes ledgers that hold nothing. Those that leave the retention window
// again at once are passed over: the next one names a ledger before it that
// nobody can ask for.
func (n *Network) skip(count uint32) {
	last := n.ledger.latest()
	if over := int64(count) - int64(n.opts.Retention); over > 0 {
		n.shift.Add(over * int64(n.opts.LedgerClose))
		header := last.header.Header
		header.LedgerSeq += xdr.Uint32(over)
		header.ScpValue.CloseTime = xdr.TimePoint(n.closeTimeAfter(last))
		last = newClosedLedger(header, nil, minimumPrices)
		count = n.opts.Retention
	}
	idle := make([]*closedLedger, count)
	for i := range idle {
		n.shift.Add(int64(n.opts.LedgerClose))
		idle[i] = n.sealIdle(last, n.closeTimeAfter(last))
		last = idle[i]
	}
	n.ledger.commitIdle(idle)
	n.queue.settle(last.seq(), nil, nil, false)
}

// sealIdle is the ledger after last in which nothing happens.
func (n *Network) sealIdle(last *closedLedger, closeTime uint64) *closedLedger {
	env := applyEnv{seq: last.seq() + 1, closeTime: closeTime, prices: minimumPrices}
	return n.seal(last, env, newDelta(nil, env.seq), nil)
}
