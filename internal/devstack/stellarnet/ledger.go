package stellarnet

import (
	"sort"
	"sync"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// maxVersions is for how many ledgers old state stays readable: the maximum lag of the
// RPC, and longer than any simulation.
const maxVersions = 256

// entryVersion is an entry's value from ledger seq on.
type entryVersion struct {
	seq uint32
	entryState
}

// closedLedger is one ledger of the retention window.
type closedLedger struct {
	header xdr.LedgerHeaderHistoryEntry
	txs    []*appliedTx
	prices basePrices
}

func (c *closedLedger) seq() uint32      { return uint32(c.header.Header.LedgerSeq) }
func (c *closedLedger) closeTime() int64 { return int64(c.header.Header.ScpValue.CloseTime) }

// ledgerStore holds the entries with their recent versions, and the closed ledgers with
// their transactions. Its lock is held for single reads and for the commit of a ledger,
// never while a contract runs.
type ledgerStore struct {
	mu                sync.RWMutex
	entries           map[string][]entryVersion
	closedLedgers     []*closedLedger // Oldest first; never empty after genesis.
	txsByHash         map[xdr.Hash]*appliedTx
	retention         uint32
	lastChangedLedger uint32 // The latest ledger that changed an entry.
}

func newLedgerStore(retention uint32) *ledgerStore {
	return &ledgerStore{entries: map[string][]entryVersion{}, txsByHash: map[xdr.Hash]*appliedTx{}, retention: retention}
}

// ledgerView is the state after one ledger; it does not change while later ledgers
// close.
type ledgerView struct {
	ledger *ledgerStore
	seq    uint32
}

func (s ledgerView) get(key string) (entryState, bool) {
	s.ledger.mu.RLock()
	defer s.ledger.mu.RUnlock()
	vs := s.ledger.entries[key]
	i := sort.Search(len(vs), func(i int) bool { return vs[i].seq > s.seq })
	if i == 0 || vs[i-1].xdr == nil {
		return entryState{}, false
	}
	return vs[i-1].entryState, true
}

func (l *ledgerStore) viewAt(seq uint32) ledgerView { return ledgerView{ledger: l, seq: seq} }

func (l *ledgerStore) latest() *closedLedger {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.closedLedgers[len(l.closedLedgers)-1]
}

// window is the retention window for a reader that lags by that many ledgers.
func (l *ledgerStore) window(lagLedgers uint32) (oldest, latest *closedLedger) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	last := max(len(l.closedLedgers)-1-int(lagLedgers), 0)
	return l.closedLedgers[0], l.closedLedgers[last]
}

// lastClosed returns the last n ledgers up to seq, oldest first.
func (l *ledgerStore) lastClosed(seq uint32, n int) []*closedLedger {
	l.mu.RLock()
	defer l.mu.RUnlock()
	end := sort.Search(len(l.closedLedgers), func(i int) bool { return l.closedLedgers[i].seq() > seq })
	return append([]*closedLedger(nil), l.closedLedgers[max(0, end-n):end]...)
}

func (l *ledgerStore) transaction(hash xdr.Hash) (*appliedTx, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	tx, ok := l.txsByHash[hash]
	return tx, ok
}

// closedBetween returns the ledgers from first to last that are in the window, oldest
// first.
func (l *ledgerStore) closedBetween(first, last uint32) []*closedLedger {
	l.mu.RLock()
	defer l.mu.RUnlock()
	begin := sort.Search(len(l.closedLedgers), func(i int) bool { return l.closedLedgers[i].seq() >= first })
	end := sort.Search(len(l.closedLedgers), func(i int) bool { return l.closedLedgers[i].seq() > last })
	return append([]*closedLedger(nil), l.closedLedgers[begin:max(begin, end)]...)
}

// commit makes a closed ledger and its changes visible in one step.
func (l *ledgerStore) commit(c *closedLedger, d *stateDelta) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range d.changeOrder {
		l.appendVersion(key, entryVersion{seq: c.seq(), entryState: d.changed[key]})
	}
	l.appendLocked(c)
}

// commitEmpty does the same for empty ledgers.
func (l *ledgerStore) commitEmpty(empty []*closedLedger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range empty {
		l.appendLocked(c)
	}
}

func (l *ledgerStore) appendLocked(c *closedLedger) {
	l.closedLedgers = append(l.closedLedgers, c)
	for _, tx := range c.txs {
		for _, hash := range tx.tx.hashes() {
			l.txsByHash[hash] = tx
		}
	}
	// Skipped ledgers count too: the window is in ledger numbers.
	for c.seq()-l.closedLedgers[0].seq() >= l.retention {
		l.dropOldest()
	}
}

// lastChange is the latest ledger that changed more than the time.
func (l *ledgerStore) lastChange() uint32 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.lastChangedLedger
}

// modifyEntry changes entries in the latest ledger, outside any transaction. Only faults
// use it.
func (l *ledgerStore) modifyEntry(key string, change func(entryState, uint32) entryState) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	vs := l.entries[key]
	if len(vs) == 0 || vs[len(vs)-1].xdr == nil {
		return false
	}
	seq := l.closedLedgers[len(l.closedLedgers)-1].seq()
	l.appendVersion(key, entryVersion{seq: seq, entryState: change(vs[len(vs)-1].entryState, seq)})
	return true
}

// dropHistory drops all ledgers but the latest, as an RPC does after a restart.
func (l *ledgerStore) dropHistory() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.closedLedgers) > 1 {
		l.dropOldest()
	}
	l.dropTransactions(l.closedLedgers[0])
}

// appendVersion appends a version and drops those that no reader can request.
func (l *ledgerStore) appendVersion(key string, v entryVersion) {
	vs := l.entries[key]
	if n := len(vs); n > 0 && vs[n-1].seq == v.seq {
		vs = vs[:n-1]
	}
	vs = append(vs, v)
	l.lastChangedLedger = v.seq
	for len(vs) > 1 && vs[1].seq+maxVersions <= v.seq {
		vs = vs[1:]
	}
	l.entries[key] = vs
}

func (l *ledgerStore) dropOldest() {
	l.dropTransactions(l.closedLedgers[0])
	l.closedLedgers[0] = nil
	l.closedLedgers = l.closedLedgers[1:]
}

func (l *ledgerStore) dropTransactions(c *closedLedger) {
	for _, tx := range c.txs {
		for _, hash := range tx.tx.hashes() {
			delete(l.txsByHash, hash)
		}
	}
}
