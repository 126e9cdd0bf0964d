//go:build stellarcli

package conformance_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban/contract"
)

const (
	cliTenant = "0707070707070707070707070707070707070707070707070707070707070707"
	cliRoot   = "0909090909090909090909090909090909090909090909090909090909090909"
)

func TestStellarCLI(t *testing.T) {
	c, n := newCLI(t), start(t)
	t.Log(c.mustRun(t, "version"))
	c.mustRun(t, "network", "add", "local", "--rpc-url", n.RPCURL(), "--network-passphrase", n.Passphrase())
	c.checkNetwork(t, n)
	c.mustRun(t, "keys", "generate", "admin", "--network", "local", "--fund")
	// Like other clients, it takes "already funded" for success.
	c.mustRun(t, "keys", "fund", "admin", "--network", "local")

	id := c.deploy(t, n)
	c.checkCalls(t, n, id)
	c.checkHistory(t, n, id)
	c.checkReads(t, n, id)
	c.checkLifetime(t, n, id)
	c.transactions(t)
}

func (c cli) checkNetwork(t *testing.T, n testNetwork) {
	t.Helper()
	var info struct {
		Passphrase      string `json:"passphrase"`
		ProtocolVersion int    `json:"protocol_version"`
		FriendbotURL    string `json:"friendbot_url"`
	}
	decodeJSON(t, c.mustRun(t, "network", "info", "--network", "local", "--output", "json"), &info)
	if info.Passphrase != n.Passphrase() || info.ProtocolVersion != 28 || info.FriendbotURL != n.FriendbotURL() {
		t.Errorf("network %+v", info)
	}
	if got := c.mustRun(t, "network", "health", "--network", "local", "--output", "json"); !strings.Contains(got, `"healthy"`) {
		t.Errorf("health %s", got)
	}
	if got := c.mustRun(t, "network", "settings", "--network", "local"); !strings.Contains(got, `"max_entry_ttl":3110400`) {
		t.Errorf("settings %s", got)
	}
}

func (c cli) deploy(t *testing.T, n testNetwork) string {
	t.Helper()
	wasm := writeWasm(t)
	want := contract.Hash()
	if got := c.mustRun(t, readInstance("contract", "upload", "--wasm", wasm)...); got != hex.EncodeToString(want[:]) {
		t.Errorf("uploaded %s, want %x", got, want)
	}
	id := c.mustRun(t, append(readInstance("contract", "deploy", "--wasm", wasm, "--alias", "tenant"),
		"--", "--admin", "admin", "--tenant_hash", cliTenant)...)
	stored := n.contractInstance(t, id)
	admin, ok := stored.values["Admin"].GetAddress()
	if !ok || admin.AccountId.Address() != c.mustRun(t, "keys", "address", "admin") || stored.wasmHash != want {
		t.Errorf("instance %+v", stored)
	}
	return id
}

func (c cli) checkCalls(t *testing.T, n testNetwork, id string) {
	t.Helper()
	if got := c.invoke(t, "tenant", "tenant"); got != strconv.Quote(cliTenant) {
		t.Errorf("tenant %s", got)
	}
	c.invoke(t, "tenant", "set_status", "--status", "2")
	if status, ok := n.contractInstance(t, id).values["Status"].GetU32(); !ok || uint32(status) != contract.StatusArchived {
		t.Errorf("status %d", status)
	}
	c.invoke(t, "tenant", "anchor", "--seq", "5", "--root", cliRoot)
	var anchor struct{ Seq, Ledger uint32 }
	decodeJSON(t, c.invoke(t, "tenant", "latest_anchor"), &anchor)
	if anchor.Seq != 5 || anchor.Ledger == 0 {
		t.Errorf("anchor %+v", anchor)
	}
	_, complaint, err := c.runWithError(t, append(readInstance("contract", "invoke", "--id", id), "--", "anchor", "--seq", "5", "--root", cliRoot)...)
	for _, want := range []string{"Error(Contract, #7201)", "Event log (newest first):", "fn_call, " + id + ", anchor"} {
		if err == nil || !strings.Contains(complaint, want) {
			t.Errorf("an anchor out of order: %v, %q, want %q", err, complaint, want)
		}
	}
}

func (c cli) checkHistory(t *testing.T, n testNetwork, id string) {
	t.Helper()
	shown, emitted := c.events(t, "--id", "tenant"), n.events(t, id, 2)
	if len(shown) != 3 || len(emitted) != 3 {
		t.Fatalf("%d events, the network has %d", len(shown), len(emitted))
	}
	for i, want := range []string{"Constructed", "StatusSet", "Anchored"} {
		if shown[i].Name != want || shown[i].ID != emitted[i].ID || shown[i].Ledger != emitted[i].Ledger {
			t.Errorf("event %+v, the network says %+v", shown[i], emitted[i])
		}
	}
	if got := string(shown[2].Params); got != `{"seq":5,"root":"`+cliRoot+`"}` {
		t.Errorf("parameters %s", got)
	}
	topic := emitted[2].TopicXDR[0] + ",*"
	if found := c.events(t, "--id", "tenant", "--topic", topic); len(found) != 1 || found[0].Name != "Anchored" {
		t.Errorf("by topic: %+v", found)
	}
	if found := c.events(t, "--id", "tenant", "--count", "2"); len(found) != 2 {
		t.Errorf("%d events of two", len(found))
	}
}

func (c cli) checkReads(t *testing.T, n testNetwork, id string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "fetched.wasm")
	c.mustRun(t, "contract", "fetch", "--id", "tenant", "--network", "local", "--out-file", file)
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, contract.Wasm()) {
		t.Errorf("fetched %d bytes, %v", len(got), err)
	}
	stored := n.contractInstance(t, id)
	got := c.mustRun(t, "contract", "read", "--id", "tenant", "--network", "local")
	if !strings.Contains(got, hex.EncodeToString(stored.wasmHash[:])) || !strings.HasSuffix(got, ","+strconv.Itoa(int(stored.liveUntil))) {
		t.Errorf("read %s", got)
	}
	if got := c.mustRun(t, "contract", "info", "interface", "--id", "tenant", "--network", "local"); !strings.Contains(got, "fn latest_anchor(") {
		t.Errorf("interface %s", got)
	}
	var latest struct{ Sequence uint32 }
	decodeJSON(t, c.mustRun(t, "ledger", "latest", "--network", "local", "--output", "json"), &latest)
	sequence := strconv.Itoa(int(latest.Sequence))
	if got := c.mustRun(t, "ledger", "fetch", sequence, "--network", "local", "--output", "json"); !strings.Contains(got, `"ledger_seq":`+sequence) {
		t.Errorf("ledger %s: %s", sequence, got)
	}
}

func (c cli) checkLifetime(t *testing.T, n testNetwork, id string) {
	t.Helper()
	ttl := func(args ...string) uint32 {
		// restore prints this text despite the flag.
		out := c.mustRun(t, readInstance(append([]string{"contract"}, args...)...)...)
		got, err := strconv.ParseUint(strings.TrimPrefix(out, "New ttl ledger: "), 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		stored := n.contractInstance(t, id)
		if uint32(got) != stored.liveUntil {
			t.Errorf("%s: lives until %d, the network says %d", args[0], got, stored.liveUntil)
		}
		return uint32(got)
	}
	extended := ttl("extend", "--id", "tenant", "--ledgers-to-extend", "3000000", "--ttl-ledger-only")
	if extended < 3_000_000 {
		t.Errorf("extended to %d", extended)
	}
	if err := n.Faults().ExpireContract(id); err != nil {
		t.Fatal(err)
	}
	if restored := ttl("restore", "--id", "tenant", "--ttl-ledger-only"); restored < 2_073_600 || restored >= extended {
		t.Errorf("restored to %d", restored)
	}
	if err := n.Faults().ExpireContract(id); err != nil {
		t.Fatal(err)
	}
	// An invocation restores the entries that it needs.
	c.invoke(t, "tenant", "anchor", "--seq", "6", "--root", cliRoot)
	if stored := n.contractInstance(t, id); stored.liveUntil < stored.ledger || stored.anchored(t) != 6 {
		t.Errorf("lives until %d in ledger %d, anchored up to %d", stored.liveUntil, stored.ledger, stored.anchored(t))
	}
}

// transactions runs all steps separately: build, sign, send, fetch by hash.
func (c cli) transactions(t *testing.T) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tx")
	step := func(args ...string) {
		out := c.mustRun(t, args...)
		if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	step("tx", "new", "bump-sequence", "--source-account", "admin", "--bump-to", "1", "--network", "local", "--build-only")
	step("tx", "sign", file, "--sign-with-key", "admin", "--network", "local")
	hash := c.mustRun(t, "tx", "hash", file, "--network", "local")
	c.mustRun(t, "tx", "send", file, "--network", "local")
	var result struct {
		FeeCharged string `json:"fee_charged"`
	}
	decodeJSON(t, c.mustRun(t, "tx", "fetch", "result", "--hash", hash, "--network", "local", "--output", "json"), &result)
	if result.FeeCharged != "100" {
		t.Errorf("result %+v of %s", result, hash)
	}
}

func decodeJSON(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}
