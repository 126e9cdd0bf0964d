package host_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract/wasmtest"
)

func TestWasm_MatchesSourceDigest(t *testing.T) {
	t.Parallel()
	wasmtest.AssertCurrent(t, "rust", "host.wasm")
}

func TestHost_Invoke(t *testing.T) {
	t.Parallel()
	t.Run("CreatesContract", func(t *testing.T) {
		t.Parallel()
		d := deploy(t)
		if d.created.RentFee <= 0 {
			t.Errorf("rent fee %d for a new contract", d.created.RentFee)
		}
		if len(d.created.Events) != 1 {
			t.Errorf("%d events, want the constructor's", len(d.created.Events))
		}
		key := d.keys(t)[0]
		if _, liveUntil, _ := d.lookup(key); liveUntil == nil || *liveUntil != startSequence+2_073_600-1 {
			t.Errorf("instance lives until %v", liveUntil)
		}
	})
	t.Run("ReturnsConstructorValues", func(t *testing.T) {
		t.Parallel()
		d := deploy(t)
		var got xdr.ScVal
		decode(t, d.run(t, d.call("tenant"), d.otherAccount).Result, &got)
		if b, ok := got.GetBytes(); !ok || string(b) != string(d.tenant) {
			t.Errorf("tenant is %v", got)
		}
	})
	t.Run("ChangesOnlyInstance", func(t *testing.T) {
		t.Parallel()
		d := deploy(t)
		res := d.run(t, d.call("set_status", u32Val(contract.StatusArchived)), d.admin)
		for _, change := range res.Entries {
			isInstance := string(change.Key) == string(d.keys(t)[0])
			if (change.New != nil) != isInstance || change.Deleted || change.ReadOnly == isInstance {
				t.Errorf("unexpected change %+v", change)
			}
		}
		var got xdr.ScVal
		decode(t, d.run(t, d.call("status"), d.otherAccount).Result, &got)
		if u, ok := got.GetU32(); !ok || uint32(u) != contract.StatusArchived {
			t.Errorf("status is %v", got)
		}
	})
	t.Run("RefusesNonAdmin", func(t *testing.T) {
		t.Parallel()
		d := deploy(t)
		fn := d.call("set_status", u32Val(contract.StatusArchived))
		// The recorded authorization requires the admin's signature, which is missing.
		r := d.request(t, fn, d.otherAccount, d.simulate(t, fn, d.otherAccount))
		r.Auth = nil
		res := d.invoke(t, r)
		if !strings.Contains(res.Error, "Error(Auth, InvalidAction)") || res.ErrorIsResource {
			t.Errorf("error %q, resource %t", res.Error, res.ErrorIsResource)
		}
		if len(res.Entries) != 0 || len(res.Events) != 0 || len(res.DiagnosticEvents) == 0 {
			t.Errorf("a failed call left %d entries, %d events, %d diagnostics",
				len(res.Entries), len(res.Events), len(res.DiagnosticEvents))
		}
	})
	t.Run("RefusesTooFewInstructions", func(t *testing.T) {
		t.Parallel()
		d := deploy(t)
		fn := d.call("tenant")
		sim := d.simulate(t, fn, d.otherAccount)
		r := d.request(t, fn, d.otherAccount, sim)
		resources := transactionData(t, sim.TransactionData).Resources
		resources.Instructions /= 2
		r.Resources = encode(t, resources)
		if res := d.invoke(t, r); !res.ErrorIsResource {
			t.Errorf("error %q is not one of resources", res.Error)
		}
	})
	t.Run("RestoresArchivedEntries", func(t *testing.T) {
		t.Parallel()
		d := deploy(t)
		d.expireEntry()
		fn := d.call("tenant")
		r := d.request(t, fn, d.otherAccount, d.simulate(t, fn, d.otherAccount))
		if len(r.RestoredRWIndices) != 2 {
			t.Fatalf("restores %v, want instance and code", r.RestoredRWIndices)
		}
		res := d.invoke(t, r)
		if res.Error != "" || res.RentFee <= 0 {
			t.Fatalf("error %q, rent fee %d", res.Error, res.RentFee)
		}
		for _, change := range res.Entries {
			if change.OldLiveUntil != 0 || change.NewLiveUntil != d.sequence+2_073_600-1 {
				t.Errorf("restored from %d to %d", change.OldLiveUntil, change.NewLiveUntil)
			}
		}
	})
	t.Run("RefusesEntriesOfAnotherFootprint", func(t *testing.T) {
		t.Parallel()
		d := deploy(t)
		fn := d.call("tenant")
		r := d.request(t, fn, d.otherAccount, d.simulate(t, fn, d.otherAccount))
		r.Entries = r.Entries[1:]
		if _, err := d.host.Invoke(t.Context(), d.lookup, r); err == nil {
			t.Error("no error")
		}
	})
}

func TestHost_Simulate(t *testing.T) {
	t.Parallel()
	t.Run("PredictsInvocation", func(t *testing.T) {
		t.Parallel()
		d := deploy(t)
		fn := d.call("set_status", u32Val(contract.StatusArchived))
		sim := d.simulate(t, fn, d.admin)
		res := d.invoke(t, d.request(t, fn, d.admin, sim))
		if string(sim.Result) != string(res.Result) || len(sim.Events) != len(res.Events) {
			t.Error("result or events differ")
		}
		// Within one percent, as the host documents; parsing, which validators have done
		// before, is never charged.
		if d := int64(res.CPUInstructions) - int64(sim.CPUInstructions); d*100 > int64(sim.CPUInstructions) || d*-20 > int64(sim.CPUInstructions) {
			t.Errorf("simulated %d instructions, took %d", sim.CPUInstructions, res.CPUInstructions)
		}
		if len(sim.Changes) != 1 || sim.Changes[0].Before == nil || sim.Changes[0].After == nil {
			t.Errorf("changes %+v", sim.Changes)
		}
	})
	t.Run("RecordsAuthorization", func(t *testing.T) {
		t.Parallel()
		d := deploy(t)
		fn := d.call("set_status", u32Val(contract.StatusArchived))
		for source, want := range map[*xdr.AccountId]xdr.SorobanCredentialsType{
			&d.admin:        xdr.SorobanCredentialsTypeSorobanCredentialsSourceAccount,
			&d.otherAccount: xdr.SorobanCredentialsTypeSorobanCredentialsAddress,
		} {
			sim := d.simulate(t, fn, *source)
			if len(sim.Auth) != 1 {
				t.Fatalf("%d authorizations", len(sim.Auth))
			}
			var auth xdr.SorobanAuthorizationEntry
			decode(t, sim.Auth[0], &auth)
			if auth.Credentials.Type != want {
				t.Errorf("credentials %v, want %v", auth.Credentials.Type, want)
			}
		}
	})
	t.Run("EnforcesAuthorization", func(t *testing.T) {
		t.Parallel()
		d := deploy(t)
		fn := d.call("set_status", u32Val(contract.StatusArchived))
		sim, err := d.host.Simulate(t.Context(), d.lookup, host.SimulateRequest{
			Ledger: d.now(), HostFunction: encode(t, fn), Source: encode(t, d.otherAccount), Auth: [][]byte{},
		})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(sim.Error, "Error(Auth, InvalidAction)") || sim.TransactionData != nil || len(sim.DiagnosticEvents) == 0 {
			t.Errorf("error %q, data %x", sim.Error, sim.TransactionData)
		}
	})
	t.Run("ReportsContractError", func(t *testing.T) {
		t.Parallel()
		d := deploy(t)
		seq := xdr.Uint64(5)
		fn := d.call("anchor", xdr.ScVal{Type: xdr.ScValTypeScvU64, U64: &seq}, bytesVal(d.tenant))
		d.run(t, fn, d.admin)
		// In the words of stellar-rpc, with the event log.
		sim := d.simulate(t, fn, d.admin)
		want := "HostError: Error(Contract, #7201)\n\nEvent log (newest first):\n   0: [Diagnostic Event] contract:"
		if !strings.HasPrefix(sim.Error, want) || !strings.Contains(sim.Error, "\n   1: [Diagnostic Event] topics:[fn_call, ") {
			t.Errorf("error %q", sim.Error)
		}
	})
	t.Run("PricesWithHostFormula", func(t *testing.T) {
		t.Parallel()
		d := deploy(t)
		sim := d.simulate(t, d.call("tenant"), d.otherAccount)
		data := transactionData(t, sim.TransactionData)
		if int64(data.ResourceFee) != sim.MinResourceFee {
			t.Errorf("resource fee %d, minimum %d", data.ResourceFee, sim.MinResourceFee)
		}
		fee, err := d.host.ResourceFee(t.Context(), d.lookup, host.ResourceFeeRequest{
			Ledger: d.now(), Resources: encode(t, data.Resources), TransactionSize: 500, EventsBytes: 50,
		})
		if err != nil {
			t.Fatal(err)
		}
		if total := fee.NonRefundable + fee.Refundable; fee.NonRefundable <= 0 || fee.Refundable <= 0 || total > sim.MinResourceFee {
			t.Errorf("fee %+v, simulated %d", fee, sim.MinResourceFee)
		}
	})
}

func TestHost_SimulateExtendTTL(t *testing.T) {
	t.Parallel()
	extend := func(t *testing.T, d deployed, ledgers uint32) host.SimulateResult {
		t.Helper()
		sim, err := d.host.SimulateExtendTTL(t.Context(), d.lookup, host.FootprintRequest{
			Ledger: d.now(), Keys: d.keys(t), ExtendTo: ledgers,
		})
		if err != nil || sim.Error != "" {
			t.Fatalf("%v, %s", err, sim.Error)
		}
		return sim
	}
	t.Run("ExtendsBothKeys", func(t *testing.T) {
		t.Parallel()
		sim := extend(t, deploy(t), 3_000_000)
		f := transactionData(t, sim.TransactionData).Resources.Footprint
		if len(f.ReadOnly) != 2 || len(f.ReadWrite) != 0 || sim.MinResourceFee <= 0 || sim.RestorePreamble != nil {
			t.Errorf("footprint %+v, fee %d", f, sim.MinResourceFee)
		}
	})
	t.Run("SkipsKeysThatLiveLonger", func(t *testing.T) {
		t.Parallel()
		sim := extend(t, deploy(t), 10)
		if f := transactionData(t, sim.TransactionData).Resources.Footprint; len(f.ReadOnly) != 0 {
			t.Errorf("footprint %+v", f)
		}
	})
	t.Run("RestoresArchivedKeysFirst", func(t *testing.T) {
		t.Parallel()
		d := deploy(t)
		d.expireEntry()
		sim := extend(t, d, 3_000_000)
		if sim.RestorePreamble == nil || sim.RestoreMinFee <= 0 {
			t.Errorf("no restoration, fee %d", sim.RestoreMinFee)
		}
	})
}

func TestHost_SimulateRestore(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	d.expireEntry()
	sim, err := d.host.SimulateRestore(t.Context(), d.lookup, host.FootprintRequest{Ledger: d.now(), Keys: d.keys(t)})
	if err != nil || sim.Error != "" {
		t.Fatalf("%v, %s", err, sim.Error)
	}
	if f := transactionData(t, sim.TransactionData).Resources.Footprint; len(f.ReadWrite) != 2 || sim.MinResourceFee <= 0 {
		t.Errorf("footprint %+v, fee %d", f, sim.MinResourceFee)
	}

	t.Run("RefusesMissingKeys", func(t *testing.T) {
		missing := encode(t, xdr.LedgerKey{Type: xdr.LedgerEntryTypeContractCode, ContractCode: &xdr.LedgerKeyContractCode{}})
		sim, err := d.host.SimulateRestore(t.Context(), d.lookup, host.FootprintRequest{Ledger: d.now(), Keys: [][]byte{missing}})
		if err != nil || !strings.Contains(sim.Error, "Missing entry to restore") {
			t.Errorf("%v, %q", err, sim.Error)
		}
	})
}

func TestHost_RentFee(t *testing.T) {
	t.Parallel()
	l := newLedger(t)
	fee := func(ledgers uint32) int64 {
		n, err := l.host.RentFee(t.Context(), l.lookup, l.now(), []host.RentChange{{
			IsPersistent: true, OldSize: 1000, NewSize: 1000,
			OldLiveUntil: l.sequence + 10, NewLiveUntil: l.sequence + 10 + ledgers,
		}})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if day, year := fee(17_280), fee(365*17_280); day <= 0 || year <= day {
		t.Errorf("a day costs %d, a year %d", day, year)
	}
}

func TestHost_Failures(t *testing.T) {
	t.Parallel()
	t.Run("ReturnsLookupError", func(t *testing.T) {
		t.Parallel()
		l := newLedger(t)
		boom := errors.New("boom")
		_, err := l.host.RentFee(t.Context(), func([]byte) ([]byte, *uint32, error) { return nil, nil, boom }, l.now(), nil)
		if !errors.Is(err, boom) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("SurvivesLookupPanic", func(t *testing.T) {
		t.Parallel()
		l := newLedger(t)
		for range 3 {
			_, err := l.host.RentFee(t.Context(), func([]byte) ([]byte, *uint32, error) { panic("boom") }, l.now(), nil)
			if err == nil || !strings.Contains(err.Error(), "boom") {
				t.Errorf("error %v", err)
			}
		}
		if _, err := l.host.RentFee(t.Context(), l.lookup, l.now(), nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("RequiresConfigSettings", func(t *testing.T) {
		t.Parallel()
		l := newLedger(t)
		_, err := l.host.RentFee(t.Context(), func([]byte) ([]byte, *uint32, error) { return nil, nil, nil }, l.now(), nil)
		if err == nil || !strings.Contains(err.Error(), "config settings") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("EndsWithContext", func(t *testing.T) {
		t.Parallel()
		d := deploy(t)
		ctx, cancel := context.WithCancel(t.Context())
		// Cancelled while it runs.
		_, err := d.host.Simulate(ctx, func(key []byte) ([]byte, *uint32, error) {
			cancel()
			return d.lookup(key)
		}, host.SimulateRequest{Ledger: d.now(), HostFunction: encode(t, d.call("tenant")), Source: encode(t, d.otherAccount)})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		d.run(t, d.call("tenant"), d.otherAccount)
	})
	t.Run("RefusesAfterClose", func(t *testing.T) {
		t.Parallel()
		h, err := host.New(t.Context(), host.Options{PoolSize: 1})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := h.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := h.RentFee(t.Context(), nil, host.Ledger{}, nil); err == nil {
			t.Error("no error")
		}
	})
}

func TestHost_ConcurrentCalls(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	want := d.simulate(t, d.call("tenant"), d.otherAccount)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				if got := d.simulate(t, d.call("tenant"), d.otherAccount); string(got.TransactionData) != string(want.TransactionData) {
					t.Error("a simulation differs from the first")
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkNew(b *testing.B) {
	start := func(b *testing.B, dir string) {
		h, err := host.New(b.Context(), host.Options{CacheDir: dir})
		if err != nil {
			b.Fatal(err)
		}
		if err := h.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("Cold", func(b *testing.B) {
		for b.Loop() {
			start(b, b.TempDir())
		}
	})
	b.Run("Cached", func(b *testing.B) {
		dir := b.TempDir()
		start(b, dir)
		for b.Loop() {
			start(b, dir)
		}
	})
}

func BenchmarkHost(b *testing.B) {
	d := deploy(b)
	fn := d.creation()
	fn.CreateContractV2.ContractIdPreimage.FromAddress.Salt = xdr.Uint256{2}
	r := d.request(b, fn, d.admin, d.simulate(b, fn, d.admin))
	b.Run("Simulate", func(b *testing.B) {
		for b.Loop() {
			d.simulate(b, fn, d.admin)
		}
	})
	b.Run("Invoke", func(b *testing.B) {
		for b.Loop() {
			if _, err := d.host.Invoke(b.Context(), d.lookup, r); err != nil {
				b.Fatal(err)
			}
		}
	})
}
