package stellarnet

import (
	"cmp"
	"slices"
	"sync"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// banLedgers is how long a transaction that was dropped is not accepted again.
const banLedgers = 10

// queue holds what waits for the next ledger: one transaction per source
// account, as in stellar-core.
type queue struct {
	mu       sync.Mutex
	bySource map[string]*transaction
	order    []*transaction
	banned   map[xdr.Hash]uint32 // Full hash to the last ledger of the ban.
	held     bool
}

func newQueue() *queue {
	return &queue{bySource: map[string]*transaction{}, banned: map[xdr.Hash]uint32{}}
}

// standing is what the queue itself has to say to a newcomer.
type standing int

const (
	standingFree standing = iota
	standingDuplicate
	standingBusy  // Another transaction of the account waits, or this one is banned.
	standingStale // A ledger closed while it was checked: check again.
)

func (q *queue) standing(t *transaction) standing {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.standingLocked(t)
}

func (q *queue) standingLocked(t *transaction) standing {
	if _, banned := q.banned[t.fullHash]; banned {
		return standingBusy
	}
	waiting, ok := q.bySource[accountKey(t.source())]
	switch {
	case !ok:
		return standingFree
	case waiting.fullHash == t.fullHash:
		return standingDuplicate
	default:
		return standingBusy
	}
}

// add looks again before it adds: two sends may have been checked at once, or a
// ledger may have closed meanwhile. One that closes only now finds the queue
// locked, and its own transactions still in it.
func (q *queue) add(t *transaction, current func() bool) standing {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s := q.standingLocked(t); s != standingFree {
		return s
	}
	if !current() {
		return standingStale
	}
	q.bySource[accountKey(t.source())] = t
	q.order = append(q.order, t)
	return standingFree
}

// candidates lists what waits, the best inclusion fee per operation first and
// then in the order of arrival. Nothing leaves the queue by this.
func (q *queue) candidates() (txs []*transaction, held bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	txs = slices.Clone(q.order)
	slices.SortStableFunc(txs, func(a, b *transaction) int {
		return cmp.Compare(
			b.inclusionFee()/int64(max(1, len(b.operations()))),
			a.inclusionFee()/int64(max(1, len(a.operations()))))
	})
	return txs, q.held
}

// settle takes out what was applied in ledger seq, and takes out and bans what
// can no longer be.
func (q *queue) settle(seq uint32, done []*transaction, dropped []*transaction) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for hash, last := range q.banned {
		if last < seq {
			delete(q.banned, hash)
		}
	}
	for _, t := range dropped {
		q.banned[t.fullHash] = seq + banLedgers
		q.removeLocked(t)
	}
	for _, t := range done {
		q.removeLocked(t)
	}
}

func (q *queue) removeLocked(t *transaction) {
	source := accountKey(t.source())
	if q.bySource[source] != t {
		return
	}
	delete(q.bySource, source)
	q.order = slices.DeleteFunc(q.order, func(other *transaction) bool { return other == t })
}

func (q *queue) hold(held bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held = held
}

func (q *queue) size() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.order)
}
