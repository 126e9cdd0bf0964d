package stellarnet

import (
	"slices"
	"sync"

	"github.com/stellar/go-stellar-sdk/protocols/stellarcore"
	"github.com/stellar/go-stellar-sdk/xdr"
)

const (
	// banLedgers is how long a transaction that was dropped is not accepted again.
	banLedgers = 10
	// patience is how many ledgers may leave a transaction out before it is dropped.
	patience = 4
	// queueLedgers is how many ledgers' worth of transactions may wait.
	queueLedgers = 2
)

// queue holds what waits for the next ledger: one transaction per source
// account, as in stellar-core.
type queue struct {
	mu       sync.Mutex
	room     func() resources // Of one ledger.
	bySource map[string]*waiting
	order    []*waiting
	used     resources
	fees     map[payer]int64     // What the transactions bid that an account pays for.
	banned   map[xdr.Hash]uint32 // Full hash to the last ledger of the ban.
	seq      uint32              // The ledger that closed last.
	held     bool
	evicted  map[bool]bid // By kind, contract or classic: the best that had to go since the last ledger.
}

// payer is an account that pays for transactions of one kind.
type payer struct {
	account  string
	contract bool
}

func payerOf(t *transaction) payer { return payer{accountKey(t.feeSource()), t.isSoroban()} }

// waiting is a transaction in the queue.
type waiting struct {
	*transaction
	age int // Ledgers that left it out.
}

func newQueue(room func() resources) *queue {
	return &queue{
		room: room, bySource: map[string]*waiting{}, fees: map[payer]int64{},
		banned: map[xdr.Hash]uint32{}, evicted: map[bool]bid{},
	}
}

// standing is what the queue itself has to say to a newcomer: a status, and for
// an ERROR the verdict. Without a status the newcomer may come in, in the place
// of some that leave.
type standing struct {
	status  string
	verdict verdict
	replace *waiting
	evict   []*waiting
}

// standing looks, and bans who bids too little for a full queue.
func (q *queue) standing(t *transaction) standing {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.standingLocked(t)
}

func (q *queue) standingLocked(t *transaction) standing {
	if _, banned := q.banned[t.fullHash]; banned || q.isBusyElsewhere(t) {
		return standing{status: stellarcore.TXStatusTryAgainLater}
	}
	s := standing{replace: q.bySource[accountKey(t.source())]}
	if s.replace != nil {
		if refused := s.replace.refuses(t); refused.status != "" {
			return refused
		}
	}
	evict, refused := q.makeRoom(t, s.replace)
	if refused.status != "" {
		q.banLocked(t)
		return refused
	}
	s.evict = evict
	return s
}

// isBusyElsewhere reports whether the account has to do with a waiting transaction
// of the other kind, as its source or as the one that pays: stellar-core has a
// queue for each kind, and lets an account into one of them.
func (q *queue) isBusyElsewhere(t *transaction) bool {
	source := accountKey(t.source())
	w := q.bySource[source]
	return q.fees[payer{source, !t.isSoroban()}] > 0 || w != nil && w.isSoroban() != t.isSoroban()
}

// accepted is what add says to a newcomer that is in the queue now.
const accepted = stellarcore.TXStatusPending

// add looks again before it adds: two sends may have been checked at once. It
// gives no status when a ledger has closed meanwhile, which current tells: then
// all has to be checked anew. A ledger that closes only now finds the queue
// locked, and its own transactions still in it. balance is what the account that
// pays can spend, in stroops.
func (q *queue) add(t *transaction, balance int64, current func() bool) standing {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.standingLocked(t)
	if s.status != "" || !current() {
		return s
	}
	owed := q.fees[payerOf(t)] + t.fullFee()
	if s.replace != nil && payerOf(s.replace.transaction) == payerOf(t) {
		owed -= s.replace.fullFee()
	}
	if balance < owed {
		return standing{
			status:  stellarcore.TXStatusError,
			verdict: refusal(xdr.TransactionResultCodeTxInsufficientBalance, 0),
		}
	}
	if s.replace != nil {
		q.removeLocked(s.replace)
	}
	for _, w := range s.evict {
		q.evicted[w.isSoroban()] = w.bid()
		q.banLocked(w.transaction)
		q.removeLocked(w)
	}
	q.insertLocked(&waiting{transaction: t})
	return standing{status: accepted}
}

// candidates lists what waits, in the order of arrival. Nothing leaves the queue
// by this.
func (q *queue) candidates() (txs []*transaction, held bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	txs = make([]*transaction, len(q.order))
	for i, w := range q.order {
		txs[i] = w.transaction
	}
	return txs, q.held
}

// settle brings the queue to ledger seq: it takes out what was applied, and takes
// out and bans what no longer can be or, where that ledger was open to the queue,
// was left out too often.
func (q *queue) settle(seq uint32, done, dropped []*transaction, open bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.seq = seq
	for hash, last := range q.banned {
		if last <= seq {
			delete(q.banned, hash)
		}
	}
	clear(q.evicted)
	for _, t := range done {
		q.banLocked(t)
		if w := q.bySource[accountKey(t.source())]; w != nil && w.seqNum() <= t.seqNum() {
			q.removeLocked(w)
		}
	}
	for _, t := range dropped {
		q.banLocked(t)
		if w := q.bySource[accountKey(t.source())]; w != nil && w.transaction == t {
			q.removeLocked(w)
		}
	}
	if !open || q.held {
		return
	}
	for _, w := range slices.Clone(q.order) {
		if w.age++; w.age == patience {
			q.banLocked(w.transaction)
			q.removeLocked(w)
		}
	}
}

func (q *queue) banLocked(t *transaction) { q.banned[t.fullHash] = q.seq + banLedgers }

func (q *queue) insertLocked(w *waiting) {
	q.bySource[accountKey(w.source())] = w
	q.order = append(q.order, w)
	q.used = q.used.plus(w.resources())
	q.fees[payerOf(w.transaction)] += w.fullFee()
}

func (q *queue) removeLocked(w *waiting) {
	delete(q.bySource, accountKey(w.source()))
	q.order = slices.DeleteFunc(q.order, func(other *waiting) bool { return other == w })
	q.used = q.used.minus(w.resources())
	who := payerOf(w.transaction)
	if q.fees[who] -= w.fullFee(); q.fees[who] == 0 {
		delete(q.fees, who)
	}
}

func (q *queue) hold(held bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held = held
}

// idle reports whether ledgers could close without changing anything here but
// the time.
func (q *queue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.order) == 0 || q.held
}

func (q *queue) size() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.order)
}
