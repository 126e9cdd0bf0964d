package stellarnet_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/clients/rpcclient"
	"github.com/stellar/go-stellar-sdk/keypair"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet/host"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// Many clients deploy concurrently, each with its own account, while ledgers close on
// the timer and the root account funds others.
func TestNetwork_ConcurrentClients(t *testing.T) {
	t.Parallel()
	const clients, rounds = 6, 4
	b := setup(t, func(o *stellarnet.Options) {
		o.Manual, o.LedgerClose, o.Now = false, 50*time.Millisecond, nil
	})
	b.clock.now = time.Now()
	b.wantSuccess(b.poll(b.assembleAndSend(upload())))
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			c := b.withT(t)
			c.account = keypair.MustRandom()
			c.client = rpcclient.NewClient(b.net.RPCURL(), &http.Client{Transport: &http.Transport{}})
			defer func() { _ = c.client.Close() }()
			if err := b.net.Fund(c.account.Address(), 1000*xlm); err != nil {
				t.Errorf("client %d: %v", i, err)
				return
			}
			for round := range rounds {
				if err := c.deployOnce(byte(round)); err != nil {
					t.Errorf("client %d, round %d: %v", i, round, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// deployOnce is deploy without Fatal, which only the test's goroutine may call.
func (b *fixture) deployOnce(salt byte) error {
	got := b.poll(b.assembleAndSend(b.create(salt)))
	if got.Status != protocol.TransactionStatusSuccess {
		return fmt.Errorf("%s: %s", got.Status, b.diagnosticsOf(got))
	}
	if len(b.entries(instanceKey(b.contractID(salt)))) != 1 {
		return errors.New("there is no contract")
	}
	return nil
}

func (b *fixture) assembleAndSend(op txnbuild.Operation) string {
	b.t.Helper()
	s := b.assemble(tx{ops: []txnbuild.Operation{op}}, nil)
	sent := b.sendEnvelope(b.sign(s.env, b.account))
	b.wantStatus(sent, "PENDING")
	return sent.Hash
}

func (b *fixture) poll(hash string) protocol.GetTransactionResponse {
	b.t.Helper()
	options := rpcclient.NewPollTransactionOptions().
		WithInitialInterval(10 * time.Millisecond).WithMaxInterval(50 * time.Millisecond)
	got, err := b.client.PollTransactionWithOptions(b.ctx, hash, options)
	b.must(err)
	return got
}

func TestNetwork_CloseLedger(t *testing.T) {
	t.Parallel()

	t.Run("FullLedgerDefersOthers", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		id := b.deploy(1)
		archived := xdr.Uint32(contract.StatusArchived)
		call := b.call(id, "set_status", xdr.ScVal{Type: xdr.ScValTypeScvU32, U32: &archived})
		call.SourceAccount = b.account.Address()
		var hashes []string
		for range 3 {
			channel := keypair.MustRandom()
			b.must(b.net.Fund(channel.Address(), 100*xlm))
			s := b.assemble(tx{source: channel, ops: []txnbuild.Operation{call}}, nil)
			// Two of these use the whole compute limit of a ledger.
			s.env.V1.Tx.Ext.SorobanData.Resources.Instructions = 400_000_000
			s.env.V1.Tx.Ext.SorobanData.ResourceFee += 2 * xlm
			s.env.V1.Tx.Fee += 2 * xlm
			sent := b.sendEnvelope(b.sign(s.env, channel, b.account))
			b.wantStatus(sent, "PENDING")
			hashes = append(hashes, sent.Hash)
		}
		seq := b.closeLedger()
		b.closeLedger()
		for i, want := range []uint32{seq, seq, seq + 1} {
			if got := b.poll(hashes[i]); got.Ledger != want {
				t.Errorf("transaction %d is in ledger %d, want %d", i, got.Ledger, want)
			}
		}
	})

	t.Run("SurvivesBrokenHost", func(t *testing.T) {
		t.Parallel()
		b := setup(t, func(o *stellarnet.Options) { o.Host = failingHost{testenv.SorobanHost(t)} })
		got := b.runSoroban(upload(), nil)
		if code := b.result(got.ResultXDR).Result.Code; code != xdr.TransactionResultCodeTxInternalError {
			t.Fatalf("got %s", code)
		}
		b.wantSuccess(b.sendAndApply(b.build(tx{ops: []txnbuild.Operation{b.payment(b.account.Address(), "1")}})))
	})

	t.Run("EndsWithContext", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		s := b.assemble(tx{ops: []txnbuild.Operation{upload()}}, nil)
		sent := b.sendEnvelope(b.sign(s.env, b.account))
		ctx, cancel := context.WithCancel(b.ctx)
		cancel()
		if _, err := b.net.CloseLedger(ctx); err == nil {
			t.Fatal("closed a ledger with a context that is over")
		}
		b.closeLedger()
		b.wantSuccess(b.poll(sent.Hash))
	})
}

// failingHost simulates and prices, but fails every invocation.
type failingHost struct{ host.Host }

func (failingHost) Invoke(context.Context, host.LookupFunc, host.InvokeRequest) (host.InvokeResult, error) {
	return host.InvokeResult{}, errors.New("broken on purpose")
}
