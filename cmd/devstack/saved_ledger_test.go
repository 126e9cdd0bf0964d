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

// createFundedAccount creates an account through the friendbot and returns its address.
func createFundedAccount(t *testing.T, env map[string]string) string {
	t.Helper()
	address := keypair.MustRandom().Address()
	var answer struct{ Successful bool }
	fetch(t, http.MethodGet, env["FRIENDBOT_URL"]+"?addr="+address, "", &answer)
	if !answer.Successful {
		t.Fatalf("the friendbot did not fund %s", address)
	}
	return address
}

func accountExists(t *testing.T, env map[string]string, address string) bool {
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

// waitForSnapshot waits until a new snapshot has replaced the one from before an event.
func waitForSnapshot(t *testing.T, path string, action func()) {
	t.Helper()
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	action()
	deadline := time.Now().Add(20 * time.Second)
	for now := before; os.SameFile(before, now) && before.ModTime().Equal(now.ModTime()); {
		if time.Now().After(deadline) {
			t.Fatal("the ledger was not saved")
		}
		time.Sleep(10 * time.Millisecond) // No signal reports a write of another process.
		if now, err = os.Stat(path); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSavedLedger_SurvivesKill(t *testing.T) {
	t.Parallel()
	b := setup(t, accounts[0])
	data, file := filepath.Join(b.tmp, "kept"), filepath.Join(b.tmp, "stack.env")
	snapshot := filepath.Join(data, "ledger.snapshot")
	var deployer string
	var funded []string
	for round := range 3 {
		r := b.start(t, "--data", data, "--env-file", file, "--ledger-close", "100ms")
		readLineWith(t, r.stderr, "the settings are in")
		env := settings(t.Context(), t, file)
		if round > 0 && env["SOROBAN_CONTRACT_DEPLOYER_SECRET"] != deployer {
			t.Errorf("round %d: another deployer", round)
		}
		deployer = env["SOROBAN_CONTRACT_DEPLOYER_SECRET"]
		for _, address := range append(funded, keypair.MustParseFull(deployer).Address()) {
			if !accountExists(t, env, address) {
				t.Errorf("round %d: account %s is gone", round, address)
			}
		}
		waitForSnapshot(t, snapshot, func() { funded = append(funded, createFundedAccount(t, env)) })
		// That save may have started before the account existed. The next save has the
		// account.
		waitForSnapshot(t, snapshot, func() { createFundedAccount(t, env) })
		for range 3 {
			createFundedAccount(t, env) // So that a save may be running.
		}
		if err := r.cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		r.wait(t)
	}
}
