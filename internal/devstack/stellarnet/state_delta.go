package stellarnet

import (
	"bytes"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// entryState is one ledger entry and its lifetime. The protocol stores a TTL as a
// separate entry; here it is part of the entry, and only the meta has the two
// separately.
type entryState struct {
	xdr       []byte // LedgerEntry XDR; nil when deleted.
	liveUntil uint32 // 0 for entries without a TTL.
	ttlSetAt  uint32 // The ledger in which liveUntil was set.
}

// expired reports whether the entry's lifetime has ended in ledger seq.
func (r entryState) expired(seq uint32) bool { return r.liveUntil != 0 && r.liveUntil < seq }

func (r entryState) entry() (le xdr.LedgerEntry) {
	unmarshal(r.xdr, &le)
	return le
}

// stateReader reads a state of the ledger. It also returns expired entries; the caller
// decides whether they count.
type stateReader interface {
	get(key string) (entryState, bool)
}

// stateDelta is a set of changes on top of a view. Deltas nest: an operation's
// changes join its transaction's only when all operations succeed.
type stateDelta struct {
	base        stateReader
	seq         uint32 // The ledger in which the changes happen.
	changed     map[string]entryState
	changeOrder []string
	restored    map[string]bool
}

func newStateDelta(base stateReader, seq uint32) *stateDelta {
	return &stateDelta{base: base, seq: seq, changed: map[string]entryState{}, restored: map[string]bool{}}
}

func (d *stateDelta) get(key string) (entryState, bool) {
	if r, ok := d.changed[key]; ok {
		return r, r.xdr != nil
	}
	return d.base.get(key)
}

func (d *stateDelta) set(key string, r entryState) {
	if _, ok := d.changed[key]; !ok {
		d.changeOrder = append(d.changeOrder, key)
	}
	d.changed[key] = r
}

// put stores an entry; a liveUntil of 0 keeps the entry's lifetime.
func (d *stateDelta) put(le xdr.LedgerEntry, liveUntil uint32) error {
	key, err := le.LedgerKey()
	if err != nil {
		return err
	}
	name := keyOf(key)
	le.LastModifiedLedgerSeq = xdr.Uint32(d.seq)
	before, _ := d.get(name)
	r := entryState{xdr: marshal(le), liveUntil: before.liveUntil, ttlSetAt: before.ttlSetAt}
	if liveUntil != 0 && liveUntil != before.liveUntil {
		r.liveUntil, r.ttlSetAt = liveUntil, d.seq
	}
	d.set(name, r)
	return nil
}

// extend changes the end of an entry's lifetime and not the entry.
func (d *stateDelta) extend(key string, liveUntil uint32) {
	if r, ok := d.get(key); ok {
		r.liveUntil, r.ttlSetAt = liveUntil, d.seq
		d.set(key, r)
	}
}

// restore restores an archived entry.
func (d *stateDelta) restore(key string, liveUntil uint32) {
	d.extend(key, liveUntil)
	d.restored[key] = true
}

func (d *stateDelta) remove(key string) { d.set(key, entryState{}) }

// mergeInto applies the changes to the parent delta.
func (d *stateDelta) mergeInto(parent *stateDelta) {
	for _, key := range d.changeOrder {
		parent.set(key, d.changed[key])
	}
	for key := range d.restored {
		parent.restored[key] = true
	}
}

// changes lists the changes in the format of the transaction meta.
func (d *stateDelta) changes() xdr.LedgerEntryChanges {
	out := xdr.LedgerEntryChanges{}
	for _, key := range d.changeOrder {
		before, existed := d.base.get(key)
		after := d.changed[key]
		if d.restored[key] {
			out = append(out, restoredChanges(key, before, after)...)
			continue
		}
		if !bytes.Equal(before.xdr, after.xdr) {
			out = append(out, entryChanges(existed, before, after)...)
		}
		if before.liveUntil != after.liveUntil {
			out = append(out, ttlChanges(key, before, after)...)
		}
	}
	return out
}

func entryChanges(existed bool, before, after entryState) []xdr.LedgerEntryChange {
	switch {
	case !existed && after.xdr == nil:
		return nil
	case !existed:
		return []xdr.LedgerEntryChange{createdChange(after.entry())}
	case after.xdr == nil:
		le := before.entry()
		return []xdr.LedgerEntryChange{previousChange(le), removedChange(le)}
	default:
		return []xdr.LedgerEntryChange{previousChange(before.entry()), updatedChange(after.entry())}
	}
}

func ttlChanges(key string, before, after entryState) []xdr.LedgerEntryChange {
	old, current := ttlEntry(key, before), ttlEntry(key, after)
	switch {
	case before.liveUntil == 0:
		return []xdr.LedgerEntryChange{createdChange(current)}
	case after.liveUntil == 0:
		return []xdr.LedgerEntryChange{previousChange(old), removedChange(old)}
	default:
		return []xdr.LedgerEntryChange{previousChange(old), updatedChange(current)}
	}
}

func restoredChanges(key string, before, after entryState) []xdr.LedgerEntryChange {
	old, ttl := before.entry(), ttlEntry(key, after)
	out := []xdr.LedgerEntryChange{
		{Type: xdr.LedgerEntryChangeTypeLedgerEntryRestored, Restored: &old},
		{Type: xdr.LedgerEntryChangeTypeLedgerEntryRestored, Restored: &ttl},
	}
	if !bytes.Equal(before.xdr, after.xdr) {
		out = append(out, entryChanges(true, before, after)...)
	}
	return out
}

func ttlEntry(key string, r entryState) xdr.LedgerEntry {
	return xdr.LedgerEntry{
		LastModifiedLedgerSeq: xdr.Uint32(r.ttlSetAt),
		Data: xdr.LedgerEntryData{
			Type: xdr.LedgerEntryTypeTtl,
			Ttl:  &xdr.TtlEntry{KeyHash: ttlHash(key), LiveUntilLedgerSeq: xdr.Uint32(r.liveUntil)},
		},
	}
}

func createdChange(le xdr.LedgerEntry) xdr.LedgerEntryChange {
	return xdr.LedgerEntryChange{Type: xdr.LedgerEntryChangeTypeLedgerEntryCreated, Created: &le}
}

func updatedChange(le xdr.LedgerEntry) xdr.LedgerEntryChange {
	return xdr.LedgerEntryChange{Type: xdr.LedgerEntryChangeTypeLedgerEntryUpdated, Updated: &le}
}

func previousChange(le xdr.LedgerEntry) xdr.LedgerEntryChange {
	return xdr.LedgerEntryChange{Type: xdr.LedgerEntryChangeTypeLedgerEntryState, State: &le}
}

func removedChange(le xdr.LedgerEntry) xdr.LedgerEntryChange {
	key, err := le.LedgerKey()
	if err != nil {
		panic("stellarnet: an entry without a key: " + err.Error())
	}
	return xdr.LedgerEntryChange{Type: xdr.LedgerEntryChangeTypeLedgerEntryRemoved, Removed: &key}
}
