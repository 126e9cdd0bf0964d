package stellarnet

import (
	"bytes"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// record is one ledger entry and its lifetime. The protocol keeps a TTL as an
// entry of its own; here it travels with the entry it belongs to, and only the
// meta shows the two apart.
type record struct {
	raw       []byte // LedgerEntry XDR; nil when deleted.
	liveUntil uint32 // 0 for entries without a TTL.
	ttlSetAt  uint32 // The ledger in which liveUntil took its value.
}

// expired reports whether the entry is past its lifetime in ledger seq.
func (r record) expired(seq uint32) bool { return r.liveUntil != 0 && r.liveUntil < seq }

func (r record) entry() (le xdr.LedgerEntry) {
	unmarshal(r.raw, &le)
	return le
}

// view is a state of the ledger that can be read. Expired entries are found:
// who reads decides whether they count.
type view interface {
	get(key string) (record, bool)
}

// delta is a set of changes on top of a view. Deltas nest: an operation's
// changes join its transaction's only when all operations succeed.
type delta struct {
	base     view
	seq      uint32 // The ledger in which the changes happen.
	touched  map[string]record
	order    []string
	restored map[string]bool
}

func newDelta(base view, seq uint32) *delta {
	return &delta{base: base, seq: seq, touched: map[string]record{}, restored: map[string]bool{}}
}

func (d *delta) get(key string) (record, bool) {
	if r, ok := d.touched[key]; ok {
		return r, r.raw != nil
	}
	return d.base.get(key)
}

func (d *delta) set(key string, r record) {
	if _, ok := d.touched[key]; !ok {
		d.order = append(d.order, key)
	}
	d.touched[key] = r
}

// put stores an entry; a liveUntil of 0 keeps the lifetime that it has.
func (d *delta) put(le xdr.LedgerEntry, liveUntil uint32) error {
	key, err := le.LedgerKey()
	if err != nil {
		return err
	}
	name := keyOf(key)
	le.LastModifiedLedgerSeq = xdr.Uint32(d.seq)
	before, _ := d.get(name)
	r := record{raw: marshal(le), liveUntil: before.liveUntil, ttlSetAt: before.ttlSetAt}
	if liveUntil != 0 && liveUntil != before.liveUntil {
		r.liveUntil, r.ttlSetAt = liveUntil, d.seq
	}
	d.set(name, r)
	return nil
}

// extend moves the end of an entry's life and leaves the entry as it is.
func (d *delta) extend(key string, liveUntil uint32) {
	if r, ok := d.get(key); ok {
		r.liveUntil, r.ttlSetAt = liveUntil, d.seq
		d.set(key, r)
	}
}

// restore brings an archived entry back to life.
func (d *delta) restore(key string, liveUntil uint32) {
	d.extend(key, liveUntil)
	d.restored[key] = true
}

func (d *delta) remove(key string) { d.set(key, record{}) }

// mergeInto hands the changes to the delta below.
func (d *delta) mergeInto(parent *delta) {
	for _, key := range d.order {
		parent.set(key, d.touched[key])
	}
	for key := range d.restored {
		parent.restored[key] = true
	}
}

// changes lists what happened, as transaction meta shows it.
func (d *delta) changes() xdr.LedgerEntryChanges {
	out := xdr.LedgerEntryChanges{}
	for _, key := range d.order {
		before, existed := d.base.get(key)
		after := d.touched[key]
		if d.restored[key] {
			out = append(out, restoredChanges(key, before, after)...)
			continue
		}
		if !bytes.Equal(before.raw, after.raw) {
			out = append(out, entryChanges(existed, before, after)...)
		}
		if before.liveUntil != after.liveUntil {
			out = append(out, ttlChanges(key, before, after)...)
		}
	}
	return out
}

func entryChanges(existed bool, before, after record) []xdr.LedgerEntryChange {
	switch {
	case !existed && after.raw == nil:
		return nil
	case !existed:
		return []xdr.LedgerEntryChange{created(after.entry())}
	case after.raw == nil:
		le := before.entry()
		return []xdr.LedgerEntryChange{stateOf(le), removed(le)}
	default:
		return []xdr.LedgerEntryChange{stateOf(before.entry()), updated(after.entry())}
	}
}

func ttlChanges(key string, before, after record) []xdr.LedgerEntryChange {
	old, current := ttlEntry(key, before), ttlEntry(key, after)
	switch {
	case before.liveUntil == 0:
		return []xdr.LedgerEntryChange{created(current)}
	case after.liveUntil == 0:
		return []xdr.LedgerEntryChange{stateOf(old), removed(old)}
	default:
		return []xdr.LedgerEntryChange{stateOf(old), updated(current)}
	}
}

func restoredChanges(key string, before, after record) []xdr.LedgerEntryChange {
	old, ttl := before.entry(), ttlEntry(key, after)
	out := []xdr.LedgerEntryChange{
		{Type: xdr.LedgerEntryChangeTypeLedgerEntryRestored, Restored: &old},
		{Type: xdr.LedgerEntryChangeTypeLedgerEntryRestored, Restored: &ttl},
	}
	if !bytes.Equal(before.raw, after.raw) {
		out = append(out, entryChanges(true, before, after)...)
	}
	return out
}

func ttlEntry(key string, r record) xdr.LedgerEntry {
	return xdr.LedgerEntry{
		LastModifiedLedgerSeq: xdr.Uint32(r.ttlSetAt),
		Data: xdr.LedgerEntryData{
			Type: xdr.LedgerEntryTypeTtl,
			Ttl:  &xdr.TtlEntry{KeyHash: ttlHash(key), LiveUntilLedgerSeq: xdr.Uint32(r.liveUntil)},
		},
	}
}

func created(le xdr.LedgerEntry) xdr.LedgerEntryChange {
	return xdr.LedgerEntryChange{Type: xdr.LedgerEntryChangeTypeLedgerEntryCreated, Created: &le}
}

func updated(le xdr.LedgerEntry) xdr.LedgerEntryChange {
	return xdr.LedgerEntryChange{Type: xdr.LedgerEntryChangeTypeLedgerEntryUpdated, Updated: &le}
}

func stateOf(le xdr.LedgerEntry) xdr.LedgerEntryChange {
	return xdr.LedgerEntryChange{Type: xdr.LedgerEntryChangeTypeLedgerEntryState, State: &le}
}

func removed(le xdr.LedgerEntry) xdr.LedgerEntryChange {
	key, err := le.LedgerKey()
	if err != nil {
		panic("stellarnet: an entry without a key: " + err.Error())
	}
	return xdr.LedgerEntryChange{Type: xdr.LedgerEntryChangeTypeLedgerEntryRemoved, Removed: &key}
}
