//go:build unix

package stack_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/clients/rpcclient"
	"github.com/stellar/go-stellar-sdk/keypair"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stack"
)

// persistentDir is a directory that the database server's account can enter, even when
// the tests run as root.
func persistentDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "stack-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "data")
}

func startPersistent(t *testing.T, dir string) *stack.Stack {
	t.Helper()
	s, err := stack.Start(t.Context(), stack.Options{DataDir: dir, LedgerClose: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func latestLedger(t *testing.T, s *stack.Stack) uint32 {
	t.Helper()
	client := rpcclient.NewClient(s.Stellar.RPCURL(), nil)
	defer func() { _ = client.Close() }()
	health, err := client.GetHealth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return health.LatestLedger
}

func TestStart_ResumesSavedLedger(t *testing.T) {
	t.Parallel()
	dir := persistentDir(t)
	first := startPersistent(t, dir)
	if err := first.Stellar.Fund(first.Deployer.Address(), 7); err != nil {
		t.Fatal(err)
	}
	before := latestLedger(t, first)
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"deployer.key", "ledger.snapshot"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, error %v", name, info.Mode(), err)
		}
	}
	second := start(t, stack.Options{DataDir: dir})
	if second.Deployer.Seed() != first.Deployer.Seed() {
		t.Error("the deployer is another one")
	}
	if balance := deployerBalance(t, second); balance != stack.DeployerFunds+7 {
		t.Errorf("the deployer has %d stroops, want %d", balance, int64(stack.DeployerFunds+7))
	}
	if after := latestLedger(t, second); after <= before {
		t.Errorf("ledger %d after %d", after, before)
	}
	// The stack that starts second must not overwrite the first one's files.
	if _, err := stack.Start(t.Context(), stack.Options{DataDir: dir}); err == nil {
		t.Error("two stacks share a directory")
	}
}

func TestStart_RejectsInvalidSavedLedger(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		says  []string
	}{
		"Damaged": {
			map[string]string{"ledger.snapshot": "stellarnet snapshot 1\nabc", "deployer.key": keypair.MustRandom().Seed()},
			[]string{"damaged", "ledger.snapshot", "starts a new ledger"},
		},
		"WithoutItsKey": {map[string]string{"ledger.snapshot": "x"}, []string{"deployer.key is missing"}},
		"NoKey":         {map[string]string{"deployer.key": "SECRET"}, []string{"deployer.key has no secret key"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := persistentDir(t)
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			for file, content := range c.files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, err := stack.Start(t.Context(), stack.Options{DataDir: dir})
			for _, words := range c.says {
				if err == nil || !strings.Contains(err.Error(), words) {
					t.Errorf("got %v, want %q", err, words)
				}
			}
			if err != nil && strings.Contains(err.Error(), "SECRET") {
				t.Error("the error contains the key")
			}
		})
	}
}
