package host

import (
	"encoding/binary"
	"errors"
)

// The framing of rust/src/wire.rs: numbers little-endian and of fixed size, bytes and
// lists after a four-byte count, options after one byte.

type encoder struct{ b []byte }

func (e *encoder) bool(v bool) {
	if v {
		e.b = append(e.b, 1)
		return
	}
	e.b = append(e.b, 0)
}

func (e *encoder) u32(v uint32) { e.b = binary.LittleEndian.AppendUint32(e.b, v) }
func (e *encoder) u64(v uint64) { e.b = binary.LittleEndian.AppendUint64(e.b, v) }
func (e *encoder) raw(v []byte) { e.b = append(e.b, v...) }
func (e *encoder) count(n int)  { e.u32(uint32(n)) }
func (e *encoder) bytes(v []byte) {
	e.count(len(v))
	e.raw(v)
}

func (e *encoder) option(v []byte) {
	e.bool(v != nil)
	if v != nil {
		e.bytes(v)
	}
}

func (e *encoder) optionU32(v *uint32) {
	e.bool(v != nil)
	if v != nil {
		e.u32(*v)
	}
}

func (e *encoder) list(items [][]byte) {
	e.count(len(items))
	for _, item := range items {
		e.bytes(item)
	}
}

func (e *encoder) ledger(l Ledger) {
	e.u32(l.ProtocolVersion)
	e.u32(l.Sequence)
	e.u64(l.Timestamp)
	e.raw(l.NetworkID[:])
	e.u32(l.BaseReserve)
}

var errMalformedAnswer = errors.New("the host's answer has another form than expected")

// decoder returns zeros after its first error, so one check at the end is enough.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) next(n int) []byte {
	if d.err != nil || n > len(d.b) {
		d.b, d.err = nil, errMalformedAnswer
		return make([]byte, min(n, 8))
	}
	head := d.b[:n:n]
	d.b = d.b[n:]
	return head
}

func (d *decoder) bool() bool    { return d.next(1)[0] != 0 }
func (d *decoder) u32() uint32   { return binary.LittleEndian.Uint32(d.next(4)) }
func (d *decoder) u64() uint64   { return binary.LittleEndian.Uint64(d.next(8)) }
func (d *decoder) i64() int64    { return int64(d.u64()) } // Same bits.
func (d *decoder) bytes() []byte { return d.next(int(d.u32())) }

func (d *decoder) option() []byte {
	if !d.bool() {
		return nil
	}
	return d.bytes()
}

func (d *decoder) list() [][]byte {
	var items [][]byte
	for n := d.u32(); n > 0 && d.err == nil; n-- {
		items = append(items, d.bytes())
	}
	return items
}

// finish also returns an error for unread bytes.
func (d *decoder) finish() error {
	if d.err == nil && len(d.b) > 0 {
		return errMalformedAnswer
	}
	return d.err
}
