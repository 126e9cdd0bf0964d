package stellarnet_test

import (
	"crypto/sha256"
	"testing"

	"github.com/stellar/go-stellar-sdk/keypair"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
)

func TestSoroban_Deploy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := b.accountEntry(b.account.Address()).Balance

	uploaded := b.runSoroban(upload(), nil)
	b.wantSuccess(uploaded)
	created := b.runSoroban(b.create(1), nil)
	b.wantSuccess(created)
	id := b.contractID(1)

	t.Run("ReadsBack", func(t *testing.T) {
		b := b.withT(t)
		entries := b.entries(codeKey(), instanceKey(id), instanceKey(b.contractID(2)))
		if len(entries) != 2 {
			t.Fatalf("got %d entries, want code and instance", len(entries))
		}
		for _, entry := range entries {
			if entry.LiveUntilLedgerSeq == nil || *entry.LiveUntilLedgerSeq < created.Ledger+100_000 {
				t.Errorf("live until %v", entry.LiveUntilLedgerSeq)
			}
		}
		instance := b.decode(entries[1]).ContractData.Val.MustInstance()
		if *instance.Executable.WasmHash != contract.Hash() {
			t.Errorf("wasm hash %x", *instance.Executable.WasmHash)
		}
	})

	t.Run("GetterBySimulation", func(t *testing.T) {
		b := b.withT(t)
		if got := b.simulateCall(id, "tenant"); string(got.MustBytes()) != string(tenantHash[:]) {
			t.Errorf("tenant is %v", got)
		}
	})

	t.Run("MetaIsComplete", func(t *testing.T) {
		b := b.withT(t)
		meta := b.meta(created)
		if value := meta.SorobanMeta.ReturnValue; value == nil || value.MustAddress().MustContractId() != id {
			t.Errorf("return value %v", value)
		}
		image := xdr.InvokeHostFunctionSuccessPreImage{
			ReturnValue: *meta.SorobanMeta.ReturnValue, Events: meta.Operations[0].Events,
		}
		raw, err := image.MarshalBinary()
		b.must(err)
		results, _ := b.result(created.ResultXDR).OperationResults()
		if want := sha256.Sum256(raw); results[0].MustTr().MustInvokeHostFunctionResult().MustSuccess() != want {
			t.Error("the result is not the hash of return value and events")
		}
		kinds := map[xdr.LedgerEntryType]int{}
		for _, change := range meta.Operations[0].Changes {
			if change.Type == xdr.LedgerEntryChangeTypeLedgerEntryCreated {
				kinds[change.Created.Data.Type]++
			}
		}
		if kinds[xdr.LedgerEntryTypeContractData] != 1 || kinds[xdr.LedgerEntryTypeTtl] != 1 {
			t.Errorf("created %v, want an instance and its TTL", kinds)
		}
	})

	t.Run("RefundsUnusedFee", func(t *testing.T) {
		b := b.withT(t)
		var charged xdr.Int64
		for _, got := range []protocol.GetTransactionResponse{uploaded, created} {
			fees := b.meta(got).SorobanMeta.Ext.V1
			result := b.result(got.ResultXDR)
			want := 100 + fees.TotalNonRefundableResourceFeeCharged + fees.TotalRefundableResourceFeeCharged
			if result.FeeCharged != want || fees.RentFeeCharged == 0 {
				t.Errorf("charged %d, want %d: %+v", result.FeeCharged, want, fees)
			}
			var env xdr.TransactionEnvelope
			b.must(xdr.SafeUnmarshalBase64(got.EnvelopeXDR, &env))
			if result.FeeCharged >= xdr.Int64(env.Fee()) {
				t.Errorf("charged all of %d", env.Fee())
			}
			charged += result.FeeCharged
		}
		if after := b.accountEntry(b.account.Address()).Balance; before-after != charged {
			t.Errorf("balance fell by %d, charged %d", before-after, charged)
		}
	})

	t.Run("SecondCreateFailsInSimulation", func(t *testing.T) {
		b := b.withT(t)
		sim := b.simulate(b.build(tx{ops: []txnbuild.Operation{b.create(1)}}).ToXDR())
		if sim.Error == "" || sim.LatestLedger == 0 || len(sim.EventsXDR) == 0 {
			t.Errorf("got %+v", sim)
		}
	})
}

func TestSoroban_Invoke(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.deploy(1)
	archived := xdr.Uint32(contract.StatusArchived)
	status := xdr.ScVal{Type: xdr.ScValTypeScvU32, U32: &archived}

	t.Run("ChangesState", func(t *testing.T) {
		b := b.withT(t)
		got := b.runSoroban(b.call(id, "set_status", status), nil)
		b.wantSuccess(got)
		if value := b.simulateCall(id, "status"); value.MustU32() != archived {
			t.Errorf("status is %v", value)
		}
		if events := b.meta(got).Operations[0].Events; len(events) != 1 {
			t.Errorf("%d events, want one", len(events))
		}
		if len(got.Events.ContractEventsXDR) != 1 || len(got.Events.TransactionEventsXDR) != 2 {
			t.Errorf("events: %+v", got.Events)
		}
	})

	t.Run("FailureChargesNonRefundableFee", func(t *testing.T) {
		b := b.withT(t)
		s := b.assemble(tx{ops: []txnbuild.Operation{b.call(id, "set_status", status)}}, nil)
		s.env.V1.Tx.Operations[0].Body.InvokeHostFunctionOp.Auth = nil
		got := b.runEnvelope(b.sign(s.env, b.account))
		results, _ := b.result(got.ResultXDR).OperationResults()
		if got.Status != protocol.TransactionStatusFailed ||
			results[0].MustTr().MustInvokeHostFunctionResult().Code != xdr.InvokeHostFunctionResultCodeInvokeHostFunctionTrapped {
			t.Fatalf("got %s: %s", got.Status, b.diagnosticsOf(got))
		}
		fees := b.meta(got).SorobanMeta.Ext.V1
		if charged := b.result(got.ResultXDR).FeeCharged; charged != 100+fees.TotalNonRefundableResourceFeeCharged ||
			fees.TotalRefundableResourceFeeCharged != 0 {
			t.Errorf("charged %d: %+v", charged, fees)
		}
	})

	t.Run("RefusesTooLittleResourceFee", func(t *testing.T) {
		b := b.withT(t)
		s := b.assemble(tx{ops: []txnbuild.Operation{b.call(id, "set_status", status)}}, nil)
		s.env.V1.Tx.Ext.SorobanData.ResourceFee = 10
		got := b.sendEnvelope(b.sign(s.env, b.account))
		if b.resultCode(got) != xdr.TransactionResultCodeTxSorobanInvalid || len(got.DiagnosticEventsXDR) == 0 {
			t.Fatalf("got %s %s", got.Status, b.resultCode(got))
		}
	})

	t.Run("RefusesTooLittleInclusionFee", func(t *testing.T) {
		b := b.withT(t)
		s := b.assemble(tx{ops: []txnbuild.Operation{b.call(id, "set_status", status)}}, nil)
		s.env.V1.Tx.Fee -= 1
		got := b.sendEnvelope(b.sign(s.env, b.account))
		if b.resultCode(got) != xdr.TransactionResultCodeTxInsufficientFee {
			t.Fatalf("got %s %s", got.Status, b.resultCode(got))
		}
	})

	t.Run("RefusesTooManyInstructions", func(t *testing.T) {
		b := b.withT(t)
		s := b.assemble(tx{ops: []txnbuild.Operation{b.call(id, "set_status", status)}}, nil)
		s.env.V1.Tx.Ext.SorobanData.Resources.Instructions = 4_000_000_000
		got := b.sendEnvelope(b.sign(s.env, b.account))
		if b.resultCode(got) != xdr.TransactionResultCodeTxSorobanInvalid {
			t.Fatalf("got %s %s", got.Status, b.resultCode(got))
		}
	})

	t.Run("FailsBeyondDeclaredInstructions", func(t *testing.T) {
		b := b.withT(t)
		s := b.assemble(tx{ops: []txnbuild.Operation{b.call(id, "set_status", status)}}, nil)
		s.env.V1.Tx.Ext.SorobanData.Resources.Instructions /= 10
		got := b.runEnvelope(b.sign(s.env, b.account))
		results, _ := b.result(got.ResultXDR).OperationResults()
		if code := results[0].MustTr().MustInvokeHostFunctionResult().Code; code != xdr.InvokeHostFunctionResultCodeInvokeHostFunctionResourceLimitExceeded {
			t.Fatalf("got %s", code)
		}
	})

	t.Run("FailsWithoutRefundableFee", func(t *testing.T) {
		b := b.withT(t)
		s := b.assemble(tx{ops: []txnbuild.Operation{b.create(9)}}, nil)
		s.env.V1.Tx.Ext.SorobanData.ResourceFee -= xdr.Int64(s.sim.MinResourceFee * 8 / 10)
		sent := b.sendEnvelope(b.sign(s.env, b.account))
		if sent.Status == "PENDING" {
			b.closeLedger()
			got, err := b.client.GetTransaction(b.ctx, protocol.GetTransactionRequest{Hash: sent.Hash})
			b.must(err)
			results, _ := b.result(got.ResultXDR).OperationResults()
			if code := results[0].MustTr().MustInvokeHostFunctionResult().Code; code != xdr.InvokeHostFunctionResultCodeInvokeHostFunctionInsufficientRefundableFee {
				t.Fatalf("got %s", code)
			}
			return
		}
		t.Fatalf("got %s %s", sent.Status, b.resultCode(sent))
	})

	t.Run("ThroughChannelAccount", func(t *testing.T) {
		b := b.withT(t)
		channel := keypair.MustRandom()
		b.must(b.net.Fund(channel.Address(), 100*xlm))
		s := b.assemble(tx{source: channel, ops: []txnbuild.Operation{b.create(3)}}, nil)
		if code := b.resultCode(b.sendEnvelope(b.sign(s.env, channel))); code != xdr.TransactionResultCodeTxFailed {
			t.Fatalf("without the deployer's signature: %s", code)
		}
		b.wantSuccess(b.runEnvelope(b.sign(s.env, channel, b.account)))
		if len(b.entries(instanceKey(b.contractID(3)))) != 1 {
			t.Error("there is no contract")
		}
	})
}

func TestSoroban_TTL(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.deploy(1)
	keys := []xdr.LedgerKey{codeKey(), instanceKey(id)}

	t.Run("Extend", func(t *testing.T) {
		b := b.withT(t)
		s := b.assemble(tx{ops: []txnbuild.Operation{&txnbuild.ExtendFootprintTtl{ExtendTo: 3_000_000}}}, footprint(keys, nil))
		got := b.runEnvelope(b.sign(s.env, b.account))
		b.wantSuccess(got)
		for _, entry := range b.entries(keys...) {
			if *entry.LiveUntilLedgerSeq != got.Ledger+3_000_000 {
				t.Errorf("live until %d, want %d", *entry.LiveUntilLedgerSeq, got.Ledger+3_000_000)
			}
		}
		// The host's simulation adds a margin to the rent, of 15 %; without the
		// memory of the parsed code the rent would be far below that.
		fees := b.meta(got).SorobanMeta.Ext.V1
		refundable := xdr.Int64(s.sim.MinResourceFee) - fees.TotalNonRefundableResourceFeeCharged
		if refundable < fees.RentFeeCharged*114/100 || refundable > fees.RentFeeCharged*116/100 {
			t.Errorf("simulation found %d for a rent of %d", refundable, fees.RentFeeCharged)
		}
	})

	t.Run("ExtendBeyondMaximum", func(t *testing.T) {
		b := b.withT(t)
		data := footprint(keys, nil)
		data.ResourceFee = 1_000_000
		env := b.build(tx{ops: []txnbuild.Operation{&txnbuild.ExtendFootprintTtl{ExtendTo: 1 << 31}}}).ToXDR()
		env.V1.Tx.Ext, env.V1.Tx.Fee = xdr.TransactionExt{V: 1, SorobanData: data}, 1_000_100
		got := b.sendEnvelope(b.sign(env, b.account))
		results, _ := b.result(got.ErrorResultXDR).OperationResults()
		if len(results) != 1 || results[0].MustTr().MustExtendFootprintTtlResult().Code != xdr.ExtendFootprintTtlResultCodeExtendFootprintTtlMalformed {
			t.Fatalf("got %s %s", got.Status, b.resultCode(got))
		}
	})
}

func TestSoroban_ArchivesAndRestoresEntries(t *testing.T) {
	t.Parallel()
	active := xdr.Uint32(contract.StatusActive)
	status := xdr.ScVal{Type: xdr.ScValTypeScvU32, U32: &active}
	archivedBundle := func(t *testing.T) (*fixture, xdr.ContractId) {
		b := setup(t)
		id := b.deploy(1)
		b.must(b.net.Faults().ExpireContract(contractAddress(id)))
		return b, id
	}

	t.Run("IsReturnedWithoutLifetime", func(t *testing.T) {
		t.Parallel()
		b, id := archivedBundle(t)
		entries := b.entries(instanceKey(id))
		if len(entries) != 1 || entries[0].LiveUntilLedgerSeq == nil || *entries[0].LiveUntilLedgerSeq != 0 {
			t.Fatalf("got %+v", entries)
		}
	})

	t.Run("FailsInvocation", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		id := b.deploy(1)
		s := b.assemble(tx{ops: []txnbuild.Operation{b.call(id, "set_status", status)}}, nil)
		b.must(b.net.Faults().ExpireContract(contractAddress(id)))
		got := b.runEnvelope(b.sign(s.env, b.account))
		results, _ := b.result(got.ResultXDR).OperationResults()
		if code := results[0].MustTr().MustInvokeHostFunctionResult().Code; code != xdr.InvokeHostFunctionResultCodeInvokeHostFunctionEntryArchived {
			t.Fatalf("got %s", code)
		}
	})

	t.Run("RestoresByFootprint", func(t *testing.T) {
		t.Parallel()
		b, id := archivedBundle(t)
		got := b.runSoroban(&txnbuild.RestoreFootprint{}, footprint(nil, []xdr.LedgerKey{instanceKey(id)}))
		b.wantSuccess(got)
		entry := b.entries(instanceKey(id))[0]
		if *entry.LiveUntilLedgerSeq != got.Ledger+2_073_600-1 {
			t.Errorf("live until %d", *entry.LiveUntilLedgerSeq)
		}
		restored := 0
		for _, change := range b.meta(got).Operations[0].Changes {
			if change.Type == xdr.LedgerEntryChangeTypeLedgerEntryRestored {
				restored++
			}
		}
		if restored != 2 {
			t.Errorf("%d restored changes, want entry and TTL", restored)
		}
		b.simulateCall(id, "status")
	})

	t.Run("InvocationRestoresEntries", func(t *testing.T) {
		t.Parallel()
		b, id := archivedBundle(t)
		b.must(b.net.Faults().ExpireEntry(codeKey()))
		s := b.assemble(tx{ops: []txnbuild.Operation{b.call(id, "set_status", status)}}, nil)
		if ext := s.env.V1.Tx.Ext.SorobanData.Ext.ResourceExt; ext == nil || len(ext.ArchivedSorobanEntries) != 2 {
			t.Fatalf("simulation marks %+v for restoring, want two entries", ext)
		}
		b.wantSuccess(b.runEnvelope(b.sign(s.env, b.account)))
		for _, entry := range b.entries(codeKey(), instanceKey(id)) {
			if *entry.LiveUntilLedgerSeq == 0 {
				t.Errorf("still archived: %+v", entry)
			}
		}
	})

	t.Run("ExtendRequiresRestore", func(t *testing.T) {
		t.Parallel()
		b, id := archivedBundle(t)
		env := b.build(tx{ops: []txnbuild.Operation{&txnbuild.ExtendFootprintTtl{ExtendTo: 3_000_000}}}).ToXDR()
		env.V1.Tx.Ext = xdr.TransactionExt{V: 1, SorobanData: footprint([]xdr.LedgerKey{instanceKey(id)}, nil)}
		sim := b.simulate(env)
		if sim.Error == "" && (sim.RestorePreamble == nil || sim.RestorePreamble.MinResourceFee == 0) {
			t.Fatalf("got %+v", sim)
		}
	})
}
