package host_test

import (
	"slices"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
)

// footprintRequests simulates both footprint operations on keys in every state.
func (w *scenario) footprintRequests() {
	missing := encode(w.t, xdr.LedgerKey{Type: xdr.LedgerEntryTypeContractCode, ContractCode: &xdr.LedgerKeyContractCode{Hash: w.hash()}})
	account := encode(w.t, xdr.LedgerKey{Type: xdr.LedgerEntryTypeAccount, Account: &xdr.LedgerKeyAccount{AccountId: w.admin}})
	ownKeys := w.keys(w.t)
	for name, keys := range sorted(map[string][][]byte{
		"both keys":   ownKeys,
		"instance":    ownKeys[:1],
		"code":        ownKeys[1:],
		"no key":      {},
		"missing key": {missing},
		"some":        {ownKeys[0], missing},
		"account":     {account},
		"twice":       {ownKeys[0], ownKeys[0]},
	}) {
		for _, extendTo := range []uint32{0, 1, w.rng.Uint32N(3_110_400), 3_110_399, 3_110_400, 1<<32 - 1} {
			w.label("extend %s by %d at %d", name, extendTo, w.sequence)
			_, _ = w.host.SimulateExtendTTL(w.t.Context(), w.lookup, host.FootprintRequest{Ledger: w.now(), Keys: keys, ExtendTo: extendTo})
		}
		w.label("restore %s at %d", name, w.sequence)
		_, _ = w.host.SimulateRestore(w.t.Context(), w.lookup, host.FootprintRequest{Ledger: w.now(), Keys: keys})
	}
}

// archived runs calls on a contract whose lifetime has ended, with and without its
// restoration, and in the last ledger before.
func (w *scenario) archived() {
	fn := w.call("set_status", u32Val(1))
	_, liveUntil, err := w.lookup(w.keys(w.t)[0])
	if err != nil {
		w.t.Fatal(err)
	}
	w.sequence = *liveUntil
	w.label("last ledger of its life")
	if r, ok := w.simulateForInvoke(fn, w.admin); ok {
		w.invokeWithoutApply(r)
		w.advanceLedgers(1)
		w.label("one ledger too late")
		w.refresh(&r)
		w.invokeWithoutApply(r)
	}
	w.footprintRequests()
	w.expireEntry()
	w.label("archived, not restored")
	if r, ok := w.simulateForInvoke(fn, w.admin); ok {
		restored := slices.Clone(r.RestoredRWIndices)
		r.RestoredRWIndices = nil
		w.invokeWithoutApply(r)
		w.label("archived, one of two restored")
		r.RestoredRWIndices = restored[:1]
		w.invokeWithoutApply(r)
		w.label("archived and restored")
		r.RestoredRWIndices = restored
		w.invoke(w.t, r)
	}
	w.label("restored before")
	w.simulateAndInvoke(fn, w.admin)
}

// fees computes both fee formulas with numbers from small to far too large.
func (w *scenario) fees() {
	w.label("footprint for fees")
	r, ok := w.simulateForInvoke(w.call("set_status", u32Val(0)), w.admin)
	if !ok {
		w.t.Fatal("refused")
	}
	for range 12 {
		w.corruptResources(func(res *xdr.SorobanResources) {
			res.Instructions = xdr.Uint32(w.magnitude())
			res.DiskReadBytes = xdr.Uint32(w.magnitude())
			res.WriteBytes = xdr.Uint32(w.magnitude())
		})(&r)
		w.label("resource fee")
		if _, err := w.host.ResourceFee(w.t.Context(), w.lookup, host.ResourceFeeRequest{
			Ledger: w.now(), Resources: r.Resources, TransactionSize: w.magnitude() % 132_096,
			EventsBytes: w.magnitude() % 16_384, ArchivedRestored: w.rng.Uint32N(4),
		}); err != nil {
			w.t.Fatal(err)
		}
		w.label("rent fee")
		if _, err := w.host.RentFee(w.t.Context(), w.lookup, w.now(), w.rentChanges()); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *scenario) rentChanges() []host.RentChange {
	changes := make([]host.RentChange, w.rng.IntN(5))
	for i := range changes {
		size, old := w.magnitude()%65_536, w.sequence+w.rng.Uint32N(1_000_000)
		changes[i] = host.RentChange{
			IsPersistent: w.rng.IntN(2) == 0, IsCode: w.rng.IntN(2) == 0,
			OldSize: size, NewSize: size + w.rng.Uint32N(1000),
			OldLiveUntil: old * w.rng.Uint32N(2), NewLiveUntil: old + w.rng.Uint32N(1_000_000),
		}
	}
	return changes
}

// magnitude has two digits as often as nine.
func (w *scenario) magnitude() uint32 { return w.rng.Uint32() >> (2 + w.rng.IntN(30)) }
