package stellarnet_test

import (
	"testing"

	"github.com/creachadair/jrpc2"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
)

// bump wraps a transaction in a fee bump that another account pays, for a fee in
// stroops.
func (b *fixture) bump(inner xdr.TransactionEnvelope, fee int64, payer *keypair.Full, signers ...*keypair.Full) xdr.TransactionEnvelope {
	b.t.Helper()
	id := xdr.MustAddress(payer.Address())
	tx := xdr.FeeBumpTransaction{
		FeeSource: id.ToMuxedAccount(), Fee: xdr.Int64(fee),
		InnerTx: xdr.FeeBumpTransactionInnerTx{Type: xdr.EnvelopeTypeEnvelopeTypeTx, V1: inner.V1},
	}
	hash, err := network.HashFeeBumpTransaction(tx, b.net.Passphrase())
	b.must(err)
	if signers == nil {
		signers = []*keypair.Full{payer}
	}
	env := &xdr.FeeBumpTransactionEnvelope{Tx: tx}
	for _, signer := range signers {
		signature, err := signer.SignDecorated(hash[:])
		b.must(err)
		env.Signatures = append(env.Signatures, signature)
	}
	return xdr.TransactionEnvelope{Type: xdr.EnvelopeTypeEnvelopeTypeTxFeeBump, FeeBump: env}
}

func (b *fixture) payer() *keypair.Full {
	b.t.Helper()
	payer := keypair.MustRandom()
	b.must(b.net.Fund(payer.Address(), 1000*xlm))
	return payer
}

func (b *fixture) getByHash(hash string) protocol.GetTransactionResponse {
	b.t.Helper()
	got, err := b.client.GetTransaction(b.ctx, protocol.GetTransactionRequest{Hash: hash})
	b.must(err)
	return got
}

func TestFeeBump_AppliesInnerTransaction(t *testing.T) {
	t.Parallel()
	b := setup(t)
	payer := b.payer()
	inner := b.build(tx{ops: []txnbuild.Operation{b.payment(payer.Address(), "2")}})
	before := b.accountEntry(b.account.Address())
	got := b.runEnvelope(b.bump(inner.ToXDR(), 5000, payer))
	b.wantSuccess(got)
	innerHash, err := inner.HashHex(b.net.Passphrase())
	b.must(err)

	t.Run("FeeSourcePays", func(t *testing.T) {
		b := b.withT(t)
		source, paying := b.accountEntry(b.account.Address()), b.accountEntry(payer.Address())
		if source.Balance != before.Balance-2*xlm || source.SeqNum != before.SeqNum+1 {
			t.Errorf("source from %d/%d to %d/%d", before.Balance, before.SeqNum, source.Balance, source.SeqNum)
		}
		// The base fee for two operations: the payment and the fee bump.
		if paying.Balance != 1002*xlm-200 {
			t.Errorf("the payer has %d", paying.Balance)
		}
	})

	t.Run("ResultAndMeta", func(t *testing.T) {
		b := b.withT(t)
		result := b.result(got.ResultXDR)
		pair, ok := result.Result.GetInnerResultPair()
		if !ok || result.Result.Code != xdr.TransactionResultCodeTxFeeBumpInnerSuccess || result.FeeCharged != 200 ||
			pair.TransactionHash.HexString() != innerHash || pair.Result.FeeCharged != 0 ||
			pair.Result.Result.Code != xdr.TransactionResultCodeTxSuccess || len(pair.Result.Result.MustResults()) != 1 {
			t.Errorf("result %+v", result)
		}
		meta := b.meta(got)
		fee := meta.Events[0].Event.Body.MustV0()
		if len(meta.TxChangesBefore) != 4 || len(meta.Operations) != 1 || fee.Topics[1].MustAddress().AccountId.Address() != payer.Address() {
			t.Errorf("meta %+v", meta)
		}
	})

	t.Run("FoundByBothHashes", func(t *testing.T) {
		b := b.withT(t)
		byInner := b.getByHash(innerHash)
		if !got.FeeBump || !byInner.FeeBump || byInner.TransactionHash != innerHash || byInner.EnvelopeXDR != got.EnvelopeXDR || got.TransactionHash == innerHash {
			t.Errorf("by outer %+v, by inner %+v", got.TransactionDetails, byInner.TransactionDetails)
		}
		listed, err := b.client.GetTransactions(b.ctx, protocol.GetTransactionsRequest{StartLedger: got.Ledger})
		b.must(err)
		if len(listed.Transactions) != 1 || listed.Transactions[0].TransactionHash != got.TransactionHash {
			t.Errorf("listed %+v", listed.Transactions)
		}
	})

	t.Run("InnerFailureIsCharged", func(t *testing.T) {
		b := b.withT(t)
		inner := b.build(tx{ops: []txnbuild.Operation{b.payment(keypair.MustRandom().Address(), "1")}})
		got := b.runEnvelope(b.bump(inner.ToXDR(), 1000, payer))
		result := b.result(got.ResultXDR)
		pair, _ := result.Result.GetInnerResultPair()
		if got.Status != protocol.TransactionStatusFailed || result.Result.Code != xdr.TransactionResultCodeTxFeeBumpInnerFailed ||
			result.FeeCharged != 200 || pair.Result.Result.Code != xdr.TransactionResultCodeTxFailed ||
			pair.Result.Result.MustResults()[0].MustTr().MustPaymentResult().Code != xdr.PaymentResultCodePaymentNoDestination {
			t.Errorf("result %+v", result)
		}
	})
}

func TestFeeBump_ChargesOuterAccountForContract(t *testing.T) {
	t.Parallel()
	b := setup(t)
	payer := b.payer()
	id := b.deploy(1)
	status := xdr.Uint32(contract.StatusArchived)
	s := b.assemble(tx{ops: []txnbuild.Operation{
		b.call(id, "set_status", xdr.ScVal{Type: xdr.ScValTypeScvU32, U32: &status}),
	}}, nil)
	// The inner transaction bids nothing for its place; the fee bump does.
	resourceFee := int64(s.env.V1.Tx.Ext.SorobanData.ResourceFee)
	s.env.V1.Tx.Fee = 0
	before := b.accountEntry(payer.Address()).Balance
	got := b.runEnvelope(b.bump(b.sign(s.env, b.account), resourceFee+1000, payer))
	b.wantSuccess(got)
	fees, result := b.meta(got).SorobanMeta.Ext.V1, b.result(got.ResultXDR)
	if want := 200 + fees.TotalNonRefundableResourceFeeCharged + fees.TotalRefundableResourceFeeCharged; result.FeeCharged != want || int64(want) >= resourceFee+1000 {
		t.Errorf("charged %d, want %d", result.FeeCharged, want)
	}
	if after := b.accountEntry(payer.Address()).Balance; before-after != result.FeeCharged {
		t.Errorf("the payer lost %d, want %d", before-after, result.FeeCharged)
	}
}

func TestFeeBump_Rejections(t *testing.T) {
	t.Parallel()
	b := setup(t)
	payer, unfunded := b.payer(), keypair.MustRandom()
	b.must(b.net.Fund(unfunded.Address(), 1*xlm+100))
	pay := tx{fee: 1000, ops: []txnbuild.Operation{b.payment(b.account.Address(), "1")}}
	inner := b.build(pay).ToXDR()
	for name, c := range map[string]struct {
		env  xdr.TransactionEnvelope
		code xdr.TransactionResultCode
		fee  xdr.Int64
	}{
		"BelowTheMinimum":    {b.bump(inner, 199, payer), xdr.TransactionResultCodeTxInsufficientFee, 200},
		"BelowTheInnerRate":  {b.bump(inner, 1999, payer), xdr.TransactionResultCodeTxInsufficientFee, 2000},
		"NoPayer":            {b.bump(inner, 5000, keypair.MustRandom()), xdr.TransactionResultCodeTxNoAccount, 200},
		"NotSignedByPayer":   {b.bump(inner, 5000, payer, b.account), xdr.TransactionResultCodeTxBadAuth, 200},
		"SuperfluousSigner":  {b.bump(inner, 5000, payer, payer, b.account), xdr.TransactionResultCodeTxBadAuthExtra, 200},
		"PayerTooPoor":       {b.bump(inner, 5000, unfunded), xdr.TransactionResultCodeTxInsufficientBalance, 200},
		"NegativeFee":        {b.bump(inner, -1, payer), xdr.TransactionResultCodeTxMalformed, 0},
		"PayerBeforeNumbers": {b.bump(b.build(tx{seq: 7, ops: pay.ops}).ToXDR(), 5000, keypair.MustRandom()), xdr.TransactionResultCodeTxNoAccount, 200},
	} {
		t.Run(name, func(t *testing.T) {
			b := b.withT(t)
			got := b.sendEnvelope(c.env)
			if code := b.resultCode(got); got.Status != "ERROR" || code != c.code || b.result(got.ErrorResultXDR).FeeCharged != c.fee {
				t.Errorf("got %s %s: %+v", got.Status, code, b.result(got.ErrorResultXDR))
			}
		})
	}
	t.Run("InnerNumber", func(t *testing.T) {
		b := b.withT(t)
		got := b.sendEnvelope(b.bump(b.build(tx{seq: 7, ops: pay.ops}).ToXDR(), 5000, payer))
		pair, ok := b.result(got.ErrorResultXDR).Result.GetInnerResultPair()
		if !ok || b.resultCode(got) != xdr.TransactionResultCodeTxFeeBumpInnerFailed || pair.Result.Result.Code != xdr.TransactionResultCodeTxBadSeq {
			t.Errorf("got %s %s", got.Status, b.resultCode(got))
		}
	})
	t.Run("NotAnEnvelope", func(t *testing.T) {
		b := b.withT(t)
		_, err := b.client.SendTransaction(b.ctx, protocol.SendTransactionRequest{Transaction: "AAAABQ=="})
		b.wantRPCError(err, jrpc2.InvalidParams, "invalid_xdr")
	})
}

func TestFeeBump_ReplacesQueuedTransaction(t *testing.T) {
	t.Parallel()
	b := setup(t)
	payer := b.payer()
	pay := []txnbuild.Operation{b.payment(b.account.Address(), "1")}
	waiting := b.build(tx{fee: 200, ops: pay})
	b.wantStatus(b.send(waiting), "PENDING")

	// Ten times 200 for each of the two operations.
	low := b.bump(waiting.ToXDR(), 3999, payer)
	got := b.sendEnvelope(low)
	if b.resultCode(got) != xdr.TransactionResultCodeTxInsufficientFee || b.result(got.ErrorResultXDR).FeeCharged != 4000 {
		t.Errorf("too low a bump: %s %+v", got.Status, b.result(got.ErrorResultXDR))
	}
	later := b.build(tx{seq: waiting.SequenceNumber() + 1, fee: 200, ops: pay})
	b.wantStatus(b.sendEnvelope(b.bump(later.ToXDR(), 9000, payer)), "TRY_AGAIN_LATER")
	b.wantStatus(b.send(b.build(tx{fee: 100_000, ops: pay})), "TRY_AGAIN_LATER")

	sent := b.sendEnvelope(b.bump(waiting.ToXDR(), 4000, payer))
	b.wantStatus(sent, "PENDING")
	b.wantStatus(b.send(waiting), "DUPLICATE")
	b.wantStatus(b.sendEnvelope(b.bump(waiting.ToXDR(), 4000, payer)), "DUPLICATE")
	if n := b.net.Faults().QueueSize(); n != 1 {
		t.Fatalf("%d transactions wait, want 1", n)
	}
	b.closeLedger()
	b.wantSuccess(b.getByHash(sent.Hash))
	b.wantSuccess(b.getTransaction(waiting))
}

func TestFeeBump_PayerCoversAllQueuedFees(t *testing.T) {
	t.Parallel()
	b := setup(t)
	unfunded, other := keypair.MustRandom(), b.payer()
	b.must(b.net.Fund(unfunded.Address(), 1*xlm+1000))
	for i, source := range []*keypair.Full{b.account, other} {
		inner := b.build(tx{source: source, ops: []txnbuild.Operation{b.payment(b.account.Address(), "1")}})
		got := b.sendEnvelope(b.bump(inner.ToXDR(), 600, unfunded))
		if i == 0 {
			b.wantStatus(got, "PENDING")
		} else if b.resultCode(got) != xdr.TransactionResultCodeTxInsufficientBalance {
			t.Errorf("the second: %s %s", got.Status, b.resultCode(got))
		}
	}
}
