package rpc

import (
	"sync"
	"time"
)

// minPollInterval is the shortest pause between two polls of a transaction.
const minPollInterval = 20 * time.Millisecond

// resetDistance is by how many ledgers a server is not behind another one.
const resetDistance = 1000

// ledgerInterval measures from the responses how fast the network closes ledgers. Public
// networks take seconds and are polled at the configured interval. A local network that
// takes a tenth of a second is polled twice in that time; otherwise each deployment would
// wait for many ledgers without need.
type ledgerInterval struct {
	mu       sync.Mutex
	ledger   uint32 // The latest ledger seen,
	at       time.Time
	estimate time.Duration // The time between two ledgers; 0: not known.
}

// observe records the latest ledger of a response.
func (t *ledgerInterval) observe(ledger uint32, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ledger < t.ledger && t.ledger-ledger > resetDistance { // The network was reset, or the answer before was wrong.
		t.ledger, t.at, t.estimate = ledger, now, 0
	}
	if ledger <= t.ledger { // The same ledger, or a server that is behind.
		return
	}
	if t.ledger > 0 {
		each := now.Sub(t.at) / time.Duration(ledger-t.ledger)
		if t.estimate > 0 {
			// Two servers behind one address make the network look faster for a moment.
			each = max(each, t.estimate/2)
		}
		t.estimate = each
	}
	t.ledger, t.at = ledger, now
}

// timeOf is the duration of n ledgers, at most limit, which also applies while the
// interval is unknown.
func (t *ledgerInterval) timeOf(n float64, limit time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.estimate == 0 {
		return limit
	}
	return min(limit, max(time.Duration(n*float64(t.estimate)), minPollInterval))
}
