package stellarnet_test

import (
	"context"
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
)

const xlm = 10_000_000

// clock is a time that passes only when a test says so.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// testBundle is a network whose ledgers and time move by hand, a client of it,
// and an account with money.
type testBundle struct {
	t       *testing.T
	ctx     context.Context
	net     *stellarnet.Network
	client  *rpcclient.Client
	clock   *clock
	account *keypair.Full
}

func setup(t *testing.T, change ...func(*stellarnet.Options)) *testBundle {
	t.Helper()
	b := setupWithout(t, change...)
	b.must(b.net.Fund(b.account.Address(), 1000*xlm))
	return b
}

// setupWithout leaves the account without money.
func setupWithout(t *testing.T, change ...func(*stellarnet.Options)) *testBundle {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	b := &testBundle{t: t, ctx: ctx, clock: &clock{now: time.Unix(1_790_000_000, 0)}, account: keypair.MustRandom()}
	opts := stellarnet.Options{Manual: true, Host: sharedHost, Now: b.clock.Now}
	for _, c := range change {
		c(&opts)
	}
	var err error
	b.net, err = stellarnet.Start(ctx, opts)
	b.must(err)
	t.Cleanup(func() {
		if err := b.net.Close(); err != nil {
			t.Errorf("close network: %v", err)
		}
	})
	b.client = rpcclient.NewClient(b.net.RPCURL(), &http.Client{Transport: &http.Transport{}})
	t.Cleanup(func() { _ = b.client.Close() })
	return b
}

// on is the same bundle for a subtest: what fails there fails it.
func (b *testBundle) on(t *testing.T) *testBundle {
	c := *b
	c.t = t
	return &c
}

func (b *testBundle) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *testBundle) close() uint32 {
	b.t.Helper()
	seq, err := b.net.CloseLedger(b.ctx)
	b.must(err)
	return seq
}

// accountEntry reads an account through the RPC; nil when there is none.
func (b *testBundle) accountEntry(address string) *xdr.AccountEntry {
	b.t.Helper()
	id := xdr.MustAddress(address)
	key, err := id.LedgerKey()
	b.must(err)
	entries := b.entries(key)
	if len(entries) == 0 {
		return nil
	}
	return b.decode(entries[0]).Account
}

func (b *testBundle) entries(keys ...xdr.LedgerKey) []protocol.LedgerEntryResult {
	b.t.Helper()
	var q protocol.GetLedgerEntriesRequest
	for _, key := range keys {
		encoded, err := xdr.MarshalBase64(key)
		b.must(err)
		q.Keys = append(q.Keys, encoded)
	}
	got, err := b.client.GetLedgerEntries(b.ctx, q)
	b.must(err)
	return got.Entries
}

func (b *testBundle) decode(entry protocol.LedgerEntryResult) (data xdr.LedgerEntryData) {
	b.t.Helper()
	b.must(xdr.SafeUnmarshalBase64(entry.DataXDR, &data))
	return data
}

// tx is what a test wants of a transaction; the zero value takes the usual.
type tx struct {
	source  *keypair.Full // default: the bundle's account
	seq     int64         // default: the next
	fee     int64         // per operation; default: the minimum
	maxTime time.Duration // from now; default: a minute
	ops     []txnbuild.Operation
	signers []*keypair.Full // default: the source
}

func (b *testBundle) build(want tx) *txnbuild.Transaction {
	b.t.Helper()
	if want.source == nil {
		want.source = b.account
	}
	if want.seq == 0 {
		want.seq = 1
		if acc := b.accountEntry(want.source.Address()); acc != nil {
			want.seq += int64(acc.SeqNum)
		}
	}
	if want.fee == 0 {
		want.fee = txnbuild.MinBaseFee
	}
	if want.maxTime == 0 {
		want.maxTime = time.Minute
	}
	built, err := txnbuild.NewTransaction(txnbuild.TransactionParams{
		SourceAccount: &txnbuild.SimpleAccount{AccountID: want.source.Address(), Sequence: want.seq},
		BaseFee:       want.fee,
		Operations:    want.ops,
		Preconditions: txnbuild.Preconditions{
			TimeBounds: txnbuild.NewTimebounds(0, b.clock.Now().Add(want.maxTime).Unix()),
		},
	})
	b.must(err)
	if want.signers == nil {
		want.signers = []*keypair.Full{want.source}
	}
	built, err = built.Sign(b.net.Passphrase(), want.signers...)
	b.must(err)
	return built
}

func (b *testBundle) send(built *txnbuild.Transaction) protocol.SendTransactionResponse {
	b.t.Helper()
	got, err := b.trySend(built)
	b.must(err)
	return got
}

func (b *testBundle) trySend(built *txnbuild.Transaction) (protocol.SendTransactionResponse, error) {
	b.t.Helper()
	encoded, err := built.Base64()
	b.must(err)
	return b.client.SendTransaction(b.ctx, protocol.SendTransactionRequest{Transaction: encoded})
}

func (b *testBundle) get(built *txnbuild.Transaction) protocol.GetTransactionResponse {
	b.t.Helper()
	hash, err := built.HashHex(b.net.Passphrase())
	b.must(err)
	got, err := b.client.GetTransaction(b.ctx, protocol.GetTransactionRequest{Hash: hash})
	b.must(err)
	return got
}

// run sends a transaction, closes a ledger and returns what became of it.
func (b *testBundle) run(built *txnbuild.Transaction) protocol.GetTransactionResponse {
	b.t.Helper()
	b.wantStatus(b.send(built), "PENDING")
	b.close()
	return b.get(built)
}

func (b *testBundle) payment(to string, amount string) txnbuild.Operation {
	return &txnbuild.Payment{Destination: to, Amount: amount, Asset: txnbuild.NativeAsset{}}
}

func (b *testBundle) wantStatus(got protocol.SendTransactionResponse, want string) {
	b.t.Helper()
	if got.Status != want {
		b.t.Fatalf("send: got status %s, want %s (%v)", got.Status, want, b.code(got))
	}
}

// code is the reason of a refusal.
func (b *testBundle) code(got protocol.SendTransactionResponse) xdr.TransactionResultCode {
	b.t.Helper()
	if got.ErrorResultXDR == "" {
		return 0
	}
	return b.result(got.ErrorResultXDR).Result.Code
}

func (b *testBundle) result(encoded string) (result xdr.TransactionResult) {
	b.t.Helper()
	b.must(xdr.SafeUnmarshalBase64(encoded, &result))
	return result
}

func (b *testBundle) wantRefused(built *txnbuild.Transaction, want xdr.TransactionResultCode) {
	b.t.Helper()
	got := b.send(built)
	if got.Status != "ERROR" || b.code(got) != want {
		b.t.Fatalf("send: got %s %s, want ERROR %s", got.Status, b.code(got), want)
	}
}

func (b *testBundle) wantSuccess(got protocol.GetTransactionResponse) {
	b.t.Helper()
	if got.Status != protocol.TransactionStatusSuccess {
		b.t.Fatalf("transaction %s is %s: %s", got.TransactionHash, got.Status, b.explain(got))
	}
}

func (b *testBundle) meta(got protocol.GetTransactionResponse) *xdr.TransactionMetaV4 {
	b.t.Helper()
	var meta xdr.TransactionMeta
	b.must(xdr.SafeUnmarshalBase64(got.ResultMetaXDR, &meta))
	return meta.V4
}
