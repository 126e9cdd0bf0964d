package stellarnet_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/creachadair/jrpc2"
	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/network"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/toid"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
)

// wantRPCError checks that a call is refused with that code and these words.
func (b *fixture) wantRPCError(err error, code jrpc2.Code, text string) {
	b.t.Helper()
	var failure *jrpc2.Error
	if !errors.As(err, &failure) || failure.Code != code || !strings.Contains(failure.Message, text) {
		b.t.Errorf("got %v, want code %d and %q", err, code, text)
	}
}

func pageOptions(cursor string, limit uint) *protocol.LedgerPaginationOptions {
	return &protocol.LedgerPaginationOptions{Cursor: cursor, Limit: limit}
}

// busyLedgers closes n ledgers with two payments each and returns the numbers of the
// first and last.
func (b *fixture) busyLedgers(count int) (first, last uint32) {
	b.t.Helper()
	other := keypair.MustRandom()
	b.must(b.net.Fund(other.Address(), 1000*xlm))
	for range count {
		for _, source := range []*keypair.Full{b.account, other} {
			built := b.build(tx{source: source, ops: []txnbuild.Operation{b.payment(b.account.Address(), "1")}})
			b.wantStatus(b.send(built), "PENDING")
		}
		last = b.closeLedger()
	}
	return last - uint32(count) + 1, last
}

func TestRPC_GetTransactions(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *stellarnet.Options) { o.Retention = 6 })
	first, last := b.busyLedgers(3)
	ask := func(b *fixture, start uint32, p *protocol.LedgerPaginationOptions) (protocol.GetTransactionsResponse, error) {
		return b.client.GetTransactions(b.ctx, protocol.GetTransactionsRequest{StartLedger: start, Pagination: p})
	}

	t.Run("AllInRange", func(t *testing.T) {
		b := b.withT(t)
		got, err := ask(b, first, nil)
		b.must(err)
		if len(got.Transactions) != 6 || got.LatestLedger != last || got.OldestLedger != last-5 || got.LatestLedgerCloseTime == 0 ||
			got.OldestLedgerCloseTime == 0 || got.Cursor != toid.New(int32(last), 2, 1).String() {
			t.Fatalf("got %d, %+v", len(got.Transactions), got.Cursor)
		}
		for i, one := range got.Transactions {
			single, err := b.client.GetTransaction(b.ctx, protocol.GetTransactionRequest{Hash: one.TransactionHash})
			b.must(err)
			if one.Ledger != first+uint32(i/2) || one.ApplicationOrder != int32(i%2+1) || one.LedgerCloseTime != single.LedgerCloseTime {
				t.Errorf("transaction %d: %+v", i, one)
			}
			if want := single.TransactionDetails; fmt.Sprint(one.TransactionDetails) != fmt.Sprint(want) {
				t.Errorf("transaction %d differs from getTransaction", i)
			}
		}
	})

	t.Run("PageByPage", func(t *testing.T) {
		b := b.withT(t)
		var hashes []string
		got, err := ask(b, first, pageOptions("", 4))
		for ; err == nil && len(got.Transactions) > 0 && len(hashes) < 6; got, err = ask(b, 0, pageOptions(got.Cursor, 4)) {
			for _, one := range got.Transactions {
				hashes = append(hashes, one.TransactionHash)
			}
		}
		b.must(err)
		slices.Sort(hashes)
		if len(slices.Compact(hashes)) != 6 {
			t.Errorf("pages show %d transactions, want 6", len(hashes))
		}
	})

	t.Run("CursorAtTipRepeatsLatestLedger", func(t *testing.T) {
		b := b.withT(t)
		got, err := ask(b, 0, pageOptions(toid.New(int32(last), 2, 1).String(), 0))
		b.must(err)
		if len(got.Transactions) != 0 || got.Cursor != toid.New(int32(last), 0, 1).String() {
			t.Errorf("got %d, cursor %s", len(got.Transactions), got.Cursor)
		}
	})

	t.Run("Refuses", func(t *testing.T) {
		b := b.withT(t)
		_, err := ask(b, last+1, nil)
		b.wantRPCError(err, jrpc2.InvalidRequest,
			fmt.Sprintf("start ledger (%d) must be between the oldest ledger: %d and the latest ledger: %d for this rpc instance", last+1, last-5, last))
		_, err = ask(b, first, pageOptions("1", 0))
		b.wantRPCError(err, jrpc2.InvalidRequest, "startLedger ("+fmt.Sprint(first)+") and cursor (1) cannot both be set")
		_, err = ask(b, first, pageOptions("", 201))
		b.wantRPCError(err, jrpc2.InvalidRequest, "limit must not exceed 200")
		_, err = ask(b, 0, pageOptions("x", 0))
		b.wantRPCError(err, jrpc2.InvalidParams, "invalid syntax")
		_, err = ask(b, 0, pageOptions(toid.New(1, 1, 1).String(), 0))
		b.wantRPCError(err, jrpc2.InvalidParams, "database does not contain metadata for ledger: 1")
		_, err = b.client.GetTransactions(b.ctx, protocol.GetTransactionsRequest{StartLedger: first, Format: "yaml"})
		b.wantRPCError(err, jrpc2.InvalidRequest, "xdrFormat")
	})
}

func TestRPC_GetLedgers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, last := b.busyLedgers(3)
	ask := func(b *fixture, start uint32, p *protocol.LedgerPaginationOptions) (protocol.GetLedgersResponse, error) {
		return b.client.GetLedgers(b.ctx, protocol.GetLedgersRequest{StartLedger: start, Pagination: p})
	}

	t.Run("ChainIsReadable", func(t *testing.T) {
		b := b.withT(t)
		got, err := ask(b, first, nil)
		b.must(err)
		if len(got.Ledgers) != 3 || got.Cursor != fmt.Sprint(last) || got.OldestLedger != 1 || got.LatestLedger != last ||
			got.LatestLedgerCloseTime == 0 || got.OldestLedgerCloseTime == 0 {
			t.Fatalf("got %d ledgers, %s", len(got.Ledgers), got.Cursor)
		}
		var previous xdr.Hash
		for i, ledger := range got.Ledgers {
			var header xdr.LedgerHeaderHistoryEntry
			b.must(xdr.SafeUnmarshalBase64(ledger.LedgerHeader, &header))
			var meta xdr.LedgerCloseMeta
			b.must(xdr.SafeUnmarshalBase64(ledger.LedgerMetadata, &meta))
			if header.Hash.HexString() != ledger.Hash || uint32(header.Header.LedgerSeq) != first+uint32(i) ||
				ledger.Sequence != first+uint32(i) || ledger.LedgerCloseTime != int64(header.Header.ScpValue.CloseTime) {
				t.Errorf("ledger %d: %+v", i, header)
			}
			if i > 0 && header.Header.PreviousLedgerHash != previous {
				t.Errorf("ledger %d does not follow the one before", i)
			}
			previous = header.Hash
			b.wantReadable(meta, 2)
		}
	})

	t.Run("PageByPage", func(t *testing.T) {
		b := b.withT(t)
		got, err := ask(b, first, pageOptions("", 2))
		b.must(err)
		next, err := ask(b, 0, pageOptions(got.Cursor, 2))
		b.must(err)
		if len(got.Ledgers) != 2 || got.Cursor != fmt.Sprint(first+1) || len(next.Ledgers) != 1 || next.Ledgers[0].Sequence != last {
			t.Errorf("pages: %d to %s, %d to %s", len(got.Ledgers), got.Cursor, len(next.Ledgers), next.Cursor)
		}
	})

	t.Run("DefaultLimit", func(t *testing.T) {
		b := setup(t)
		b.closeLedgers(300)
		got, err := ask(b, 1, nil)
		b.must(err)
		most, err := ask(b, 1, pageOptions("", 200))
		b.must(err)
		if len(got.Ledgers) != 50 || len(most.Ledgers) != 200 {
			t.Errorf("got %d and %d ledgers", len(got.Ledgers), len(most.Ledgers))
		}
	})

	t.Run("Refuses", func(t *testing.T) {
		b := b.withT(t)
		_, err := ask(b, 0, nil)
		b.wantRPCError(err, jrpc2.InvalidRequest, "start ledger (0) must be between the oldest ledger: 1")
		_, err = ask(b, 0, pageOptions(fmt.Sprint(last), 0))
		b.wantRPCError(err, jrpc2.InvalidParams, fmt.Sprintf("cursor ('%d') must be between the oldest ledger", last))
		_, err = ask(b, first, pageOptions("", 201))
		b.wantRPCError(err, jrpc2.InvalidRequest, "limit must not exceed 200")
		_, err = ask(b, 0, pageOptions("-1", 0))
		b.wantRPCError(err, jrpc2.InvalidParams, "invalid syntax")
	})

	t.Run("CloseTimeIsString", func(t *testing.T) {
		b := b.withT(t)
		got, err := ask(b, first, pageOptions("", 1))
		b.must(err)
		encoded, err := json.Marshal(got.Ledgers[0])
		b.must(err)
		if !strings.Contains(string(encoded), `"ledgerCloseTime":"`) {
			t.Errorf("got %s", encoded)
		}
	})
}

// wantReadable reads a ledger as indexers do: each envelope of the transaction
// set has its result and meta, found by its hash.
func (b *fixture) wantReadable(meta xdr.LedgerCloseMeta, transactions int) {
	b.t.Helper()
	envelopes := map[xdr.Hash]bool{}
	for _, env := range meta.TransactionEnvelopes() {
		hash, err := network.HashTransactionInEnvelope(env, b.net.Passphrase())
		b.must(err)
		envelopes[hash] = true
	}
	if meta.CountTransactions() != transactions || len(envelopes) != transactions {
		b.t.Errorf("%d results of %d envelopes, want %d", meta.CountTransactions(), len(envelopes), transactions)
	}
	for i := range meta.CountTransactions() {
		if !envelopes[meta.TransactionHash(i)] {
			b.t.Errorf("result %d is of no transaction in the set", i)
		}
	}
}
