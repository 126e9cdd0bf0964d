package host

import (
	"context"
	"fmt"
	"testing"
)

// Tape is a Host that keeps what crossed the boundary in each call. An error of
// its methods is the host's refusal, and recorded; others end the test.
type Tape struct {
	calls
	t     testing.TB
	host  *pool
	Cases []Case
	// Name is given to the cases of the calls that follow, with a number.
	Name string
}

// Case is one call: the request, the entries that were looked up, and the answer.
type Case struct {
	Name, Export string
	Request      []byte
	Entries      []Entry
	Answer       []byte
}

// Entry is the answer to one look-up.
type Entry struct {
	Key string
	// Frame is what crosses the boundary; empty where there is no entry.
	Frame string
}

// NewTape records the calls of h, which New has made.
func NewTape(t testing.TB, h Host) *Tape {
	t.Helper()
	tape := &Tape{t: t, host: poolOf(t, h)}
	tape.calls = calls{to: tape}
	return tape
}

func poolOf(t testing.TB, h Host) *pool {
	t.Helper()
	own, ok := h.(*pool)
	if !ok {
		t.Fatalf("the host is a %T", h)
	}
	return own
}

// Close implements Host and leaves the host open.
func (t *Tape) Close(context.Context) error { return nil }

func (t *Tape) call(ctx context.Context, lookup LookupFunc, export string, request []byte) (*decoder, error) {
	c := Case{Name: fmt.Sprintf("%04d %s", len(t.Cases), t.Name), Export: export, Request: request}
	answer, err := t.host.answer(ctx, func(key []byte) ([]byte, *uint32, error) {
		entry, liveUntil, err := lookup(key)
		c.Entries = append(c.Entries, entryOf(key, entry, liveUntil))
		return entry, liveUntil, err
	}, export, request)
	if err != nil {
		t.t.Fatalf("%s: %v", c.Name, err)
	}
	c.Answer = answer
	t.Cases = append(t.Cases, c)
	return content(answer)
}

func entryOf(key, entry []byte, liveUntil *uint32) Entry {
	if entry == nil {
		return Entry{Key: string(key)}
	}
	var e encoder
	e.optionU32(liveUntil)
	e.bytes(entry)
	return Entry{Key: string(key), Frame: string(e.b)}
}

// Raw makes a call of any bytes.
func (t *Tape) Raw(ctx context.Context, lookup LookupFunc, export string, request []byte) error {
	_, err := t.call(ctx, lookup, export, request)
	return err
}

// Replay runs a case on the entries that were looked up when it was recorded.
func Replay(t testing.TB, h Host, c Case) ([]byte, error) {
	t.Helper()
	entries := make(map[string]string, len(c.Entries))
	for _, e := range c.Entries {
		entries[e.Key] = e.Frame
	}
	return poolOf(t, h).answer(t.Context(), func(key []byte) ([]byte, *uint32, error) {
		frame, known := entries[string(key)]
		if !known {
			return nil, nil, fmt.Errorf("asked for an entry that the recording did not ask for: %x", key)
		}
		if frame == "" {
			return nil, nil, nil
		}
		d := &decoder{b: []byte(frame)}
		var liveUntil *uint32
		if d.bool() {
			l := d.u32()
			liveUntil = &l
		}
		entry := d.bytes()
		return entry, liveUntil, d.end()
	}, c.Export, c.Request)
}

// Show decodes an answer for people, field by field.
func Show(export string, answer []byte) string {
	d, err := content(answer)
	if err != nil {
		return "refused: " + err.Error()
	}
	switch export {
	case "invoke":
		return fmt.Sprintf("%+v", d.invoked())
	case "simulate", "simulate_extend_ttl", "simulate_restore":
		return fmt.Sprintf("%+v", d.simulated())
	case "xdr_to_json":
		return string(d.bytes())
	default:
		return fmt.Sprintf("%x", d.b)
	}
}

// EncodeCorpus frames cases as rust/src/test_native.rs reads them: the entries
// that cases share once, and no answers.
func EncodeCorpus(cases []Case) []byte {
	index := map[Entry]uint32{}
	var shared, body encoder
	for _, c := range cases {
		body.bytes([]byte(c.Name))
		body.bytes([]byte(c.Export))
		body.bytes(c.Request)
		body.count(len(c.Entries))
		for _, entry := range c.Entries {
			i, known := index[entry]
			if !known {
				i = uint32(len(index))
				index[entry] = i
				shared.bytes([]byte(entry.Key))
				shared.bool(entry.Frame != "")
				if entry.Frame != "" {
					shared.bytes([]byte(entry.Frame))
				}
			}
			body.u32(i)
		}
	}
	var e encoder
	e.count(len(index))
	e.raw(shared.b)
	e.count(len(cases))
	e.raw(body.b)
	return e.b
}

// DecodeCorpus is the reverse of EncodeCorpus.
func DecodeCorpus(b []byte) ([]Case, error) {
	d := &decoder{b: b}
	var shared []Entry
	for n := d.u32(); n > 0 && d.err == nil; n-- {
		shared = append(shared, Entry{Key: string(d.bytes()), Frame: string(d.option())})
	}
	var cases []Case
	for n := d.u32(); n > 0 && d.err == nil; n-- {
		c := Case{Name: string(d.bytes()), Export: string(d.bytes()), Request: d.bytes()}
		for n := d.u32(); n > 0 && d.err == nil; n-- {
			i := d.u32()
			if int(i) >= len(shared) {
				return nil, fmt.Errorf("case %q names entry %d of %d", c.Name, i, len(shared))
			}
			c.Entries = append(c.Entries, shared[i])
		}
		cases = append(cases, c)
	}
	return cases, d.end()
}

// DecodeAnswers reads what the native run wrote.
func DecodeAnswers(b []byte) ([][]byte, error) {
	d := &decoder{b: b}
	answers := d.list()
	return answers, d.end()
}
