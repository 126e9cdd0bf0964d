package stellarnet_test

import (
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"
)

func TestSendTransaction_Rejections(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pay := []txnbuild.Operation{b.payment(b.account.Address(), "1")}
	unfunded := keypair.MustRandom()
	b.must(b.net.Fund(unfunded.Address(), 1*xlm+150))
	next := int64(b.accountEntry(b.account.Address()).SeqNum) + 1

	for name, c := range map[string]struct {
		tx   tx
		want xdr.TransactionResultCode
	}{
		"Expired":           {tx{maxTime: -time.Second, ops: pay}, xdr.TransactionResultCodeTxTooLate},
		"ExpiresTooSoon":    {tx{maxTime: time.Second, ops: pay}, xdr.TransactionResultCodeTxTooLate},
		"PastSequence":      {tx{seq: next - 1, ops: pay}, xdr.TransactionResultCodeTxBadSeq},
		"FutureSequence":    {tx{seq: next + 1, ops: pay}, xdr.TransactionResultCodeTxBadSeq},
		"WrongSigner":       {tx{ops: pay, signers: []*keypair.Full{keypair.MustRandom()}}, xdr.TransactionResultCodeTxBadAuth},
		"NoSignature":       {tx{ops: pay, signers: []*keypair.Full{}}, xdr.TransactionResultCodeTxBadAuth},
		"SuperfluousSigner": {tx{ops: pay, signers: []*keypair.Full{b.account, keypair.MustRandom()}}, xdr.TransactionResultCodeTxBadAuthExtra},
		"NoAccount":         {tx{source: keypair.MustRandom(), ops: pay}, xdr.TransactionResultCodeTxNoAccount},
		"FeeIntoReserve":    {tx{source: unfunded, fee: 200, ops: pay}, xdr.TransactionResultCodeTxInsufficientBalance},
		// The order of stellar-core's checks: time, fee, account, sequence number,
		// signature.
		"TimeBeforeSequence":      {tx{maxTime: -time.Second, seq: next + 5, ops: pay}, xdr.TransactionResultCodeTxTooLate},
		"SequenceBeforeSignature": {tx{seq: next + 5, ops: pay, signers: []*keypair.Full{}}, xdr.TransactionResultCodeTxBadSeq},
	} {
		t.Run(name, func(t *testing.T) {
			b := b.withT(t)
			b.wantRefused(b.build(c.tx), c.want)
		})
	}

	t.Run("FeeBelowMinimum", func(t *testing.T) {
		b := b.withT(t)
		env := b.build(tx{ops: pay}).ToXDR()
		env.V1.Tx.Fee = 99
		got := b.sendEnvelope(b.sign(env, b.account))
		if code := b.resultCode(got); code != xdr.TransactionResultCodeTxInsufficientFee {
			t.Fatalf("got %s %s", got.Status, code)
		}
	})

	t.Run("NoOperation", func(t *testing.T) {
		b := b.withT(t)
		env := b.build(tx{ops: pay}).ToXDR()
		env.V1.Tx.Operations = nil
		got := b.sendEnvelope(b.sign(env, b.account))
		if code := b.resultCode(got); code != xdr.TransactionResultCodeTxMissingOperation {
			t.Fatalf("got %s %s", got.Status, code)
		}
	})

	t.Run("UnsupportedOperation", func(t *testing.T) {
		b := b.withT(t)
		got := b.send(b.build(tx{ops: []txnbuild.Operation{&txnbuild.ManageData{Name: "a", Value: []byte("b")}}}))
		results, _ := b.result(got.ErrorResultXDR).OperationResults()
		if b.resultCode(got) != xdr.TransactionResultCodeTxFailed || results[0].Code != xdr.OperationResultCodeOpNotSupported {
			t.Fatalf("got %s %+v", b.resultCode(got), results)
		}
	})
}

func TestSendTransaction_Queue(t *testing.T) {
	t.Parallel()

	t.Run("SecondSendIsDuplicate", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		built := b.build(tx{ops: []txnbuild.Operation{b.payment(b.account.Address(), "1")}})
		b.wantStatus(b.send(built), "PENDING")
		b.wantStatus(b.send(built), "DUPLICATE")
		b.closeLedger()
		b.wantSuccess(b.getTransaction(built))
		// After it is applied, it is banned for some ledgers; later it is rejected for
		// its used sequence number.
		b.wantStatus(b.send(built), "TRY_AGAIN_LATER")
		for range 10 {
			b.closeLedger()
		}
		b.wantRefused(built, xdr.TransactionResultCodeTxBadSeq)
	})

	t.Run("OnePerSourceAccount", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		first := b.build(tx{ops: []txnbuild.Operation{b.payment(b.account.Address(), "1")}})
		rival := b.build(tx{ops: []txnbuild.Operation{b.payment(b.account.Address(), "2")}})
		b.wantStatus(b.send(first), "PENDING")
		b.wantStatus(b.send(rival), "TRY_AGAIN_LATER")
		b.closeLedger()
		b.wantRefused(rival, xdr.TransactionResultCodeTxBadSeq)
	})

	t.Run("SourcesShareLedger", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		var sent []*txnbuild.Transaction
		for range 5 {
			channel := keypair.MustRandom()
			b.must(b.net.Fund(channel.Address(), 10*xlm))
			built := b.build(tx{source: channel, ops: []txnbuild.Operation{b.payment(b.account.Address(), "1")}})
			b.wantStatus(b.send(built), "PENDING")
			sent = append(sent, built)
		}
		seq := b.closeLedger()
		for i, built := range sent {
			got := b.getTransaction(built)
			b.wantSuccess(got)
			if got.Ledger != seq || got.ApplicationOrder != int32(i+1) {
				t.Errorf("transaction %d is number %d of ledger %d", i, got.ApplicationOrder, got.Ledger)
			}
		}
	})

	t.Run("ExpiredIsDropped", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		built := b.build(tx{maxTime: 30 * time.Second, ops: []txnbuild.Operation{b.payment(b.account.Address(), "1")}})
		b.net.Faults().HoldQueue(true)
		b.wantStatus(b.send(built), "PENDING")
		b.closeLedger()
		if n := b.net.Faults().QueueSize(); n != 1 {
			t.Fatalf("%d transactions wait, want 1", n)
		}
		b.clock.Advance(31 * time.Second)
		b.net.Faults().HoldQueue(false)
		b.closeLedger()
		got := b.getTransaction(built)
		maxTime := built.Timebounds().MaxTime
		if got.Status != protocol.TransactionStatusNotFound || got.LatestLedgerCloseTime <= maxTime || got.OldestLedger != 1 {
			t.Fatalf("got %+v", got)
		}
		// A dropped transaction is banned for a while.
		b.wantStatus(b.send(built), "TRY_AGAIN_LATER")
		for range 11 {
			b.closeLedger()
		}
		b.wantRefused(built, xdr.TransactionResultCodeTxTooLate)
	})
}

func TestSendTransaction_Signatures(t *testing.T) {
	t.Parallel()

	t.Run("ChannelCarriesAnothersOperation", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		channel := keypair.MustRandom()
		b.must(b.net.Fund(channel.Address(), 10*xlm))
		op := &txnbuild.Payment{
			SourceAccount: b.account.Address(), Destination: channel.Address(), Amount: "1", Asset: txnbuild.NativeAsset{},
		}
		alone := b.send(b.build(tx{source: channel, ops: []txnbuild.Operation{op}}))
		results, _ := b.result(alone.ErrorResultXDR).OperationResults()
		if b.resultCode(alone) != xdr.TransactionResultCodeTxFailed || results[0].Code != xdr.OperationResultCodeOpBadAuth {
			t.Fatalf("channel's signature alone: %s %+v", b.resultCode(alone), results)
		}
		got := b.sendAndApply(b.build(tx{
			source: channel, ops: []txnbuild.Operation{op}, signers: []*keypair.Full{channel, b.account},
		}))
		b.wantSuccess(got)
		if acc := b.accountEntry(channel.Address()); acc.Balance != 11*xlm-100 {
			t.Errorf("channel has %d", acc.Balance)
		}
	})

	t.Run("ThresholdsAndSigners", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		second := keypair.MustRandom()
		weight := func(w uint8) *txnbuild.Threshold { v := txnbuild.Threshold(w); return &v }
		b.wantSuccess(b.sendAndApply(b.build(tx{ops: []txnbuild.Operation{&txnbuild.SetOptions{
			LowThreshold: weight(1), MediumThreshold: weight(2), HighThreshold: weight(2),
			Signer: &txnbuild.Signer{Address: second.Address(), Weight: 1},
		}}})))
		pay := []txnbuild.Operation{b.payment(b.account.Address(), "1")}
		one := b.send(b.build(tx{ops: pay}))
		results, _ := b.result(one.ErrorResultXDR).OperationResults()
		if results[0].Code != xdr.OperationResultCodeOpBadAuth {
			t.Fatalf("one of two signatures: %+v", results)
		}
		b.wantSuccess(b.sendAndApply(b.build(tx{ops: pay, signers: []*keypair.Full{second, b.account}})))
		if acc := b.accountEntry(b.account.Address()); acc.NumSubEntries != 1 || len(acc.Signers) != 1 {
			t.Errorf("account: %+v", acc)
		}
	})

	t.Run("BumpSequence", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		target := int64(b.accountEntry(b.account.Address()).SeqNum) + 100
		b.wantSuccess(b.sendAndApply(b.build(tx{ops: []txnbuild.Operation{&txnbuild.BumpSequence{BumpTo: target}}})))
		if acc := b.accountEntry(b.account.Address()); int64(acc.SeqNum) != target {
			t.Errorf("sequence %d, want %d", acc.SeqNum, target)
		}
	})
}
