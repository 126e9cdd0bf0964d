package soroban_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/stellar/go-stellar-sdk/xdr"
)

// liar changes answers of a server: any field, within its type. The same seed chooses the
// same changes for the same answers.
type liar struct {
	mu   sync.Mutex
	rand *rand.Rand
	// share is the part of the answers that are changed.
	share float64
	// fixed are lies that stay, by method and field: attacks repeat one lie. Nil: each
	// answer gets lies of its own.
	fixed map[string]any
}

// newLiar lies a little, a lot or always, with a few fixed lies or with new ones each time.
func newLiar(seed uint64) *liar {
	r := rand.New(rand.NewPCG(seed, 14))
	l := &liar{rand: r, share: []float64{0.05, 0.3, 1}[r.IntN(3)]}
	if r.IntN(2) == 0 {
		l.fixed = map[string]any{}
	}
	return l
}

// change returns the changed answer of a method; nil for the original.
func (l *liar) change(method string, answer []byte) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rand.Float64() >= l.share {
		return nil
	}
	if l.rand.IntN(40) == 0 {
		return l.garbage(answer)
	}
	var r map[string]any
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.UseNumber()
	if decoder.Decode(&r) != nil {
		return nil
	}
	fields := fieldsOf(r, "")
	for range 1 + l.rand.IntN(2) {
		f := fields[l.rand.IntN(len(fields))]
		f.set(l.lie(method+f.path, f.name, f.value))
	}
	out, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	return out
}

// garbage is an answer that is none.
func (l *liar) garbage(answer []byte) []byte {
	return [][]byte{
		{}, []byte(`{}`), []byte(`null`), []byte(`[]`), []byte(`{"jsonrpc":"2.0","id":1,"result":{}}`), []byte(`<html>busy</html>`),
		answer[:len(answer)/2], []byte(`{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"internal"}}`),
		[]byte(`{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}`), bytes.Repeat([]byte(`{"a":`), 10_000),
	}[l.rand.IntN(10)]
}

// field is a value in a JSON document.
type field struct {
	path, name string
	value      any
	set        func(any) // The value removed removes the field.
}

type removed struct{}

// fieldsOf lists all values of a document, each also of those that contain others.
func fieldsOf(v any, path string) (all []field) {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			at := path + "." + name
			all = append(all, field{at, name, v[name], func(to any) {
				if _, gone := to.(removed); gone {
					delete(v, name)
				} else {
					v[name] = to
				}
			}})
			all = append(all, fieldsOf(v[name], at)...)
		}
	case []any:
		for i, value := range v {
			all = append(all, field{path + "[]", path[strings.LastIndex(path, ".")+1:], value, func(to any) {
				if _, gone := to.(removed); gone {
					to = nil
				}
				v[i] = to
			}})
			all = append(all, fieldsOf(value, path+"[]")...)
		}
	}
	return all
}

// lie returns another value for a field.
func (l *liar) lie(at, name string, v any) any {
	if known, ok := l.fixed[at]; ok {
		return known
	}
	lie := l.newLie(name, v)
	if l.fixed != nil && len(l.fixed) < 3 {
		l.fixed[at] = lie
	}
	return lie
}

func (l *liar) newLie(name string, v any) any {
	if l.rand.IntN(12) == 0 {
		return removed{}
	}
	switch v := v.(type) {
	case json.Number:
		n, err := v.Int64()
		if err != nil {
			return json.Number("1e400")
		}
		return json.Number(strconv.FormatInt(l.number(n), 10))
	case string:
		return l.text(name, v)
	case bool:
		return !v
	case []any:
		return l.list(v)
	case map[string]any:
		return map[string]any{}
	}
	return "?"
}

// number is a number beside, far from, or at the limits of the type of n.
func (l *liar) number(n int64) int64 {
	near := []int64{n + 1, n - 1, n + 30, n - 30, n + 240, n + 1000, n - 1000, 2 * n, -n}
	far := []int64{0, 1, -1, 4294967295, 4294967294, 4294967296, 3976214400, 9223372036854775807, -9223372036854775808, 8000000000000000000, 9000000000000000000}
	if l.rand.IntN(2) == 0 {
		return near[l.rand.IntN(len(near))]
	}
	return far[l.rand.IntN(len(far))]
}

// statuses are those of all methods.
var statuses = []string{"SUCCESS", "FAILED", "NOT_FOUND", "PENDING", "DUPLICATE", "TRY_AGAIN_LATER", "ERROR", "UNKNOWN", ""}

// text is another text: a number stays a number, and XDR stays XDR of its type, mostly.
func (l *liar) text(name, v string) string {
	if name == "status" {
		return statuses[l.rand.IntN(len(statuses))]
	}
	if n, err := strconv.ParseInt(v, 10, 64); err == nil {
		return strconv.FormatInt(l.number(n), 10)
	}
	if raw, err := base64.StdEncoding.DecodeString(v); err == nil && len(raw) >= 4 {
		return base64.StdEncoding.EncodeToString(l.xdr(name, raw))
	}
	return []string{"", "?", v + v, strings.ToUpper(v), "0000", strings.Repeat("x", 200_000)}[l.rand.IntN(6)]
}

// xdrTypes are the types of fields with XDR.
var xdrTypes = map[string]func() any{
	"xdr": func() any { return new(xdr.LedgerEntryData) }, "key": func() any { return new(xdr.LedgerKey) },
	"transactionData": func() any { return new(xdr.SorobanTransactionData) }, "auth": func() any { return new(xdr.SorobanAuthorizationEntry) },
	"resultXdr": func() any { return new(xdr.TransactionResult) }, "errorResultXdr": func() any { return new(xdr.TransactionResult) },
	"resultMetaXdr": func() any { return new(xdr.TransactionMeta) }, "envelopeXdr": func() any { return new(xdr.TransactionEnvelope) },
}

// xdr changes some bytes so that the value can be decoded all the same; after a hundred
// tries, and one time in ten, it returns what cannot be.
func (l *liar) xdr(name string, raw []byte) []byte {
	fresh, known := xdrTypes[name]
	for range 100 {
		out := slices.Clone(raw)
		for range 1 + l.rand.IntN(3) {
			out[l.rand.IntN(len(out))] = byte(l.rand.Uint32())
		}
		if l.rand.IntN(10) == 0 {
			return out[:l.rand.IntN(len(out))]
		}
		if !known || xdr.SafeUnmarshal(out, fresh()) == nil {
			return out
		}
	}
	return raw[:4]
}

// list drops, repeats, reorders or forges elements.
func (l *liar) list(v []any) []any {
	out := slices.Clone(v)
	switch l.rand.IntN(4) {
	case 0:
		return []any{}
	case 1:
		slices.Reverse(out)
		return out
	case 2:
		return append(out, out...)
	}
	if len(out) > 0 {
		return append(out, fmt.Sprint(out[0]))
	}
	return []any{"?"}
}
