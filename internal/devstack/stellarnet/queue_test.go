package stellarnet_test

import (
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
)

// bidderAccount is an account that calls the same contract as the others, with a separate
// fee.
type bidderAccount struct {
	b    *fixture
	id   xdr.ContractId
	from *keypair.Full
}

func (b *fixture) newBidders(count int) []bidderAccount {
	b.t.Helper()
	id := b.deploy(1)
	out := make([]bidderAccount, count)
	for i := range out {
		out[i] = bidderAccount{b: b, id: id, from: b.payer()}
	}
	return out
}

// bid sends a call with an inclusion fee and returns the response and the full fee.
func (d bidderAccount) bid(inclusion int64) (protocol.SendTransactionResponse, int64) {
	d.b.t.Helper()
	status := xdr.Uint32(contract.StatusArchived)
	call := d.b.call(d.id, "set_status", xdr.ScVal{Type: xdr.ScValTypeScvU32, U32: &status})
	call.SourceAccount = d.b.account.Address()
	s := d.b.assemble(tx{source: d.from, maxTime: time.Hour, ops: []txnbuild.Operation{call}}, nil)
	s.env.V1.Tx.Fee = s.env.V1.Tx.Fee - 100 + xdr.Uint32(inclusion)
	return d.b.sendEnvelope(d.b.sign(s.env, d.from, d.b.account)), int64(s.env.V1.Tx.Fee)
}

func TestFaults_CapacityLimitsContractTransactions(t *testing.T) {
	t.Parallel()

	t.Run("HighestBidsPayLowestIncludedBid", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		d := b.newBidders(4)
		b.net.Faults().Capacity(2)
		var hashes []string
		for i, inclusion := range []int64{100, 900, 400, 100} {
			sent, _ := d[i].bid(inclusion)
			b.wantStatus(sent, "PENDING")
			hashes = append(hashes, sent.Hash)
		}
		seq := b.closeLedger()
		for i, want := range []uint32{0, seq, seq, 0} {
			if got := b.getByHash(hashes[i]); got.Ledger != want {
				t.Errorf("bid %d is in ledger %d, want %d", i, got.Ledger, want)
			}
		}
		stats, err := b.client.GetFeeStats(b.ctx)
		b.must(err)
		if fees := stats.SorobanInclusionFee; fees.Max != 400 || fees.P90 != 400 || fees.Min != 100 {
			t.Errorf("fee stats %+v", fees)
		}
		b.closeLedger()
		if got := b.getByHash(hashes[0]); b.result(got.ResultXDR).FeeCharged != inclusionOf(b, got)+100 {
			t.Errorf("with room for all it was charged %d", b.result(got.ResultXDR).FeeCharged)
		}
	})

	t.Run("FullQueueRequiresHigherBid", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		d := b.newBidders(4)
		b.net.Faults().Capacity(1)
		lowBidder, _ := d[0].bid(200)
		b.wantStatus(lowBidder, "PENDING")
		highBidder, _ := d[1].bid(500)
		b.wantStatus(highBidder, "PENDING")

		refused, fee := d[2].bid(200)
		if b.resultCode(refused) != xdr.TransactionResultCodeTxInsufficientFee ||
			int64(b.result(refused.ErrorResultXDR).FeeCharged) != fee-200+201 {
			t.Fatalf("an equal bid: %s %+v", refused.Status, b.result(refused.ErrorResultXDR))
		}
		better, _ := d[2].bid(201)
		b.wantStatus(better, "PENDING")
		if n := b.net.Faults().QueueSize(); n != 2 {
			t.Fatalf("%d transactions wait, want 2", n)
		}
		again, fee := d[3].bid(150)
		if int64(b.result(again.ErrorResultXDR).FeeCharged) != fee-150+201 { // The bid must be above the evicted one.
			t.Errorf("a low bid after that: %+v", b.result(again.ErrorResultXDR))
		}
		b.closeLedger()
		b.closeLedger()
		for hash, want := range map[string]string{
			lowBidder.Hash: protocol.TransactionStatusNotFound, highBidder.Hash: protocol.TransactionStatusSuccess, better.Hash: protocol.TransactionStatusSuccess,
		} {
			if got := b.getByHash(hash); got.Status != want {
				t.Errorf("%s is %s, want %s", hash, got.Status, want)
			}
		}
	})

	t.Run("DroppedAfterFourLedgers", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		d := b.newBidders(6)
		b.net.Faults().Capacity(1)
		evicted, _ := d[0].bid(100)
		b.wantStatus(evicted, "PENDING")
		for i := range 4 {
			winner, _ := d[1+i].bid(1000)
			b.wantStatus(winner, "PENDING")
			b.closeLedger()
		}
		if n := b.net.Faults().QueueSize(); n != 0 {
			t.Fatalf("%d transactions wait, want none", n)
		}
		b.net.Faults().Capacity(0)
		b.closeLedger()
		if got := b.getByHash(evicted.Hash); got.Status != protocol.TransactionStatusNotFound {
			t.Errorf("the loser is %s", got.Status)
		}
	})

	t.Run("ResetEndsIt", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		d := b.newBidders(2)
		b.net.Faults().Capacity(1)
		b.net.Faults().Reset()
		one, _ := d[0].bid(100)
		two, _ := d[1].bid(100)
		b.closeLedger()
		b.wantSuccess(b.getByHash(one.Hash))
		b.wantSuccess(b.getByHash(two.Hash))
	})
}

func inclusionOf(b *fixture, got protocol.GetTransactionResponse) xdr.Int64 {
	fees := b.meta(got).SorobanMeta.Ext.V1
	return fees.TotalNonRefundableResourceFeeCharged + fees.TotalRefundableResourceFeeCharged
}

func TestFaults_HeldLedgersDoNotAgeQueue(t *testing.T) {
	t.Parallel()
	b := setup(t)
	built := b.build(tx{ops: []txnbuild.Operation{b.payment(b.account.Address(), "1")}})
	b.net.Faults().HoldQueue(true)
	b.wantStatus(b.send(built), "PENDING")
	for range 10 {
		b.closeLedger()
	}
	b.net.Faults().HoldQueue(false)
	b.closeLedger()
	b.wantSuccess(b.getTransaction(built))
}

func TestSendTransaction_OneTransactionKindPerAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	d := b.newBidders(1)[0]
	pay := []txnbuild.Operation{b.payment(b.account.Address(), "1")}

	t.Run("QueuedAsSource", func(t *testing.T) {
		b := b.withT(t)
		b.wantStatus(b.send(b.build(tx{source: d.from, ops: pay})), "PENDING")
		called, _ := d.bid(100)
		b.wantStatus(called, "TRY_AGAIN_LATER")
		b.closeLedger()
	})
	t.Run("QueuedAsFeeSource", func(t *testing.T) {
		b := b.withT(t)
		inner := b.build(tx{ops: pay}).ToXDR()
		b.wantStatus(b.sendEnvelope(b.bump(inner, 1000, d.from)), "PENDING")
		called, _ := d.bid(101)
		b.wantStatus(called, "TRY_AGAIN_LATER")
		b.closeLedger()
		called, _ = d.bid(102)
		b.wantStatus(called, "PENDING")
	})
}

// A ledger has room for 1,000 classic operations.
func TestNetwork_ClassicTransactionsBidForCapacity(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ops := make([]txnbuild.Operation, 100)
	for i := range ops {
		ops[i] = b.payment(b.account.Address(), "0.0000001")
	}
	var sent []*txnbuild.Transaction
	for i := range 11 {
		built := b.build(tx{source: b.payer(), fee: int64(100 + 10*i), ops: ops})
		b.wantStatus(b.send(built), "PENDING")
		sent = append(sent, built)
	}
	seq := b.closeLedger()
	b.closeLedger()
	for i, built := range sent {
		got := b.getTransaction(built)
		b.wantSuccess(got)
		want, fee := seq, xdr.Int64(110*100)
		if i == 0 {
			want, fee = seq+1, 100*100
		}
		if charged := b.result(got.ResultXDR).FeeCharged; got.Ledger != want || charged != fee {
			t.Errorf("transaction %d: ledger %d for %d stroops, want %d for %d", i, got.Ledger, charged, want, fee)
		}
	}
}
