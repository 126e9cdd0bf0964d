package stellarnet

import (
	"slices"
	"sync"

	"github.com/stellar/go-stellar-sdk/protocols/stellarcore"
	"github.com/stellar/go-stellar-sdk/xdr"
)

const (
	// banDurationLedgers is how many ledgers a dropped transaction is not accepted
	// again.
	banDurationLedgers = 10
	// maxLedgersWaited is how many ledgers may leave out a transaction before it is
	// dropped.
	maxLedgersWaited = 4
	// queueCapacityLedgers is the queue's capacity, in ledgers.
	queueCapacityLedgers = 2
)

// txQueue holds the transactions that wait for the next ledger: one per source account,
// as in stellar-core.
type txQueue struct {
	mu                sync.Mutex
	ledgerCapacity    func() resources // Of one ledger.
	bySource          map[string]*queuedTx
	order             []*queuedTx
	used              resources
	feesByPayer       map[payer]int64     // The sum of the bids that an account pays for.
	banned            map[xdr.Hash]uint32 // Full hash to the last ledger of the ban.
	seq               uint32              // The last closed ledger.
	onHold            bool
	highestEvictedBid map[bool]bid // By kind, contract or classic: the best bid evicted since the last ledger.
}

// payer is an account that pays for transactions of one kind.
type payer struct {
	account  string
	contract bool
}

func payerOf(t *transaction) payer { return payer{accountKey(t.feeSource()), t.isSoroban()} }

// queuedTx is a transaction in the queue.
type queuedTx struct {
	*transaction
	ledgersWaited int // How many ledgers left it out.
}

func newTxQueue(ledgerCapacity func() resources) *txQueue {
	return &txQueue{
		ledgerCapacity: ledgerCapacity, bySource: map[string]*queuedTx{}, feesByPayer: map[payer]int64{},
		banned: map[xdr.Hash]uint32{}, highestEvictedBid: map[bool]bid{},
	}
}

// admission is the queue's decision about a new transaction: a status, and for an ERROR
// the result. Without a status it is admitted, in place of the evicted ones.
type admission struct {
	status      string
	checkResult checkResult
	replaced    *queuedTx
	evictions   []*queuedTx
}

// admission decides, and bans a transaction whose bid is too low for a full queue.
func (q *txQueue) admission(t *transaction) admission {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.admissionLocked(t)
}

func (q *txQueue) admissionLocked(t *transaction) admission {
	if _, banned := q.banned[t.envelopeHash]; banned || q.isInOtherQueue(t) {
		return admission{status: stellarcore.TXStatusTryAgainLater}
	}
	s := admission{replaced: q.bySource[accountKey(t.source())]}
	if s.replaced != nil {
		if rejected := s.replaced.checkReplacement(t); rejected.status != "" {
			return rejected
		}
	}
	evict, rejected := q.selectEvictions(t, s.replaced)
	if rejected.status != "" {
		q.banLocked(t)
		return rejected
	}
	s.evictions = evict
	return s
}

// isInOtherQueue reports whether the account is the source or fee source of a waiting
// transaction of the other kind: stellar-core has a queue for each kind, and an account
// can be in only one of them.
func (q *txQueue) isInOtherQueue(t *transaction) bool {
	source := accountKey(t.source())
	w := q.bySource[source]
	return q.feesByPayer[payer{source, !t.isSoroban()}] > 0 || w != nil && w.isSoroban() != t.isSoroban()
}

// statusPending is the status of a transaction that add has put in the queue.
const statusPending = stellarcore.TXStatusPending

// add checks again before it adds: two sends may have been checked at the same time. It
// returns no status when current reports that a ledger has closed meanwhile: then
// everything must be checked again. A ledger that closes now waits for the queue's lock,
// and its own transactions are still in the queue. balance is what the paying account
// can spend, in stroops.
func (q *txQueue) add(t *transaction, balance int64, isCurrent func() bool) admission {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.admissionLocked(t)
	if s.status != "" || !isCurrent() {
		return s
	}
	totalFees := q.feesByPayer[payerOf(t)] + t.fullFee()
	if s.replaced != nil && payerOf(s.replaced.transaction) == payerOf(t) {
		totalFees -= s.replaced.fullFee()
	}
	if balance < totalFees {
		return admission{
			status:      stellarcore.TXStatusError,
			checkResult: rejection(xdr.TransactionResultCodeTxInsufficientBalance, 0),
		}
	}
	if s.replaced != nil {
		q.removeLocked(s.replaced)
	}
	for _, w := range s.evictions {
		q.highestEvictedBid[w.isSoroban()] = w.bid()
		q.banLocked(w.transaction)
		q.removeLocked(w)
	}
	q.insertLocked(&queuedTx{transaction: t})
	return admission{status: statusPending}
}

// candidates lists the queued transactions in the order of arrival. It removes none.
func (q *txQueue) candidates() (txs []*transaction, onHold bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	txs = make([]*transaction, len(q.order))
	for i, w := range q.order {
		txs[i] = w.transaction
	}
	return txs, q.onHold
}

// ledgerClosed updates the queue to ledger seq: it removes applied transactions, and
// removes and bans those that became invalid or, when the queue was allowed to fill the
// ledger, were left out too often.
func (q *txQueue) ledgerClosed(seq uint32, done, dropped []*transaction, eligible bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.seq = seq
	for hash, bannedUntil := range q.banned {
		if bannedUntil <= seq {
			delete(q.banned, hash)
		}
	}
	clear(q.highestEvictedBid)
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
	if !eligible || q.onHold {
		return
	}
	for _, w := range slices.Clone(q.order) {
		if w.ledgersWaited++; w.ledgersWaited == maxLedgersWaited {
			q.banLocked(w.transaction)
			q.removeLocked(w)
		}
	}
}

func (q *txQueue) banLocked(t *transaction) { q.banned[t.envelopeHash] = q.seq + banDurationLedgers }

func (q *txQueue) insertLocked(w *queuedTx) {
	q.bySource[accountKey(w.source())] = w
	q.order = append(q.order, w)
	q.used = q.used.plus(w.resources())
	q.feesByPayer[payerOf(w.transaction)] += w.fullFee()
}

func (q *txQueue) removeLocked(w *queuedTx) {
	delete(q.bySource, accountKey(w.source()))
	q.order = slices.DeleteFunc(q.order, func(other *queuedTx) bool { return other == w })
	q.used = q.used.minus(w.resources())
	owner := payerOf(w.transaction)
	if q.feesByPayer[owner] -= w.fullFee(); q.feesByPayer[owner] == 0 {
		delete(q.feesByPayer, owner)
	}
}

func (q *txQueue) setHold(hold bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.onHold = hold
}

// isIdle reports whether closing ledgers would change only the time here.
func (q *txQueue) isIdle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.order) == 0 || q.onHold
}

func (q *txQueue) size() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.order)
}
