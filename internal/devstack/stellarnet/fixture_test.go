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
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

const xlm = 10_000_000

// manualClock is a clock that only the test advances.
type manualClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *manualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *manualClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// fixture is a network whose ledgers and time the test controls, a client of it, and a
// funded account.
type fixture struct {
	t       *testing.T
	ctx     context.Context
	net     *stellarnet.Network
	client  *rpcclient.Client
	clock   *manualClock
	account *keypair.Full
}

func setup(t *testing.T, options ...func(*stellarnet.Options)) *fixture {
	t.Helper()
	b := setupUnfunded(t, options...)
	b.must(b.net.Fund(b.account.Address(), 1000*xlm))
	return b
}

// setupUnfunded does not fund the account.
func setupUnfunded(t *testing.T, options ...func(*stellarnet.Options)) *fixture {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	b := &fixture{t: t, ctx: ctx, clock: &manualClock{now: time.Unix(1_790_000_000, 0)}, account: keypair.MustRandom()}
	opts := stellarnet.Options{Manual: true, Host: testenv.SorobanHost(t), Now: b.clock.Now}
	for _, c := range options {
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

// withT is the same fixture for a subtest, which then fails instead of the parent.
func (b *fixture) withT(t *testing.T) *fixture {
	c := *b
	c.t = t
	return &c
}

func (b *fixture) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *fixture) closeLedger() uint32 {
	b.t.Helper()
	seq, err := b.net.CloseLedger(b.ctx)
	b.must(err)
	return seq
}

// accountEntry reads an account through the RPC; nil when there is none.
func (b *fixture) accountEntry(address string) *xdr.AccountEntry {
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

func (b *fixture) entries(keys ...xdr.LedgerKey) []protocol.LedgerEntryResult {
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

func (b *fixture) decode(entry protocol.LedgerEntryResult) (data xdr.LedgerEntryData) {
	b.t.Helper()
	b.must(xdr.SafeUnmarshalBase64(entry.DataXDR, &data))
	return data
}

// tx is a transaction of a test; zero fields get defaults.
type tx struct {
	source  *keypair.Full // default: the fixture's account
	seq     int64         // default: the next
	fee     int64         // per operation; default: the minimum
	maxTime time.Duration // from now; default: a minute
	ops     []txnbuild.Operation
	signers []*keypair.Full // default: the source
}

func (b *fixture) build(want tx) *txnbuild.Transaction {
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

func (b *fixture) send(built *txnbuild.Transaction) protocol.SendTransactionResponse {
	b.t.Helper()
	got, err := b.sendWithError(built)
	b.must(err)
	return got
}

func (b *fixture) sendWithError(built *txnbuild.Transaction) (protocol.SendTransactionResponse, error) {
	b.t.Helper()
	encoded, err := built.Base64()
	b.must(err)
	return b.client.SendTransaction(b.ctx, protocol.SendTransactionRequest{Transaction: encoded})
}

func (b *fixture) getTransaction(built *txnbuild.Transaction) protocol.GetTransactionResponse {
	b.t.Helper()
	hash, err := built.HashHex(b.net.Passphrase())
	b.must(err)
	got, err := b.client.GetTransaction(b.ctx, protocol.GetTransactionRequest{Hash: hash})
	b.must(err)
	return got
}

// sendAndApply sends a transaction, closes a ledger and returns the result.
func (b *fixture) sendAndApply(built *txnbuild.Transaction) protocol.GetTransactionResponse {
	b.t.Helper()
	b.wantStatus(b.send(built), "PENDING")
	b.closeLedger()
	return b.getTransaction(built)
}

func (b *fixture) payment(to string, amount string) txnbuild.Operation {
	return &txnbuild.Payment{Destination: to, Amount: amount, Asset: txnbuild.NativeAsset{}}
}

func (b *fixture) wantStatus(got protocol.SendTransactionResponse, want string) {
	b.t.Helper()
	if got.Status != want {
		b.t.Fatalf("send: got status %s, want %s (%v)", got.Status, want, b.resultCode(got))
	}
}

// resultCode is the result code of a rejection.
func (b *fixture) resultCode(got protocol.SendTransactionResponse) xdr.TransactionResultCode {
	b.t.Helper()
	if got.ErrorResultXDR == "" {
		return 0
	}
	return b.result(got.ErrorResultXDR).Result.Code
}

func (b *fixture) result(encoded string) (result xdr.TransactionResult) {
	b.t.Helper()
	b.must(xdr.SafeUnmarshalBase64(encoded, &result))
	return result
}

func (b *fixture) wantRefused(built *txnbuild.Transaction, want xdr.TransactionResultCode) {
	b.t.Helper()
	got := b.send(built)
	if got.Status != "ERROR" || b.resultCode(got) != want {
		b.t.Fatalf("send: got %s %s, want ERROR %s", got.Status, b.resultCode(got), want)
	}
}

func (b *fixture) wantSuccess(got protocol.GetTransactionResponse) {
	b.t.Helper()
	if got.Status != protocol.TransactionStatusSuccess {
		b.t.Fatalf("transaction %s is %s: %s", got.TransactionHash, got.Status, b.diagnosticsOf(got))
	}
}

func (b *fixture) meta(got protocol.GetTransactionResponse) *xdr.TransactionMetaV4 {
	b.t.Helper()
	var meta xdr.TransactionMeta
	b.must(xdr.SafeUnmarshalBase64(got.ResultMetaXDR, &meta))
	return meta.V4
}
