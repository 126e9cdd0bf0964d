package stellarnet_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// tree is a response, decoded as generic JSON.
type tree = map[string]any

// callRPC calls a method without a client library.
func (b *fixture) callRPC(method string, params any) tree {
	b.t.Helper()
	body, err := json.Marshal(tree{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	b.must(err)
	response, err := http.Post(b.net.RPCURL(), "application/json", strings.NewReader(string(body)))
	b.must(err)
	defer func() { _ = response.Body.Close() }()
	var out tree
	b.must(json.NewDecoder(response.Body).Decode(&out))
	result, ok := out["result"].(tree)
	if !ok {
		b.t.Fatalf("%s: %v", method, out["error"])
	}
	return result
}

// assertJSON is the host's JSON of a base64 value.
func (b *fixture) assertJSON(typeName string, encoded any) any {
	b.t.Helper()
	text, _ := encoded.(string)
	raw, err := base64.StdEncoding.DecodeString(text)
	b.must(err)
	asJSON, err := testenv.SorobanHost(b.t).XDRToJSON(b.ctx, typeName, raw)
	b.must(err)
	var out any
	b.must(json.Unmarshal(asJSON, &out))
	return out
}

// wantSameInJSON compares a JSON response with the same response in base64: each JSON
// field must equal the host's conversion of the base64 field. fields are name in base64,
// name in JSON, type.
func (b *fixture) wantSameInJSON(plain, asJSON any, fields ...[3]string) {
	b.t.Helper()
	p, _ := plain.(tree)
	j, _ := asJSON.(tree)
	for _, f := range fields {
		want := b.assertJSONList(f[2], p[f[0]])
		got, err := json.Marshal(j[f[1]])
		b.must(err)
		asXDR, err := json.Marshal(want)
		b.must(err)
		if p[f[0]] == nil || string(got) != string(asXDR) {
			b.t.Errorf("%s: got %.200s, want %.200s", f[1], got, asXDR)
		}
		if text := j[f[0]]; text != nil && text != "" {
			b.t.Errorf("%s is present beside %s", f[0], f[1])
		}
	}
}

// assertJSONList does the same for lists.
func (b *fixture) assertJSONList(typeName string, v any) any {
	list, ok := v.([]any)
	if !ok {
		return b.assertJSON(typeName, v)
	}
	out := make([]any, len(list))
	for i := range list {
		out[i] = b.assertJSONList(typeName, list[i])
	}
	return out
}

func first(v any) any {
	if list, ok := v.([]any); ok && len(list) > 0 {
		return list[0]
	}
	return nil
}

func TestRPC_JSONFormat(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id, called, _ := b.emitEvents()
	formats := func(b *fixture, method string, params tree) (plain, asJSON tree) {
		b.t.Helper()
		plain = b.callRPC(method, params)
		params["xdrFormat"] = "json"
		return plain, b.callRPC(method, params)
	}
	transaction := [][3]string{
		{"envelopeXdr", "envelopeJson", "TransactionEnvelope"}, {"resultXdr", "resultJson", "TransactionResult"},
		{"resultMetaXdr", "resultMetaJson", "TransactionMeta"}, {"diagnosticEventsXdr", "diagnosticEventsJson", "DiagnosticEvent"},
	}
	events := [][3]string{
		{"transactionEventsXdr", "transactionEventsJson", "TransactionEvent"}, {"contractEventsXdr", "contractEventsJson", "ContractEvent"},
	}

	t.Run("GetTransaction", func(t *testing.T) {
		b := b.withT(t)
		plain, asJSON := formats(b, "getTransaction", tree{"hash": called.TransactionHash})
		b.wantSameInJSON(plain, asJSON, transaction...)
		b.wantSameInJSON(plain["events"], asJSON["events"], events...)
	})
	t.Run("GetTransactions", func(t *testing.T) {
		b := b.withT(t)
		plain, asJSON := formats(b, "getTransactions", tree{"startLedger": called.Ledger})
		b.wantSameInJSON(first(plain["transactions"]), first(asJSON["transactions"]), transaction...)
	})
	t.Run("GetLedgers", func(t *testing.T) {
		b := b.withT(t)
		plain, asJSON := formats(b, "getLedgers", tree{"startLedger": called.Ledger})
		b.wantSameInJSON(first(plain["ledgers"]), first(asJSON["ledgers"]),
			[3]string{"headerXdr", "headerJson", "LedgerHeaderHistoryEntry"}, [3]string{"metadataXdr", "metadataJson", "LedgerCloseMeta"})
	})
	t.Run("GetEvents", func(t *testing.T) {
		b := b.withT(t)
		plain, asJSON := formats(b, "getEvents", tree{"startLedger": called.Ledger})
		b.wantSameInJSON(first(plain["events"]), first(asJSON["events"]),
			[3]string{"topic", "topicJson", "ScVal"}, [3]string{"value", "valueJson", "ScVal"})
	})
	t.Run("GetLedgerEntries", func(t *testing.T) {
		b := b.withT(t)
		key, err := xdr.MarshalBase64(instanceKey(id))
		b.must(err)
		plain, asJSON := formats(b, "getLedgerEntries", tree{"keys": []string{key}})
		b.wantSameInJSON(first(plain["entries"]), first(asJSON["entries"]),
			[3]string{"key", "keyJson", "LedgerKey"}, [3]string{"xdr", "dataJson", "LedgerEntryData"}, [3]string{"extXdr", "extJson", "LedgerEntryExt"})
	})
	t.Run("SimulateTransaction", func(t *testing.T) {
		b := b.withT(t)
		encoded, err := b.build(tx{ops: []txnbuild.Operation{b.create(2)}}).Base64()
		b.must(err)
		plain, asJSON := formats(b, "simulateTransaction", tree{"transaction": encoded})
		b.wantSameInJSON(plain, asJSON,
			[3]string{"transactionData", "transactionDataJson", "SorobanTransactionData"}, [3]string{"events", "eventsJson", "DiagnosticEvent"})
		b.wantSameInJSON(first(plain["results"]), first(asJSON["results"]),
			[3]string{"auth", "authJson", "SorobanAuthorizationEntry"}, [3]string{"xdr", "returnValueJson", "ScVal"})
		b.wantSameInJSON(first(plain["stateChanges"]), first(asJSON["stateChanges"]),
			[3]string{"key", "keyJson", "LedgerKey"}, [3]string{"after", "afterJson", "LedgerEntry"})
	})
	t.Run("SendTransaction", func(t *testing.T) {
		b := b.withT(t)
		encoded, err := b.build(tx{seq: 7, ops: []txnbuild.Operation{b.payment(b.account.Address(), "1")}}).Base64()
		b.must(err)
		plain, asJSON := formats(b, "sendTransaction", tree{"transaction": encoded})
		b.wantSameInJSON(plain, asJSON, [3]string{"errorResultXdr", "errorResultJson", "TransactionResult"})
	})
	t.Run("UnknownFormat", func(t *testing.T) {
		b := b.withT(t)
		got := b.callRPC(protocol.SimulateTransactionMethodName, tree{"transaction": "", "xdrFormat": "yaml"})
		if text, _ := got["error"].(string); !strings.Contains(text, "xdrFormat") {
			t.Errorf("got %v", got)
		}
	})
}
