package host_test

import (
	"iter"
	"maps"
	"slices"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
)

// documents converts XDR of many types to JSON.
func (w *scenario) documents() {
	for range 40 {
		w.label("value as JSON")
		w.document("ScVal", encode(w.t, w.randomValue(3)))
	}
	for _, c := range slices.Clone(w.recorder.Cases) {
		if w.rng.IntN(12) > 0 {
			continue
		}
		for _, e := range c.Entries[:min(2, len(c.Entries))] {
			w.label("looked-up key as JSON")
			w.document("LedgerKey", []byte(e.Key))
		}
	}
	w.label("what a simulation answers as JSON")
	sim := w.simulateRecording(w.call("set_admin", addressVal(w.otherAccount)), w.otherAccount)
	w.document("SorobanTransactionData", sim.TransactionData)
	w.document("SorobanAuthorizationEntry", sim.Auth[0])
	w.document("ContractEvent", sim.Events[0])
	w.document("LedgerEntry", sim.Changes[0].After)
	for _, event := range sim.DiagnosticEvents {
		w.document("DiagnosticEvent", event)
	}
	for _, bad := range [][]byte{nil, {0, 0, 0}, {0, 0, 0, 1, 0}, {0, 0, 0, 99}, nestedXDR(501)} {
		w.label("no value as JSON")
		w.document("ScVal", bad)
	}
	w.label("no type")
	w.document("ScValue", nil)
}

// document ignores rejections: they are recorded like results.
func (w *scenario) document(typeName string, value []byte) {
	_, _ = w.host.XDRToJSON(w.t.Context(), typeName, value)
}

// randomValue returns a value of any kind that a contract can get.
func (w *scenario) randomValue(depth int) xdr.ScVal {
	hash, n := w.hash(), w.rng.Uint64()>>w.rng.UintN(64)
	text := []string{"", "tenant", "Zürich", "a\"b\\c\n\x00\x7f\xff", "\u2028"}[w.rng.IntN(5)]
	str, yes, code := xdr.ScString(text), n%2 == 0, xdr.Uint32(n)
	i32, i64, u128 := xdr.Int32(n), xdr.Int64(n), xdr.UInt128Parts{Hi: xdr.Uint64(n), Lo: xdr.Uint64(n * 3)}
	i256 := xdr.Int256Parts{HiHi: -i64, HiLo: 1, LoHi: xdr.Uint64(n), LoLo: 2}
	u256 := xdr.UInt256Parts{HiHi: xdr.Uint64(n), LoLo: 9}
	point, duration := xdr.TimePoint(n), xdr.Duration(n)
	leaves := []xdr.ScVal{
		{Type: xdr.ScValTypeScvVoid}, {Type: xdr.ScValTypeScvBool, B: &yes},
		{Type: xdr.ScValTypeScvI32, I32: &i32}, {Type: xdr.ScValTypeScvI64, I64: &i64},
		{Type: xdr.ScValTypeScvTimepoint, Timepoint: &point}, {Type: xdr.ScValTypeScvDuration, Duration: &duration},
		{Type: xdr.ScValTypeScvU128, U128: &u128}, {Type: xdr.ScValTypeScvI256, I256: &i256},
		{Type: xdr.ScValTypeScvU256, U256: &u256}, {Type: xdr.ScValTypeScvString, Str: &str},
		{Type: xdr.ScValTypeScvError, Error: &xdr.ScError{Type: xdr.ScErrorTypeSceContract, ContractCode: &code}},
		u32Val(uint32(n)), u64Val(n), i128Val(-int64(n)), bytesVal(hash[:n%32]),
		symbolVal("Admin"), addressVal(w.admin), contractVal(hash),
	}
	if depth == 0 || w.rng.IntN(3) == 0 {
		return leaves[w.rng.IntN(len(leaves))]
	}
	if w.rng.IntN(2) == 0 {
		return vecVal(w.randomValue(depth-1), w.randomValue(depth-1))
	}
	return mapVal(pair("a", w.randomValue(depth-1)), pair("b", w.randomValue(depth-1)))
}

// frames are invalid requests.
func (w *scenario) frames() {
	good := w.recorder.Cases[0]
	for _, export := range []string{"simulate", "invoke", "simulate_extend_ttl", "simulate_restore", "resource_fee", "rent_fee", "xdr_to_json"} {
		for name, request := range sorted(map[string][]byte{
			"no frame":        nil,
			"a frame cut":     good.Request[:len(good.Request)-1],
			"a frame too far": append(slices.Clone(good.Request), 0),
			"a header":        good.Request[:52],
		}) {
			w.label("%s", name)
			// Rejections are recorded too.
			_ = w.recorder.CallRaw(w.t.Context(), w.lookup, export, request)
		}
	}
	w.label("settings")
	if err := w.recorder.CallRaw(w.t.Context(), w.lookup, "default_settings", nil); err != nil {
		w.t.Fatal(err)
	}
}

func hashVal(h [32]byte) xdr.ScVal { return bytesVal(h[:]) }

// nestedVal nests vectors.
func nestedVal(depth int) xdr.ScVal {
	v := u32Val(1)
	for range depth {
		v = vecVal(v)
	}
	return v
}

// sorted ranges over a map in the same order each time.
func sorted[V any](m map[string]V) iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for _, k := range slices.Sorted(maps.Keys(m)) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

var _ host.Host = (*host.Recorder)(nil)
