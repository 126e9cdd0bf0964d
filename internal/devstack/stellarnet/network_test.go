package stellarnet_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/creachadair/jrpc2"
	"github.com/stellar/go-stellar-sdk/keypair"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func TestStart(t *testing.T) {
	t.Parallel()

	t.Run("ClosesLedgersOnTimer", func(t *testing.T) {
		t.Parallel()
		b := setup(t, func(o *stellarnet.Options) {
			o.Manual, o.LedgerClose, o.Now = false, 50*time.Millisecond, nil
		})
		first, err := b.client.GetLatestLedger(b.ctx)
		b.must(err)
		for latest := first; latest.Sequence < first.Sequence+3; {
			latest, err = b.client.GetLatestLedger(b.ctx)
			b.must(err)
		}
	})

	t.Run("RefusesNegativeLedgerClose", func(t *testing.T) {
		t.Parallel()
		_, err := stellarnet.Start(t.Context(), stellarnet.Options{LedgerClose: -1, Host: testenv.SorobanHost(t)})
		if err == nil || !strings.Contains(err.Error(), "LedgerClose") {
			t.Fatalf("got %v, want an error that names LedgerClose", err)
		}
	})

	t.Run("CloseMayBeRepeated", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.must(b.net.Close())
		b.must(b.net.Close())
		if _, err := b.client.GetHealth(b.ctx); err == nil {
			t.Fatal("a closed network answers")
		}
	})
}

func TestRPC_GetNetworkInfo(t *testing.T) {
	t.Parallel()
	b := setup(t)

	health, err := b.client.GetHealth(b.ctx)
	b.must(err)
	if health.Status != "healthy" || health.OldestLedger != 1 || health.LatestLedger != 3 ||
		health.LedgerRetentionWindow != stellarnet.DefaultRetention {
		t.Errorf("health: %+v", health)
	}
	network, err := b.client.GetNetwork(b.ctx)
	b.must(err)
	if network.Passphrase != b.net.Passphrase() || network.FriendbotURL != b.net.FriendbotURL() {
		t.Errorf("network: %+v", network)
	}
	version, err := b.client.GetVersionInfo(b.ctx)
	b.must(err)
	if int(version.ProtocolVersion) != network.ProtocolVersion || version.Version == "" ||
		version.CommitHash == "" || version.BuildTimestamp == "" || version.CaptiveCoreVersion == "" {
		t.Errorf("version: %+v", version)
	}
	latest, err := b.client.GetLatestLedger(b.ctx)
	b.must(err)
	var header xdr.LedgerHeader
	b.must(xdr.SafeUnmarshalBase64(latest.LedgerHeader, &header))
	var meta xdr.LedgerCloseMeta
	b.must(xdr.SafeUnmarshalBase64(latest.LedgerMetadata, &meta))
	if uint32(header.LedgerSeq) != latest.Sequence || meta.LedgerHash().HexString() != latest.Hash || meta.LedgerSequence() != latest.Sequence ||
		meta.CountTransactions() != 1 || latest.LedgerCloseTime != b.clock.Now().Unix() {
		t.Errorf("latest ledger: %+v", latest)
	}
	stats, err := b.client.GetFeeStats(b.ctx)
	b.must(err)
	if stats.InclusionFee.P90 != 100 || stats.InclusionFee.TransactionCount != 1 || stats.SorobanInclusionFee.Max != 0 {
		t.Errorf("fee stats: %+v", stats)
	}

	t.Run("UnhealthyWhenNoLedgerClosed", func(t *testing.T) {
		b := setup(t)
		b.clock.Advance(time.Minute)
		if _, err := b.client.GetHealth(b.ctx); err == nil {
			t.Fatal("healthy after a minute without a ledger")
		}
	})
}

func TestRPC_Protocol(t *testing.T) {
	t.Parallel()
	b := setup(t)
	post := func(body string) (int, map[string]any) {
		response, err := http.Post(b.net.RPCURL(), "application/json", strings.NewReader(body))
		b.must(err)
		defer func() { _ = response.Body.Close() }()
		var out map[string]any
		_ = json.NewDecoder(response.Body).Decode(&out)
		return response.StatusCode, out
	}
	for name, c := range map[string]struct {
		body string
		code jrpc2.Code
	}{
		"UnknownMethod":   {`{"jsonrpc":"2.0","id":1,"method":"getEvents2"}`, jrpc2.MethodNotFound},
		"WrongType":       {`{"jsonrpc":"2.0","id":1,"method":"getTransaction","params":{"hash":7}}`, jrpc2.InvalidParams},
		"ShortHash":       {`{"jsonrpc":"2.0","id":1,"method":"getTransaction","params":{"hash":"aa"}}`, jrpc2.InvalidParams},
		"PositionalParam": {`{"jsonrpc":"2.0","id":1,"method":"getTransaction","params":["aa"]}`, jrpc2.InvalidParams},
		"UnknownFormat":   {`{"jsonrpc":"2.0","id":1,"method":"getLedgerEntries","params":{"keys":[],"xdrFormat":"yaml"}}`, jrpc2.InvalidParams},
		"BadKey":          {`{"jsonrpc":"2.0","id":1,"method":"getLedgerEntries","params":{"keys":["!"]}}`, jrpc2.InvalidParams},
		"BadEnvelope":     {`{"jsonrpc":"2.0","id":1,"method":"sendTransaction","params":{"transaction":"AAAA"}}`, jrpc2.InvalidParams},
	} {
		t.Run(name, func(t *testing.T) {
			_, out := post(c.body)
			failure, _ := out["error"].(map[string]any)
			if code, _ := failure["code"].(float64); jrpc2.Code(code) != c.code {
				t.Fatalf("got %v, want code %d", out, c.code)
			}
		})
	}

	t.Run("Int64AreStrings", func(t *testing.T) {
		_, out := post(`{"jsonrpc":"2.0","id":1,"method":"getHealth"}`)
		result, _ := out["result"].(map[string]any)
		if _, ok := result["latestLedgerCloseTime"].(string); !ok {
			t.Fatalf("got %v", out)
		}
	})

	t.Run("RefusesLargeBodies", func(t *testing.T) {
		status, _ := post(`{"x":"` + strings.Repeat("x", 600*1024) + `"}`)
		if status != http.StatusRequestEntityTooLarge {
			t.Fatalf("got status %d", status)
		}
	})

	t.Run("LimitsKeys", func(t *testing.T) {
		b := b.withT(t)
		key := b.accountKeyBase64()
		q := protocol.GetLedgerEntriesRequest{Keys: make([]string, 200)}
		for i := range q.Keys {
			q.Keys[i] = key
		}
		if _, err := b.client.GetLedgerEntries(b.ctx, q); err != nil {
			t.Errorf("200 keys: %v", err)
		}
		q.Keys = append(q.Keys, key)
		if _, err := b.client.GetLedgerEntries(b.ctx, q); err == nil {
			t.Error("201 keys are accepted")
		}
	})
}

func (b *fixture) accountKeyBase64() string {
	id := xdr.MustAddress(b.account.Address())
	key, err := id.LedgerKey()
	b.must(err)
	encoded, err := xdr.MarshalBase64(key)
	b.must(err)
	return encoded
}

func TestFriendbot(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ask := func(t *testing.T, addr string) (int, map[string]any) {
		t.Helper()
		response, err := http.Get(b.net.FriendbotURL() + "?addr=" + addr)
		b.must(err)
		defer func() { _ = response.Body.Close() }()
		var out map[string]any
		b.must(json.NewDecoder(response.Body).Decode(&out))
		return response.StatusCode, out
	}
	created := keypair.MustRandom().Address()

	status, out := ask(t, created)
	if status != http.StatusOK {
		t.Fatalf("first grant: %d %v", status, out)
	}
	if acc := b.accountEntry(created); acc == nil || acc.Balance != 10_000*xlm {
		t.Errorf("account: %+v", acc)
	}
	hash, _ := out["hash"].(string)
	got, err := b.client.GetTransaction(b.ctx, protocol.GetTransactionRequest{Hash: hash})
	b.must(err)
	b.wantSuccess(got)

	status, out = ask(t, created)
	if status != http.StatusBadRequest || out["detail"] != "account already funded to starting balance" {
		t.Errorf("second grant: %d %v", status, out)
	}
	if status, _ := ask(t, "GNOBODY"); status != http.StatusBadRequest {
		t.Errorf("bad address: %d", status)
	}
}

func TestNetwork_Fund(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.must(b.net.Fund(b.account.Address(), 5*xlm))
	if acc := b.accountEntry(b.account.Address()); acc.Balance != 1005*xlm {
		t.Errorf("balance: %d", acc.Balance)
	}
	if err := b.net.Fund("nobody", xlm); err == nil {
		t.Error("funded an invalid address")
	}
}

func TestPayment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	to := keypair.MustRandom()
	b.must(b.net.Fund(to.Address(), 10*xlm))

	got := b.sendAndApply(b.build(tx{fee: 5000, ops: []txnbuild.Operation{b.payment(to.Address(), "2.5")}}))
	b.wantSuccess(got)
	if acc := b.accountEntry(to.Address()); acc.Balance != 125*xlm/10 {
		t.Errorf("destination has %d", acc.Balance)
	}
	// The part of the bid above the base fee is not charged.
	if acc := b.accountEntry(b.account.Address()); acc.Balance != 1000*xlm-25*xlm/10-100 {
		t.Errorf("source has %d", acc.Balance)
	}
	if result := b.result(got.ResultXDR); result.FeeCharged != 100 {
		t.Errorf("fee charged: %d", result.FeeCharged)
	}
	meta := b.meta(got)
	if len(meta.TxChangesBefore) != 2 || len(meta.Operations) != 1 || len(meta.Operations[0].Changes) != 4 ||
		len(meta.Operations[0].Events) != 1 || len(meta.Events) != 1 {
		t.Errorf("meta: %+v", meta)
	}

	t.Run("FailureUsesFeeAndSequenceNumber", func(t *testing.T) {
		b := b.withT(t)
		before := b.accountEntry(b.account.Address())
		got := b.sendAndApply(b.build(tx{ops: []txnbuild.Operation{
			b.payment(to.Address(), "1"), b.payment(keypair.MustRandom().Address(), "1"),
		}}))
		after := b.accountEntry(b.account.Address())
		if got.Status != protocol.TransactionStatusFailed {
			t.Fatalf("status %s", got.Status)
		}
		if after.Balance != before.Balance-200 || after.SeqNum != before.SeqNum+1 {
			t.Errorf("from %d/%d to %d/%d", before.Balance, before.SeqNum, after.Balance, after.SeqNum)
		}
		results, _ := b.result(got.ResultXDR).OperationResults()
		if results[0].MustTr().MustPaymentResult().Code != xdr.PaymentResultCodePaymentSuccess ||
			results[1].MustTr().MustPaymentResult().Code != xdr.PaymentResultCodePaymentNoDestination {
			t.Errorf("results: %+v", results)
		}
		if len(b.meta(got).Operations) != 0 {
			t.Error("a failed transaction has operation meta")
		}
	})

	t.Run("KeepsReserve", func(t *testing.T) {
		b := b.withT(t)
		got := b.sendAndApply(b.build(tx{source: to, ops: []txnbuild.Operation{b.payment(b.account.Address(), "12")}}))
		results, _ := b.result(got.ResultXDR).OperationResults()
		if code := results[0].MustTr().MustPaymentResult().Code; code != xdr.PaymentResultCodePaymentUnderfunded {
			t.Errorf("got %s", code)
		}
	})
}

func TestCreateAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	child := keypair.MustRandom()
	got := b.sendAndApply(b.build(tx{ops: []txnbuild.Operation{
		&txnbuild.CreateAccount{Destination: child.Address(), Amount: "20"},
	}}))
	b.wantSuccess(got)
	acc := b.accountEntry(child.Address())
	if acc.Balance != 20*xlm || int64(acc.SeqNum) != int64(got.Ledger)<<32 {
		t.Errorf("account: %+v", acc)
	}

	t.Run("RequiresReserve", func(t *testing.T) {
		b := b.withT(t)
		got := b.sendAndApply(b.build(tx{ops: []txnbuild.Operation{
			&txnbuild.CreateAccount{Destination: keypair.MustRandom().Address(), Amount: "0.9"},
		}}))
		results, _ := b.result(got.ResultXDR).OperationResults()
		if code := results[0].MustTr().MustCreateAccountResult().Code; code != xdr.CreateAccountResultCodeCreateAccountLowReserve {
			t.Errorf("got %s", code)
		}
	})
}

// diagnosticsOf returns the network's diagnostics of a failure.
func (b *fixture) diagnosticsOf(got protocol.GetTransactionResponse) string {
	var out bytes.Buffer
	if got.ResultXDR != "" {
		encoded, _ := json.Marshal(b.result(got.ResultXDR))
		out.Write(encoded)
	}
	for _, raw := range got.DiagnosticEventsXDR {
		var event xdr.DiagnosticEvent
		if xdr.SafeUnmarshalBase64(raw, &event) == nil {
			out.WriteString("\n" + event.Event.Body.V0.Data.String())
		}
	}
	return out.String()
}
