package stellarnet_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/txnbuild"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
)

func TestFaults_SendCalls(t *testing.T) {
	t.Parallel()
	send := protocol.SendTransactionMethodName
	// gone reports that the client got no usable response.
	for name, c := range map[string]struct {
		fault func(*stellarnet.Faults)
		then  string // The result of a second send.
	}{
		"DropBefore": {func(f *stellarnet.Faults) { f.DropBefore(send, 1) }, "PENDING"},
		"DropAfter":  {func(f *stellarnet.Faults) { f.DropAfter(send, 1) }, "DUPLICATE"},
		"Fail":       {func(f *stellarnet.Faults) { f.Fail(send, http.StatusBadGateway, 1) }, "PENDING"},
		"FailAfter":  {func(f *stellarnet.Faults) { f.FailAfter(send, http.StatusGatewayTimeout, 1) }, "DUPLICATE"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			built := b.build(tx{ops: []txnbuild.Operation{b.payment(b.account.Address(), "1")}})
			c.fault(b.net.Faults())
			if got, err := b.sendWithError(built); err == nil {
				t.Fatalf("got an answer: %+v", got)
			}
			b.wantStatus(b.send(built), c.then)
			b.closeLedger()
			b.wantSuccess(b.getTransaction(built))
			if n := b.net.Faults().Calls(send); n != 2 {
				t.Errorf("%d calls were counted, want 2", n)
			}
		})
	}

	t.Run("TryAgainLater", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		built := b.build(tx{ops: []txnbuild.Operation{b.payment(b.account.Address(), "1")}})
		b.net.Faults().TryAgainLater(2)
		b.wantStatus(b.send(built), "TRY_AGAIN_LATER")
		b.wantStatus(b.send(built), "TRY_AGAIN_LATER")
		b.wantStatus(b.send(built), "PENDING")
	})

	t.Run("HoldQueueAndAdvanceClock", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		onHold := b.build(tx{ops: []txnbuild.Operation{b.payment(b.account.Address(), "1")}})
		b.net.Faults().HoldQueue(true)
		b.wantStatus(b.send(onHold), "PENDING")
		b.closeLedger()
		if got := b.getTransaction(onHold); got.Status != protocol.TransactionStatusNotFound {
			t.Fatalf("a held transaction is %s", got.Status)
		}
		b.net.Faults().AdvanceClock(2 * time.Minute)
		b.closeLedger()
		b.net.Faults().HoldQueue(false)
		b.closeLedger()
		if got := b.getTransaction(onHold); got.Status != protocol.TransactionStatusNotFound ||
			got.LatestLedgerCloseTime <= onHold.Timebounds().MaxTime {
			t.Fatalf("got %+v", got)
		}
	})

	t.Run("HeldIsAppliedAfterRelease", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		onHold := b.build(tx{ops: []txnbuild.Operation{b.payment(b.account.Address(), "1")}})
		b.net.Faults().HoldQueue(true)
		b.wantStatus(b.send(onHold), "PENDING")
		b.closeLedger()
		b.net.Faults().Reset()
		b.closeLedger()
		b.wantSuccess(b.getTransaction(onHold))
	})
}

func TestFaults_ReadCalls(t *testing.T) {
	t.Parallel()

	t.Run("LagHidesRecentLedgers", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		target := keypair.MustRandom().Address()
		b.must(b.net.Fund(target, 10*xlm))
		built := b.build(tx{ops: []txnbuild.Operation{b.payment(target, "1")}})
		b.wantStatus(b.send(built), "PENDING")
		seq := b.closeLedger()
		b.net.Faults().Lag(1)
		if got := b.getTransaction(built); got.Status != protocol.TransactionStatusNotFound || got.LatestLedger != seq-1 {
			t.Errorf("got %s at ledger %d", got.Status, got.LatestLedger)
		}
		if acc := b.accountEntry(target); acc.Balance != 10*xlm {
			t.Errorf("balance %d is of a later ledger", acc.Balance)
		}
		if _, err := b.client.GetLedgers(b.ctx, protocol.GetLedgersRequest{StartLedger: seq}); err == nil {
			t.Error("a later ledger is shown")
		}
		listed, err := b.client.GetTransactions(b.ctx, protocol.GetTransactionsRequest{StartLedger: seq - 1})
		b.must(err)
		events := b.events(protocol.GetEventsRequest{StartLedger: seq - 1})
		if len(listed.Transactions) != 1 || len(events.Events) != 2 || events.LatestLedger != seq-1 {
			t.Errorf("%d transactions, %d events up to ledger %d", len(listed.Transactions), len(events.Events), events.LatestLedger)
		}
		b.net.Faults().Lag(0)
		b.wantSuccess(b.getTransaction(built))
	})

	t.Run("ForgetHistory", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		built := b.build(tx{ops: []txnbuild.Operation{b.payment(b.account.Address(), "1")}})
		b.wantSuccess(b.sendAndApply(built))
		seq := b.closeLedger()
		b.net.Faults().ForgetHistory()
		got := b.getTransaction(built)
		if got.Status != protocol.TransactionStatusNotFound || got.OldestLedger != seq || got.LatestLedger != seq {
			t.Fatalf("got %+v", got)
		}
	})

	t.Run("RetentionEnds", func(t *testing.T) {
		t.Parallel()
		b := setup(t, func(o *stellarnet.Options) { o.Retention = 3 })
		built := b.build(tx{ops: []txnbuild.Operation{b.payment(b.account.Address(), "1")}})
		b.wantSuccess(b.sendAndApply(built))
		for range 3 {
			b.closeLedger()
		}
		if got := b.getTransaction(built); got.Status != protocol.TransactionStatusNotFound || got.OldestLedger != got.LatestLedger-2 {
			t.Fatalf("got %+v", got)
		}
	})

	t.Run("DelayEndsWhenClientDisconnects", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.net.Faults().Delay(protocol.GetHealthMethodName, time.Minute, 1)
		// Not with the SDK's client: it leaves the call hanging in the background.
		ctx, disconnect := context.WithCancel(b.ctx)
		defer disconnect()
		go func() { // Once the network has the call: else the delay would be the next one's.
			for b.net.Faults().Calls(protocol.GetHealthMethodName) == 0 && ctx.Err() == nil {
				time.Sleep(time.Millisecond) // The network tells nobody of a call: its count is polled.
			}
			disconnect()
		}()
		body := strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"getHealth"}`)
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, b.net.RPCURL(), body)
		b.must(err)
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
			t.Fatal("the call was not delayed")
		}
		if _, err := b.client.GetHealth(b.ctx); err != nil {
			t.Fatalf("the next call: %v", err)
		}
	})

	t.Run("UpReusesPort", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		url := b.net.RPCURL()
		b.must(b.net.Faults().Down())
		if _, err := b.client.GetHealth(b.ctx); err == nil {
			t.Fatal("an RPC that is down answers")
		}
		b.closeLedger() // The network keeps running.
		b.must(b.net.Faults().Up())
		if b.net.RPCURL() != url {
			t.Fatalf("moved from %s to %s", url, b.net.RPCURL())
		}
		latest, err := b.client.GetLatestLedger(b.ctx)
		b.must(err)
		if latest.Sequence != 4 {
			t.Errorf("latest ledger is %d", latest.Sequence)
		}
	})
}

func TestFaults_ExpireArchivesEntries(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.net.Faults().ExpireContract(contractAddress(b.contractID(1))); err == nil {
		t.Error("expired a contract that does not exist")
	}
	if err := b.net.Faults().ExpireContract(b.account.Address()); err == nil {
		t.Error("expired an account")
	}
}
