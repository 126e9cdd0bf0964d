package soroban

import (
	"sync"
	"time"
)

// minPollInterval is the shortest pause between two questions about a transaction.
const minPollInterval = 20 * time.Millisecond

// ledgers learns from the answers how fast the network closes ledgers. Public
// networks take seconds and are asked at the set interval; a local one that takes a
// tenth of a second is asked twice in that time, or each deployment would wait for
// many ledgers in vain.
type ledgerInterval struct {
	mu       sync.Mutex
	ledger   uint32 // The latest that was seen,
	at       time.Time
	estimate time.Duration // The time from one to the next; 0: not known.
}

// observe takes in the latest ledger of an answer.
func (t *ledgerInterval) observe(ledger uint32, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if ledger <= t.ledger { // The same, or another server that is behind.
		return
	}
	if t.ledger > 0 {
		each := now.Sub(t.at) / time.Duration(ledger-t.ledger)
		if t.estimate > 0 {
			// Two servers behind one address make it look faster than it is, for a moment.
			each = max(each, t.estimate/2)
		}
		t.estimate = each
	}
	t.ledger, t.at = ledger, now
}

// pollInterval is the mean pause between two questions, at most the one that is set.
func (t *ledgerInterval) pollInterval(most time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.estimate == 0 {
		return most
	}
	return min(most, max(t.estimate/2, minPollInterval))
}

// timeOf is the time of so many ledgers, at most the one that is given, which
// counts while nothing is known.
func (t *ledgerInterval) timeOf(n int, most time.Duration) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.estimate == 0 {
		return most
	}
	return min(most, max(time.Duration(n)*t.estimate, minPollInterval))
}
