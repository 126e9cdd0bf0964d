package conformance_test

import (
	"encoding/hex"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
)

func (f scriptResults) checkNetwork(t *testing.T, n testNetwork) {
	if f.Network.Status != "healthy" || f.Network.Passphrase != n.Passphrase() || f.Network.Protocol != 28 {
		t.Errorf("network %+v", f.Network)
	}
	if f.Network.FriendbotURL != n.FriendbotURL() {
		t.Errorf("friendbot at %s, want %s", f.Network.FriendbotURL, n.FriendbotURL())
	}
	if want := "account already funded to starting balance"; f.Accounts.Twice != want {
		t.Errorf("funded twice: %q, want %q", f.Accounts.Twice, want)
	}
}

func (f scriptResults) checkContract(t *testing.T, n testNetwork) {
	hash := contract.Hash()
	if f.Deployed.WasmHash != hex.EncodeToString(hash[:]) {
		t.Errorf("code %s", f.Deployed.WasmHash)
	}
	stored := n.contractInstance(t, f.Deployed.Contract)
	if stored.wasmHash != hash {
		t.Errorf("the contract runs %x", stored.wasmHash)
	}
	admin, ok := stored.values["Admin"].GetAddress()
	if !ok || admin.AccountId.Address() != f.Accounts.Admin || f.Calls.Admin != f.Accounts.Admin {
		t.Errorf("admin %v, the SDK read %s, want %s", admin, f.Calls.Admin, f.Accounts.Admin)
	}
	if tenant, ok := stored.values["Tenant"].GetBytes(); !ok || string(tenant) != strings.Repeat("\x07", 32) {
		t.Errorf("tenant %x", tenant)
	}
	if status, ok := stored.values["Status"].GetU32(); !ok || uint32(status) != contract.StatusActive || f.Calls.Status != contract.StatusActive {
		t.Errorf("status %d, the SDK read %d", status, f.Calls.Status)
	}
	if f.Calls.Anchor.Seq != "5" || f.Calls.Anchor.Root != strings.Repeat("09", 32) ||
		f.Calls.Anchor.Ledger != n.transaction(t, f.Calls.Hashes[1]).Ledger {
		t.Errorf("anchor %+v", f.Calls.Anchor)
	}
	if !slices.Contains(f.Discovery, "latest_anchor") || len(f.Discovery) < 8 {
		t.Errorf("functions %v", f.Discovery)
	}
	if !strings.Contains(f.Calls.Refused, "not above the newest anchor") {
		t.Errorf("an anchor out of order was refused with %q", f.Calls.Refused)
	}
	failed := n.transaction(t, f.Failure.Hash)
	if f.Failure.Status != "FAILED" || failed.Status != protocol.TransactionStatusFailed {
		t.Errorf("failure %+v, the network says %s", f.Failure, failed.Status)
	}
	if f.Failure.Diagnostics == 0 || f.Failure.Diagnostics != len(failed.DiagnosticEventsXDR) {
		t.Errorf("%d diagnostic events, the network has %d", f.Failure.Diagnostics, len(failed.DiagnosticEventsXDR))
	}
}

func (f scriptResults) checkHistory(t *testing.T, n testNetwork) {
	// Constructor, three changes of status, two anchors; failed calls have no events.
	want := map[string]int{"constructed": 1, "status_set": 3, "anchored": 2, "admin_set": 0}
	if !reflect.DeepEqual(f.History.Named, want) {
		t.Errorf("events %v, want %v", f.History.Named, want)
	}
	emitted := n.events(t, f.Deployed.Contract, 2)
	if len(f.History.Events) != 6 || len(emitted) != 8 { // Two more came after.
		t.Fatalf("%d events, later %d", len(f.History.Events), len(emitted))
	}
	for i, event := range f.History.Events {
		if event.ID != emitted[i].ID || event.TxHash != emitted[i].TransactionHash || int32(event.Ledger) != emitted[i].Ledger {
			t.Errorf("event %+v, the network says %+v", event, emitted[i])
		}
	}
	// The two for the accounts are in the first ledger read, or before it.
	if len(f.History.Transactions) < 8 || !slices.Contains(f.History.Transactions, f.Failure.Hash) {
		t.Errorf("transactions %v", f.History.Transactions)
	}
	if len(f.History.Ledgers) != 4 {
		t.Errorf("ledgers %+v", f.History.Ledgers)
	}
}

func (f scriptResults) checkLifetime(t *testing.T, n testNetwork) {
	if e := f.Extended; e.Before >= e.After || e.After != e.Ledger+3_000_000 {
		t.Errorf("extended %+v", e)
	}
	// A restored entry starts with the network's minimum lifetime.
	const minLiveUntil = 2_073_600 - 1
	r := f.Restored
	if r.Until != r.Ledger+minLiveUntil || r.Again != r.Restoring+minLiveUntil {
		t.Errorf("restored %+v", r)
	}
	if stored := n.contractInstance(t, f.Deployed.Contract); stored.liveUntil != r.Again {
		t.Errorf("lives until %d, the SDK read %d", stored.liveUntil, r.Again)
	}
}

func (f scriptResults) checkFeeBumps(t *testing.T, n testNetwork) {
	// Twice the base fee, as there is room in the ledger.
	if f.FeeBump.Charged != "200" {
		t.Errorf("fee bump %+v", f.FeeBump)
	}
	if charged, err := strconv.Atoi(f.CallFeeBump.Charged); err != nil || charged < 1000 {
		t.Errorf("fee bump of a call %+v", f.CallFeeBump)
	}
	for _, b := range []feeBumpResult{f.FeeBump, f.CallFeeBump} {
		if !b.FeeBump || b.Status != "SUCCESS" || b.InnerCharged != "0" {
			t.Errorf("fee bump %+v", b)
		}
		if got := n.transaction(t, b.Hash); !got.FeeBump || got.Status != protocol.TransactionStatusSuccess {
			t.Errorf("fee bump %s: %+v", b.Hash, got)
		}
	}
	if seq := n.contractInstance(t, f.Deployed.Contract).anchored(t); seq != 8 {
		t.Errorf("anchored up to %d, want what the fee bump of a call said", seq)
	}
}
