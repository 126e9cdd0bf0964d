package host

import (
	"context"
	"fmt"
	"testing"
)

// Recorder is a Host that records the bytes of each call. A host's rejection is an error
// of its methods, and recorded; other errors end the test.
type Recorder struct {
	hostCalls
	t     testing.TB
	host  *pool
	Cases []RecordedCall
	// Label is the name of the following cases; each gets a number too.
	Label string
}

// RecordedCall is one call: the request, the looked-up entries, and the response.
type RecordedCall struct {
	Name, Export string
	Request      []byte
	Entries      []LookedUpEntry
	Answer       []byte
}

// LookedUpEntry is the result of one lookup.
type LookedUpEntry struct {
	Key string
	// Frame is the bytes of one message; empty when there is no entry.
	Frame string
}

// NewRecorder records the calls of h, which was created by New.
func NewRecorder(t testing.TB, h Host) *Recorder {
	t.Helper()
	recorder := &Recorder{t: t, host: poolOf(t, h)}
	recorder.hostCalls = hostCalls{caller: recorder}
	return recorder
}

func poolOf(t testing.TB, h Host) *pool {
	t.Helper()
	instances, ok := h.(*pool)
	if !ok {
		t.Fatalf("the host is a %T", h)
	}
	return instances
}

// Close implements Host and leaves the host open.
func (t *Recorder) Close(context.Context) error { return nil }

func (t *Recorder) call(ctx context.Context, lookup LookupFunc, export string, request []byte) (*decoder, error) {
	c := RecordedCall{Name: fmt.Sprintf("%04d %s", len(t.Cases), t.Label), Export: export, Request: request}
	answer, err := t.host.callModule(ctx, func(key []byte) ([]byte, *uint32, error) {
		entry, liveUntil, err := lookup(key)
		c.Entries = append(c.Entries, entryOf(key, entry, liveUntil))
		return entry, liveUntil, err
	}, export, request)
	if err != nil {
		t.t.Fatalf("%s: %v", c.Name, err)
	}
	c.Answer = answer
	t.Cases = append(t.Cases, c)
	return answerBody(answer)
}

func entryOf(key, entry []byte, liveUntil *uint32) LookedUpEntry {
	if entry == nil {
		return LookedUpEntry{Key: string(key)}
	}
	var e encoder
	e.optionU32(liveUntil)
	e.bytes(entry)
	return LookedUpEntry{Key: string(key), Frame: string(e.b)}
}

// CallRaw makes a call with arbitrary bytes.
func (t *Recorder) CallRaw(ctx context.Context, lookup LookupFunc, export string, request []byte) error {
	_, err := t.call(ctx, lookup, export, request)
	return err
}

// ReplayCall runs a case with the entries that were looked up when it was recorded.
func ReplayCall(t testing.TB, h Host, c RecordedCall) ([]byte, error) {
	t.Helper()
	entries := make(map[string]string, len(c.Entries))
	for _, e := range c.Entries {
		entries[e.Key] = e.Frame
	}
	return poolOf(t, h).callModule(t.Context(), func(key []byte) ([]byte, *uint32, error) {
		frame, known := entries[string(key)]
		if !known {
			return nil, nil, fmt.Errorf("requested an entry that the recording does not have: %x", key)
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
		return entry, liveUntil, d.finish()
	}, c.Export, c.Request)
}

// FormatAnswer decodes a response into readable text, field by field.
func FormatAnswer(export string, answer []byte) string {
	d, err := answerBody(answer)
	if err != nil {
		return "refused: " + err.Error()
	}
	switch export {
	case "invoke":
		return fmt.Sprintf("%+v", d.invokeResult())
	case "simulate", "simulate_extend_ttl", "simulate_restore":
		return fmt.Sprintf("%+v", d.simulateResult())
	case "xdr_to_json":
		return string(d.bytes())
	default:
		return fmt.Sprintf("%x", d.b)
	}
}

// EncodeCorpus frames cases as rust/src/test_native.rs reads them: the entries
// that cases share once, and no answers.
func EncodeCorpus(cases []RecordedCall) []byte {
	index := map[LookedUpEntry]uint32{}
	var shared, body encoder
	for _, c := range cases {
		body.bytes([]byte(c.Name))
		body.bytes([]byte(c.Export))
		body.bytes(c.Request)
		body.count(len(c.Entries))
		for _, entry := range c.Entries {
			i, indexByKey := index[entry]
			if !indexByKey {
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
func DecodeCorpus(b []byte) ([]RecordedCall, error) {
	d := &decoder{b: b}
	var shared []LookedUpEntry
	for n := d.u32(); n > 0 && d.err == nil; n-- {
		shared = append(shared, LookedUpEntry{Key: string(d.bytes()), Frame: string(d.option())})
	}
	var cases []RecordedCall
	for n := d.u32(); n > 0 && d.err == nil; n-- {
		c := RecordedCall{Name: string(d.bytes()), Export: string(d.bytes()), Request: d.bytes()}
		for n := d.u32(); n > 0 && d.err == nil; n-- {
			i := d.u32()
			if int(i) >= len(shared) {
				return nil, fmt.Errorf("case %q names entry %d of %d", c.Name, i, len(shared))
			}
			c.Entries = append(c.Entries, shared[i])
		}
		cases = append(cases, c)
	}
	return cases, d.finish()
}

// DecodeAnswers reads the output of the native run.
func DecodeAnswers(b []byte) ([][]byte, error) {
	d := &decoder{b: b}
	answers := d.list()
	return answers, d.finish()
}
