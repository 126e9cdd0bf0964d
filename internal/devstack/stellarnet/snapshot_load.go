package stellarnet

import (
	"bytes"
	"crypto/sha256"
	"encoding/gob"
	"errors"
	"fmt"
	"io"

	"github.com/stellar/go-stellar-sdk/xdr"
)

var (
	errOtherNetwork    = errors.New("it is not a snapshot of a local Stellar network")
	errCorruptSnapshot = errors.New("it is damaged: its checksum does not match its content; use another one")
)

// load replaces this network's state with a saved one.
func (n *Network) load(r io.Reader) error {
	state, err := readSnapshot(r)
	if err != nil {
		return err
	}
	if state.Passphrase != n.opts.Passphrase {
		return fmt.Errorf("it belongs to the network %q, and this one is %q: set Passphrase to that", state.Passphrase, n.opts.Passphrase)
	}
	n.clockOffset.Store(state.Shift)
	settings, err := n.ledger.loadEntries(state.Entries)
	if err != nil {
		return err
	}
	if _, err := n.installSettings(settings); err != nil {
		return err
	}
	var last *closedLedger
	for i, saved := range state.Ledgers {
		if last, err = n.loadLedger(last, saved); err != nil {
			return fmt.Errorf("ledger %d of %d: %w", i+1, len(state.Ledgers), err)
		}
		n.ledger.appendLocked(last) // No other goroutine has the ledger yet.
	}
	if last == nil {
		return errors.New("it has no ledger")
	}
	n.ledger.lastChangedLedger = last.seq()
	return nil
}

// readSnapshot checks format, version and checksum.
func readSnapshot(r io.Reader) (*savedState, error) {
	all, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	line, _, found := bytes.Cut(all, []byte("\n"))
	version, named := bytes.CutPrefix(line, []byte(snapshotName))
	switch {
	case !found || !named:
		return nil, errOtherNetwork
	case string(version) != fmt.Sprint(snapshotVersion):
		return nil, fmt.Errorf("it has format version %q, and this program reads version %d: use the program that wrote it, or start with a new ledger",
			version, snapshotVersion)
	case len(all) < len(line)+1+sha256.Size:
		return nil, errCorruptSnapshot
	}
	content, sum := all[:len(all)-sha256.Size], all[len(all)-sha256.Size:]
	if want := sha256.Sum256(content); !bytes.Equal(sum, want[:]) {
		return nil, errCorruptSnapshot
	}
	state := &savedState{}
	if err := gob.NewDecoder(bytes.NewReader(content[len(line)+1:])).Decode(state); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	return state, nil
}

// loadEntries adds entries to an empty ledger and returns the config settings among
// them, as XDR.
func (l *ledgerStore) loadEntries(entries []savedEntry) (settings [][]byte, err error) {
	for _, e := range entries {
		versions := make([]entryVersion, len(e.Versions))
		for i, v := range e.Versions {
			if err := checkEntry(e.Key, v.Raw); err != nil {
				return nil, err
			}
			versions[i] = entryVersion{seq: v.Seq, entryState: entryState{xdr: v.Raw, liveUntil: v.LiveUntil, ttlSetAt: v.TTLSetAt}}
		}
		if len(versions) == 0 {
			continue
		}
		l.entries[string(e.Key)] = versions
		var key xdr.LedgerKey
		unmarshal(e.Key, &key)
		if key.Type == xdr.LedgerEntryTypeConfigSetting {
			settings = append(settings, versions[len(versions)-1].xdr)
		}
	}
	return settings, nil
}

// checkEntry validates data that is later used without a check.
func checkEntry(key, raw []byte) error {
	var mustExist xdr.LedgerKey
	if err := xdr.SafeUnmarshal(key, &mustExist); err != nil {
		return fmt.Errorf("decode a ledger key: %w", err)
	}
	if raw == nil {
		return nil
	}
	var entry xdr.LedgerEntry
	if err := xdr.SafeUnmarshal(raw, &entry); err != nil {
		return fmt.Errorf("decode a %s entry: %w", mustExist.Type, err)
	}
	found, err := entry.LedgerKey()
	if err != nil {
		return fmt.Errorf("derive the key of a %s entry: %w", mustExist.Type, err)
	}
	if keyOf(found) != string(key) {
		return fmt.Errorf("a %s entry is stored under a different key", mustExist.Type)
	}
	return nil
}

// loadLedger builds the ledger that follows last, which is nil for the oldest one.
func (n *Network) loadLedger(last *closedLedger, saved savedLedger) (*closedLedger, error) {
	if saved.Header == nil {
		if last == nil {
			return nil, errors.New("the oldest ledger has no header")
		}
		return n.buildEmptyLedger(last, uint64(saved.CloseTime)), nil
	}
	c := &closedLedger{prices: basePrices{classic: saved.ClassicPrice, soroban: saved.SorobanPrice}}
	if err := xdr.SafeUnmarshal(saved.Header, &c.header); err != nil {
		return nil, fmt.Errorf("decode header: %w", err)
	}
	if last != nil && (c.seq() != last.seq()+1 || c.header.Header.PreviousLedgerHash != last.header.Hash) {
		return nil, fmt.Errorf("ledger %d does not follow ledger %d", c.seq(), last.seq())
	}
	for i, s := range saved.Transactions {
		a, err := n.loadTransaction(s)
		if err != nil {
			return nil, fmt.Errorf("transaction %d: %w", i+1, err)
		}
		a.order, a.seq, a.closeTime = int32(i+1), c.seq(), c.closeTime()
		c.txs = append(c.txs, a)
	}
	return c, nil
}

func (n *Network) loadTransaction(s savedTransaction) (*appliedTx, error) {
	a := &appliedTx{}
	var env xdr.TransactionEnvelope
	for _, part := range []struct {
		what string
		raw  []byte
		into any
	}{
		{"envelope", s.Envelope, &env},
		{"result", s.Result, &a.result},
		{"meta", s.Meta, &a.meta},
		{"fee changes", s.FeeChanges, &a.feeChanges},
		{"refund changes", s.RefundChanges, &a.refundChanges},
	} {
		if err := xdr.SafeUnmarshal(part.raw, part.into); err != nil {
			return nil, fmt.Errorf("decode %s: %w", part.what, err)
		}
	}
	meta, ok := a.meta.GetV4()
	if !ok {
		return nil, fmt.Errorf("its meta has version %d, and this network reads version 4", a.meta.V)
	}
	tx, err := newTransaction(env, n.opts.Passphrase)
	if err != nil {
		return nil, err
	}
	a.tx, a.operations, a.events, a.diagnostics = tx, meta.Operations, meta.Events, meta.DiagnosticEvents
	a.fees = sorobanFees{declared: tx.resourceFeeBid(), nonRefundable: s.NonRefundable, refundableUsed: s.Refundable}
	return a, nil
}
