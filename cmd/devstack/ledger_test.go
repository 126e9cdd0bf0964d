//go:build unix

package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"
	"github.com/stellar/go-stellar-sdk/xdr"
)

// fund creates an account through the friendbot and returns its address.
func fund(t *testing.T, env map[string]string) string {
	t.Helper()
	address := keypair.MustRandom().Address()
	var answer struct{ Successful bool }
	fetch(t, http.MethodGet, env["FRIENDBOT_URL"]+"?addr="+address, "", &answer)
	if !answer.Successful {
		t.Fatalf("the friendbot did not fund %s", address)
	}
	return address
}

func exists(t *testing.T, env map[string]string, address string) bool {
	t.Helper()
	id := xdr.MustAddress(address)
	key, err := id.LedgerKey()
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := key.MarshalBinaryBase64()
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Result struct{ Entries []any } }
	fetch(t, http.MethodPost, env["SOROBAN_RPC_URL"],
		`{"jsonrpc":"2.0","id":1,"method":"getLedgerEntries","params":{"keys":["`+encoded+`"]}}`, &answer)
	return len(answer.Result.Entries) == 1
}

// awaitSave waits until a snapshot has taken the place of the one that was there
// before something happened.
func awaitSave(t *testing.T, path string, happen func()) {
	t.Helper()
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	happen()
	deadline := time.Now().Add(20 * time.Second)
	for now := before; os.SameFile(before, now) && before.ModTime().Equal(now.ModTime()); {
		if time.Now().After(deadline) {
			t.Fatal("the ledger was not saved")
		}
		time.Sleep(10 * time.Millisecond) // Nothing tells when another process has written.
		if now, err = os.Stat(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKeptLedger_SurvivesKill(t *testing.T) {
	t.Parallel()
	b := setup(t, accounts[0])
	data, file := filepath.Join(b.tmp, "kept"), filepath.Join(b.tmp, "stack.env")
	snapshot := filepath.Join(data, "ledger.snapshot")
	var deployer string
	var funded []string
	for round := range 3 {
		r := b.start(t, "--data", data, "--env-file", file, "--ledger-close", "100ms")
		line(t, r.stderr, "the settings are in")
		env := settings(t.Context(), t, file)
		if round > 0 && env["SOROBAN_CONTRACT_DEPLOYER_SECRET"] != deployer {
			t.Errorf("round %d: another deployer", round)
		}
		deployer = env["SOROBAN_CONTRACT_DEPLOYER_SECRET"]
		for _, address := range append(funded, keypair.MustParseFull(deployer).Address()) {
			if !exists(t, env, address) {
				t.Errorf("round %d: account %s is gone", round, address)
			}
		}
		awaitSave(t, snapshot, func() { funded = append(funded, fund(t, env)) })
		// That save may have begun before the account was there. The next one has it.
		awaitSave(t, snapshot, func() { fund(t, env) })
		for range 3 {
			fund(t, env) // So that a save is under way, maybe.
		}
		if err := r.cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		r.wait(t)
	}
}
