package conformance_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/clients/rpcclient"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/strkey"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
)

// testNetwork is a running network and a separate client that reads its state.
type testNetwork struct {
	*stellarnet.Network
	client *rpcclient.Client
}

func start(t *testing.T) testNetwork {
	t.Helper()
	n, err := stellarnet.Start(t.Context(), stellarnet.Options{LedgerClose: 250 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	client := rpcclient.NewClient(n.RPCURL(), nil)
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return testNetwork{Network: n, client: client}
}

// writeWasm writes the tenant contract to a file for a tool.
func writeWasm(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tenant_contract.wasm")
	if err := os.WriteFile(file, contract.Wasm(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// instance is a contract's (C...) instance on the ledger.
type instance struct {
	values    map[string]xdr.ScVal // By the name of the key.
	wasmHash  xdr.Hash
	liveUntil uint32
	ledger    uint32 // The ledger of the read.
}

func (n testNetwork) contractInstance(t *testing.T, address string) instance {
	t.Helper()
	raw, err := strkey.Decode(strkey.VersionByteContract, address)
	if err != nil {
		t.Fatalf("contract %q: %v", address, err)
	}
	id := xdr.ContractId(raw)
	key, err := xdr.MarshalBase64(xdr.LedgerKey{Type: xdr.LedgerEntryTypeContractData, ContractData: &xdr.LedgerKeyContractData{
		Contract:   xdr.ScAddress{Type: xdr.ScAddressTypeScAddressTypeContract, ContractId: &id},
		Key:        xdr.ScVal{Type: xdr.ScValTypeScvLedgerKeyContractInstance},
		Durability: xdr.ContractDataDurabilityPersistent,
	}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := n.client.GetLedgerEntries(t.Context(), protocol.GetLedgerEntriesRequest{Keys: []string{key}})
	if err != nil || len(got.Entries) != 1 {
		t.Fatalf("%d instances of %s: %v", len(got.Entries), address, err)
	}
	var data xdr.LedgerEntryData
	if err := xdr.SafeUnmarshalBase64(got.Entries[0].DataXDR, &data); err != nil {
		t.Fatal(err)
	}
	return instanceOf(t, data, *got.Entries[0].LiveUntilLedgerSeq, got.LatestLedger)
}

func instanceOf(t *testing.T, data xdr.LedgerEntryData, liveUntil, ledger uint32) instance {
	t.Helper()
	stored, ok := data.MustContractData().Val.GetInstance()
	if !ok || stored.Executable.WasmHash == nil || stored.Storage == nil {
		t.Fatalf("no instance with code and storage: %+v", data)
	}
	in := instance{values: map[string]xdr.ScVal{}, wasmHash: *stored.Executable.WasmHash, liveUntil: liveUntil, ledger: ledger}
	for _, entry := range *stored.Storage {
		name := (**entry.Key.Vec)[0]
		in.values[string(*name.Sym)] = entry.Val
	}
	return in
}

// anchored is the sequence number of the newest anchor.
func (in instance) anchored(t *testing.T) uint64 {
	t.Helper()
	anchor, ok := in.values["Anchor"].GetMap()
	if !ok || anchor == nil {
		t.Fatal("no anchor")
	}
	for _, field := range *anchor {
		if name, ok := field.Key.GetSym(); ok && name == "seq" {
			return uint64(field.Val.MustU64())
		}
	}
	t.Fatalf("an anchor without sequence number: %v", anchor)
	return 0
}

// transaction returns an applied transaction.
func (n testNetwork) transaction(t *testing.T, hash string) protocol.GetTransactionResponse {
	t.Helper()
	got, err := n.client.GetTransaction(t.Context(), protocol.GetTransactionRequest{Hash: hash})
	if err != nil || got.Status == protocol.TransactionStatusNotFound {
		t.Fatalf("transaction %q: %s, %v", hash, got.Status, err)
	}
	return got
}

// events are all events of the contract.
func (n testNetwork) events(t *testing.T, address string, from uint32) []protocol.EventInfo {
	t.Helper()
	got, err := n.client.GetEvents(t.Context(), protocol.GetEventsRequest{
		StartLedger: from,
		Filters:     []protocol.EventFilter{{ContractIDs: []string{address}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return got.Events
}
