//go:build unix

package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/watchdog/watchdogtest"
)

func TestCommand_ReceivesSettings(t *testing.T) {
	forEachAccount(t, func(t *testing.T, b *fixture) {
		stdout, stderr, status := b.run(t, "--", "env")
		if status != 0 {
			t.Fatalf("status %d: %s", status, stderr)
		}
		env := map[string]string{}
		for setting := range strings.SplitSeq(stdout, "\n") {
			name, value, _ := strings.Cut(setting, "=")
			if old, twice := env[name]; twice && name != "" {
				t.Errorf("%s is set twice: %q and %q", name, old, value)
			}
			env[name] = value
		}
		for name, start := range map[string]string{
			"DATABASE_URL": "postgres://", "DB_HOST": "127.0.0.1", "DB_PORT": "", "DB_USERNAME": "", "DB_PASSWORD": "",
			"DB_NAME": "healthcare", "DB_SSLMODE": "disable", "SOROBAN_NETWORK": "local", "SOROBAN_RPC_URL": "http://127.0.0.1:",
			"SOROBAN_NETWORK_PASSPHRASE": "Standalone", "SOROBAN_CONTRACT_DEPLOYER_SECRET": "S", "FRIENDBOT_URL": "http://127.0.0.1:",
			"MAIL_HOST": "127.0.0.1", "MAIL_PORT": "", "MAIL_FROM": "Healthcare", "MAIL_TLS": "none",
			"MAIL_CATCHER_URL": "http://127.0.0.1:", "APP_URL": "http://127.0.0.1:3000",
		} {
			if value := env[name]; value == "" || !strings.HasPrefix(value, start) {
				t.Errorf("%s is %q, want %q at its start", name, value, start)
			}
		}
		for _, name := range []string{"MAIL_USER", "MAIL_PASSWORD"} {
			if value, exists := env[name]; exists {
				t.Errorf("%s=%s does not fit the mail catcher", name, value)
			}
		}
		if !strings.Contains(stderr, "ready in") || strings.Contains(stderr, "\x1b") {
			t.Errorf("output %q", stderr)
		}
		if remaining := b.tempEntries(t); len(remaining) != 0 {
			t.Errorf("remaining files: %v", remaining)
		}
	})
}

func TestCommand_Status(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"ItsOwn":         {[]string{"--", "sh", "-c", "exit 7"}, 7, "ready"},
		"OfASignal":      {[]string{"--", "sh", "-c", "kill -TERM $$"}, 128 + 15, "ready"},
		"WithoutDashes":  {[]string{"sh", "-c", "exit 7"}, 7, "ready"},
		"NotFound":       {[]string{"--", "no-such-command"}, 127, `command "no-such-command" was not found`},
		"NotRunnable":    {[]string{"--", "/etc"}, 126, "cannot be run"},
		"UnknownFlag":    {[]string{"--fast"}, 2, "-fast"},
		"BadLedgerClose": {[]string{"--ledger-close", "0s"}, 2, "--ledger-close is 0s"},
		"NoDuration":     {[]string{"--ledger-close", "soon"}, 2, "soon"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, accounts[0])
			if _, stderr, status := b.run(t, c.args...); status != c.status || !strings.Contains(stderr, c.says) {
				t.Errorf("status %d, want %d, and %q in: %s", status, c.status, c.says, stderr)
			}
			if remaining := b.tempEntries(t); len(remaining) != 0 {
				t.Errorf("remaining files: %v", remaining)
			}
		})
	}
}

func TestCommand_ReceivesSignals(t *testing.T) {
	forEachAccount(t, func(t *testing.T, b *fixture) {
		r := b.start(t, "--", "sh", "-c", `trap 'echo usr1' USR1; trap 'echo term; exit 3' TERM; trap 'echo int' INT; echo up; while :; do sleep 1000 & wait; done`)
		readLineWith(t, r.stdout, "up")
		for _, s := range []struct {
			signal syscall.Signal
			says   string
		}{{syscall.SIGUSR1, "usr1"}, {syscall.SIGINT, "int"}} {
			if err := r.cmd.Process.Signal(s.signal); err != nil {
				t.Fatal(err)
			}
			readLineWith(t, r.stdout, s.says)
		}
		if status := r.signal(t, syscall.SIGTERM); status != 3 {
			t.Errorf("status %d, want that of the command", status)
		}
		if remaining := b.tempEntries(t); len(remaining) != 0 {
			t.Errorf("remaining files: %v", remaining)
		}
	})
}

func TestCommand_StopsLeftoverProcesses(t *testing.T) {
	forEachAccount(t, func(t *testing.T, b *fixture) {
		stdout, _, status := b.run(t, "--", "sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!")
		if status != 0 || watchdogtest.Alive(number(t, stdout)) {
			t.Errorf("status %d; leftover process runs: %v", status, watchdogtest.Alive(number(t, stdout)))
		}
	})
}

func TestCommand_PersistsData(t *testing.T) {
	forEachAccount(t, func(t *testing.T, b *fixture) {
		data := filepath.Join(b.tmp, "kept")
		stdout, stderr, status := b.run(t, "--data", data, "--", "sh", "-c", "echo $DB_PASSWORD")
		if status != 0 {
			t.Fatalf("status %d: %s", status, stderr)
		}
		restarted, stderr, status := b.run(t, "--data", data, "--", "sh", "-c", "echo $DB_PASSWORD")
		if status != 0 || restarted != stdout {
			t.Errorf("status %d, another server %v: %s", status, restarted != stdout, stderr)
		}
		if remaining := b.tempEntries(t); len(remaining) != 1 || remaining[0] != "kept" {
			t.Errorf("the directory has %v", remaining)
		}
	})
	t.Run("UnreachableDirectoryIsReported", func(t *testing.T) {
		t.Parallel()
		b := setup(t, accounts[0])
		closed := filepath.Join(b.tmp, "closed")
		if err := os.Mkdir(closed, 0o000); err != nil {
			t.Fatal(err)
		}
		if _, stderr, status := b.run(t, "--data", filepath.Join(closed, "data"), "--", "true"); status != 1 || !strings.Contains(stderr, closed) {
			t.Errorf("status %d: %s", status, stderr)
		}
	})
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	b := setup(t, accounts[0])
	for flag, want := range map[string]string{"--help": "--ledger-close", "-h": "Usage:", "--version": "devstack "} {
		stdout, stderr, status := b.run(t, flag)
		if status != 0 || stderr != "" || !strings.Contains(stdout, want) {
			t.Errorf("%s: status %d, %q, %q", flag, status, stdout, stderr)
		}
	}
}
