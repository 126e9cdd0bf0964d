package stellarnet

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/gob"
	"fmt"
	"io"
	"maps"
	"slices"
)

// A snapshot is one line with the format and its version, the gob-encoded state, and the
// SHA-256 of both.
const (
	snapshotName    = "stellarnet snapshot "
	snapshotVersion = 1
)

// savedState is a network without its queue: queued transactions are lost, as when a
// validator stops.
type savedState struct {
	Passphrase string
	Shift      int64 // Of the clock, in nanoseconds.
	Entries    []savedEntry
	Ledgers    []savedLedger // The retention window, oldest first.
}

// savedEntry is an entry with its recent versions.
type savedEntry struct {
	Key      []byte // LedgerKey XDR.
	Versions []savedVersion
}

type savedVersion struct {
	Seq, LiveUntil, TTLSetAt uint32
	Raw                      []byte // LedgerEntry XDR; nil when deleted.
}

// savedLedger has no header when it is empty: the header follows from the previous
// ledger, and there are many empty ledgers.
type savedLedger struct {
	Header                     []byte // LedgerHeaderHistoryEntry XDR.
	CloseTime                  int64
	ClassicPrice, SorobanPrice int64
	Transactions               []savedTransaction
}

// savedTransaction is XDR only; the other fields in the RPC come from the meta.
type savedTransaction struct {
	Envelope, Result, Meta    []byte
	FeeChanges, RefundChanges []byte
	NonRefundable, Refundable int64
}

// LastChange is the sequence number of the last ledger that changed an entry, by a
// transaction or a fault. It shows whether a new snapshot is needed.
func (n *Network) LastChange() uint32 { return n.ledger.lastChange() }

// Save writes the whole network to w, for Options.Snapshot: entries with their
// lifetimes, ledgers and transactions of the retention window, and the clock, without
// the queue. The network keeps running; ctx ends a Save that takes too long. It may be
// called after Close.
func (n *Network) Save(ctx context.Context, w io.Writer) error {
	state, err := n.savedState(ctx)
	if err != nil {
		return fmt.Errorf("save stellar network: %w", err)
	}
	buffered, sum := bufio.NewWriter(w), sha256.New()
	wg := io.MultiWriter(buffered, sum)
	if _, err := fmt.Fprintf(wg, "%s%d\n", snapshotName, snapshotVersion); err != nil {
		return fmt.Errorf("save stellar network: %w", err)
	}
	if err := gob.NewEncoder(wg).Encode(state); err != nil {
		return fmt.Errorf("save stellar network: %w", err)
	}
	if _, err := buffered.Write(sum.Sum(nil)); err != nil {
		return fmt.Errorf("save stellar network: %w", err)
	}
	if err := buffered.Flush(); err != nil {
		return fmt.Errorf("save stellar network: %w", err)
	}
	return nil
}

func (n *Network) savedState(ctx context.Context) (*savedState, error) {
	entries, closed := n.ledger.contents()
	state := &savedState{Passphrase: n.opts.Passphrase, Shift: n.clockOffset.Load(), Entries: entries}
	for i, c := range closed {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		saved := savedLedger{CloseTime: c.closeTime()}
		if i == 0 || len(c.txs) > 0 {
			saved.Header = marshal(c.header)
			saved.ClassicPrice, saved.SorobanPrice = c.prices.classic, c.prices.soroban
		}
		for _, a := range c.txs {
			saved.Transactions = append(saved.Transactions, a.saved())
		}
		state.Ledgers = append(state.Ledgers, saved)
	}
	return state, nil
}

func (a *appliedTx) saved() savedTransaction {
	return savedTransaction{
		Envelope: marshal(a.tx.envelope), Result: marshal(a.result), Meta: marshal(a.meta),
		FeeChanges: marshal(nonNilChanges(a.feeChanges)), RefundChanges: marshal(nonNilChanges(a.refundChanges)),
		NonRefundable: a.fees.nonRefundable, Refundable: a.fees.refundableUsed,
	}
}

// contents is the ledger at one moment. Entries are sorted by key, so that equal states
// have equal snapshots.
func (l *ledgerStore) contents() (entries []savedEntry, closed []*closedLedger) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, key := range slices.Sorted(maps.Keys(l.entries)) {
		e := savedEntry{Key: []byte(key)}
		for _, v := range l.entries[key] {
			e.Versions = append(e.Versions, savedVersion{
				Seq: v.seq, LiveUntil: v.liveUntil, TTLSetAt: v.ttlSetAt, Raw: v.xdr,
			})
		}
		entries = append(entries, e)
	}
	return entries, slices.Clone(l.closedLedgers)
}
