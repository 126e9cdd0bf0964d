package stellarnet

import (
	"sort"
	"sync"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// versionsKept is how many ledgers back the state can still be read: as far as
// the RPC can be made to lag, and longer than any simulation runs.
const versionsKept = 256

// version is what an entry was from ledger seq on.
type version struct {
	seq uint32
	record
}

// closedLedger is one ledger of the retention window.
type closedLedger struct {
	header xdr.LedgerHeaderHistoryEntry
	txs    []*applied
	prices basePrices
}

func (c *closedLedger) seq() uint32      { return uint32(c.header.Header.LedgerSeq) }
func (c *closedLedger) closeTime() int64 { return int64(c.header.Header.ScpValue.CloseTime) }

// ledger is the network's memory: the entries with their recent versions, and
// the closed ledgers with their transactions. Its lock is held for single reads
// and for the commit of a ledger, never while a contract runs.
type ledger struct {
	mu        sync.RWMutex
	entries   map[string][]version
	closed    []*closedLedger // Oldest first; never empty after genesis.
	txs       map[xdr.Hash]*applied
	retention uint32
	changed   uint32 // The latest ledger that changed an entry.
}

func newLedger(retention uint32) *ledger {
	return &ledger{entries: map[string][]version{}, txs: map[xdr.Hash]*applied{}, retention: retention}
}

// snapshot is the state after one ledger; it stays what it is while later
// ledgers close.
type snapshot struct {
	l   *ledger
	seq uint32
}

func (s snapshot) get(key string) (record, bool) {
	s.l.mu.RLock()
	defer s.l.mu.RUnlock()
	vs := s.l.entries[key]
	i := sort.Search(len(vs), func(i int) bool { return vs[i].seq > s.seq })
	if i == 0 || vs[i-1].raw == nil {
		return record{}, false
	}
	return vs[i-1].record, true
}

func (l *ledger) at(seq uint32) snapshot { return snapshot{l: l, seq: seq} }

func (l *ledger) latest() *closedLedger {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.closed[len(l.closed)-1]
}

// window is the retention window as a reader sees it who lags by that many
// ledgers.
func (l *ledger) window(lag uint32) (oldest, latest *closedLedger) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	last := max(len(l.closed)-1-int(lag), 0)
	return l.closed[0], l.closed[last]
}

// recent returns the last n ledgers up to seq, oldest first.
func (l *ledger) recent(seq uint32, n int) []*closedLedger {
	l.mu.RLock()
	defer l.mu.RUnlock()
	end := sort.Search(len(l.closed), func(i int) bool { return l.closed[i].seq() > seq })
	return append([]*closedLedger(nil), l.closed[max(0, end-n):end]...)
}

func (l *ledger) transaction(hash xdr.Hash) (*applied, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	tx, ok := l.txs[hash]
	return tx, ok
}

// between returns the ledgers from first to last that are in the window, oldest
// first.
func (l *ledger) between(first, last uint32) []*closedLedger {
	l.mu.RLock()
	defer l.mu.RUnlock()
	begin := sort.Search(len(l.closed), func(i int) bool { return l.closed[i].seq() >= first })
	end := sort.Search(len(l.closed), func(i int) bool { return l.closed[i].seq() > last })
	return append([]*closedLedger(nil), l.closed[begin:max(begin, end)]...)
}

// commit makes a closed ledger and its changes visible, all at once.
func (l *ledger) commit(c *closedLedger, d *delta) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range d.order {
		l.write(key, version{seq: c.seq(), record: d.touched[key]})
	}
	l.appendLocked(c)
}

// commitIdle does so for ledgers in which nothing happened.
func (l *ledger) commitIdle(idle []*closedLedger) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range idle {
		l.appendLocked(c)
	}
}

func (l *ledger) appendLocked(c *closedLedger) {
	l.closed = append(l.closed, c)
	for _, tx := range c.txs {
		for _, hash := range tx.tx.names() {
			l.txs[hash] = tx
		}
	}
	// Ledgers that were skipped count as well: it is numbers that are kept.
	for c.seq()-l.closed[0].seq() >= l.retention {
		l.dropOldest()
	}
}

// lastChange is the latest ledger that changed anything but the time.
func (l *ledger) lastChange() uint32 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.changed
}

// amend changes entries in the latest ledger, outside any transaction. Only
// faults do that.
func (l *ledger) amend(key string, change func(record, uint32) record) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	vs := l.entries[key]
	if len(vs) == 0 || vs[len(vs)-1].raw == nil {
		return false
	}
	seq := l.closed[len(l.closed)-1].seq()
	l.write(key, version{seq: seq, record: change(vs[len(vs)-1].record, seq)})
	return true
}

// forget drops all ledgers but the latest, as an RPC does that starts anew.
func (l *ledger) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.closed) > 1 {
		l.dropOldest()
	}
	l.forgetTxs(l.closed[0])
}

// write appends a version and prunes those that no reader can ask for.
func (l *ledger) write(key string, v version) {
	vs := l.entries[key]
	if n := len(vs); n > 0 && vs[n-1].seq == v.seq {
		vs = vs[:n-1]
	}
	vs = append(vs, v)
	l.changed = v.seq
	for len(vs) > 1 && vs[1].seq+versionsKept <= v.seq {
		vs = vs[1:]
	}
	l.entries[key] = vs
}

func (l *ledger) dropOldest() {
	l.forgetTxs(l.closed[0])
	l.closed[0] = nil
	l.closed = l.closed[1:]
}

func (l *ledger) forgetTxs(c *closedLedger) {
	for _, tx := range c.txs {
		for _, hash := range tx.tx.names() {
			delete(l.txs, hash)
		}
	}
}
