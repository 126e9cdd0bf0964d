package host_test

import (
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
)

// everyFunction calls each function of the contract as its admin, as an admin who signs
// for another account's transaction, and as another account.
func (w *scenario) everyFunction() {
	hash := w.hash()
	for _, c := range []struct {
		name string
		args []xdr.ScVal
	}{
		{"tenant", nil},
		{"admin", nil},
		{"status", nil},
		{"latest_anchor", nil},
		{"anchor", []xdr.ScVal{u64Val(w.rng.Uint64N(1000) + 1), bytesVal(hash[:])}},
		{"latest_anchor", nil},
		{"anchor", []xdr.ScVal{u64Val(0), bytesVal(hash[:])}},
		{"anchor", []xdr.ScVal{u64Val(1 << 63), bytesVal(hash[:])}},
		{"set_status", []xdr.ScVal{u32Val(contract.StatusArchived)}},
		{"set_admin", []xdr.ScVal{addressVal(w.admin)}},
		{"upgrade", []xdr.ScVal{hashVal(contract.Hash())}},
		{"set_status", []xdr.ScVal{u32Val(contract.StatusActive)}},
	} {
		for _, source := range []xdr.AccountId{w.admin, w.otherAccount} {
			w.label("%s by %s", c.name, w.randomAccount(source))
			w.simulateAndInvoke(w.call(c.name, c.args...), source)
			w.advanceLedgers(w.rng.Uint32N(500_000) / (1 + w.rng.Uint32N(100)))
		}
	}
}

func (w *scenario) randomAccount(id xdr.AccountId) string {
	if id.Equals(w.admin) {
		return "the admin"
	}
	return "a stranger"
}

// badCalls are calls that host or contract reject, each for a different reason.
func (w *scenario) badCalls() {
	hash := w.hash()
	other := w.deployed
	other.contract = hash
	for name, fn := range sorted(map[string]xdr.HostFunction{
		"no such function":        w.call("nothing"),
		"no such contract":        other.call("status"),
		"too many arguments":      w.call("status", u32Val(1)),
		"too few arguments":       w.call("anchor", u64Val(1)),
		"argument of other type":  w.call("set_status", symbolVal("Archived")),
		"status out of range":     w.call("set_status", u32Val(2)),
		"hash too short":          w.call("anchor", u64Val(1), bytesVal(hash[:31])),
		"constructor called":      w.call("__constructor", addressVal(w.admin), hashVal(hash)),
		"upgrade to unknown code": w.call("upgrade", hashVal(hash)),
		"name with a space":       w.call("not a symbol"),
		"name too long":           w.call("a_function_name_of_more_than_32_characters"),
		"map out of order":        w.call("set_status", mapVal(pair("b", u32Val(1)), pair("a", u32Val(1)))),
		"deep argument":           w.call("set_status", nestedVal(120)),
		"huge argument":           w.call("set_status", bytesVal(make(xdr.ScBytes, 100_000))),
	}) {
		w.label("%s", name)
		w.simulateAndInvoke(fn, w.admin)
		// Also enforced, with the entries of another call: a call that the simulation
		// rejects must fail there too.
		w.label("%s, enforced", name)
		if r, ok := w.simulateForInvoke(w.call("set_admin", addressVal(w.admin)), w.admin); ok {
			r.HostFunction = encode(w.t, fn)
			w.invokeWithoutApply(r)
		}
	}
}

// forgedSignatures takes invocations that would succeed and changes one thing in each.
func (w *scenario) forgedSignatures() {
	fn := w.call("set_status", u32Val(w.rng.Uint32N(2)))
	for name, spoil := range sorted(map[string]func(*host.InvokeRequest){
		"nothing spoiled":       func(*host.InvokeRequest) {},
		"no authorization":      func(r *host.InvokeRequest) { r.Auth = nil },
		"authorization twice":   func(r *host.InvokeRequest) { r.Auth = append(r.Auth, r.Auth...) },
		"authorization garbled": func(r *host.InvokeRequest) { r.Auth[0] = r.Auth[0][:len(r.Auth[0])-4] },
		"function garbled":      func(r *host.InvokeRequest) { r.HostFunction = r.HostFunction[4:] },
		"source garbled":        func(r *host.InvokeRequest) { r.Source = r.Source[:10] },
		"source of another":     func(r *host.InvokeRequest) { r.Source = encode(w.t, w.otherAccount) },
		"other arguments":       func(r *host.InvokeRequest) { r.HostFunction = encode(w.t, w.call("set_status", u32Val(7))) },
		"no instructions":       w.corruptResources(func(r *xdr.SorobanResources) { r.Instructions = 0 }),
		"half the instructions": w.corruptResources(func(r *xdr.SorobanResources) { r.Instructions /= 2 }),
		"most instructions":     w.corruptResources(func(r *xdr.SorobanResources) { r.Instructions = r.Instructions / 10 * 9 }),
		"few write bytes":       w.corruptResources(func(r *xdr.SorobanResources) { r.WriteBytes = 10 }),
		"instance read only": w.corruptResources(func(r *xdr.SorobanResources) {
			r.Footprint.ReadOnly = append(r.Footprint.ReadOnly, r.Footprint.ReadWrite...)
			r.Footprint.ReadWrite = nil
		}),
		"code missing":        w.corruptResources(func(r *xdr.SorobanResources) { r.Footprint.ReadOnly = nil }),
		"empty footprint":     w.corruptResources(func(r *xdr.SorobanResources) { r.Footprint = xdr.LedgerFootprint{} }),
		"another's restore":   func(r *host.InvokeRequest) { r.RestoredRWIndices = []uint32{0} },
		"restore out of list": func(r *host.InvokeRequest) { r.RestoredRWIndices = []uint32{9} },
	}) {
		for _, source := range []xdr.AccountId{w.admin, w.otherAccount} {
			w.label("%s, source %s", name, w.randomAccount(source))
			if r, ok := w.simulateForInvoke(fn, source); ok {
				spoil(&r)
				w.invokeWithoutApply(r)
			}
		}
	}
}
