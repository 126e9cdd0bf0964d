package conformance_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// scriptResults are the results of js/run.js, by step.
type scriptResults struct {
	Network struct {
		Status, FriendbotURL, Passphrase string
		Protocol                         int
	}
	Accounts struct{ Admin, Payer, Twice string }
	Deployed struct{ Contract, WasmHash string }
	Calls    struct {
		Hashes         []string
		Admin, Refused string
		Status         uint32
		Anchor         struct {
			Seq, Root string
			Ledger    uint32
		}
	}
	Failure struct {
		Status, Hash string
		Diagnostics  int
	}
	History struct {
		Events []struct {
			ID     string
			Ledger uint32
			TxHash string
		}
		Named        map[string]int
		Transactions []string
		Ledgers      []struct {
			Sequence uint32
			Hash     string
		}
	}
	Extended             struct{ Before, After, Ledger uint32 }
	Restored             struct{ Ledger, Until, Restoring, Again uint32 }
	Discovery            []string
	FeeBump, CallFeeBump feeBumpResult
}

// feeBumpResult is a transaction whose fee another account has paid, in stroops.
type feeBumpResult struct {
	Status, Hash, InnerHash, Charged, InnerCharged string
	FeeBump                                        bool
}

func TestJavaScriptSDK(t *testing.T) {
	t.Parallel()
	node := installSDK(t)
	n := start(t)
	wasm := writeWasm(t)
	dir := node.scripts(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node.program, filepath.Join(dir, "run.js"), n.RPCURL(), wasm)
	steps := runScript(t, cmd, func(ask, about string) error {
		if ask != "expire" {
			return fmt.Errorf("there is no request %q", ask)
		}
		return n.Faults().ExpireContract(about)
	})
	var got scriptResults
	shared, err := json.Marshal(steps)
	if err == nil {
		err = json.Unmarshal(shared, &got)
	}
	if err != nil {
		t.Fatalf("%v in %s", err, shared)
	}
	t.Run("Network", func(t *testing.T) { got.checkNetwork(t, n) })
	t.Run("Contract", func(t *testing.T) { got.checkContract(t, n) })
	t.Run("History", func(t *testing.T) { got.checkHistory(t, n) })
	t.Run("Lifetime", func(t *testing.T) { got.checkLifetime(t, n) })
	t.Run("FeeBump", func(t *testing.T) { got.checkFeeBumps(t, n) })
}
