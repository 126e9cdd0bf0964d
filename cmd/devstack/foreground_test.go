//go:build unix

package main_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/smtp"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/watchdog/watchdogtest"
)

// settings evaluates an env file with a shell.
func settings(ctx context.Context, t *testing.T, path string) map[string]string {
	t.Helper()
	cmd := exec.CommandContext(ctx, "env", "-i", "/bin/sh", "-c", `. "$1" && env`, "sh", path)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for setting := range strings.SplitSeq(string(out), "\n") {
		name, value, _ := strings.Cut(setting, "=")
		env[name] = value
	}
	return env
}

func TestForeground_WritesEnvFile(t *testing.T) {
	forEachAccount(t, func(t *testing.T, b *fixture) {
		file := filepath.Join(b.tmp, "it's.env")
		r := b.start(t, "--env-file", file, "--ledger-close", "100ms")
		readLineWith(t, r.stderr, "the settings are in")
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("env file %v, error %v", info, err)
		}
		exerciseStack(t, settings(t.Context(), t, file))
		server := b.postgresPid(t)
		if status := r.signal(t, syscall.SIGINT); status != 0 {
			t.Errorf("status %d", status)
		}
		if remaining := b.tempEntries(t); len(remaining) != 0 || watchdogtest.Alive(server) {
			t.Errorf("remaining files: %v; the server runs: %v", remaining, watchdogtest.Alive(server))
		}
	})
}

// exerciseStack uses every part of the stack.
func exerciseStack(t *testing.T, env map[string]string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), env["DATABASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	var database string
	if err := conn.QueryRow(t.Context(), "SELECT current_database()::text").Scan(&database); err != nil || database != env["DB_NAME"] {
		t.Errorf("database %q, error %v", database, err)
	}
	if err := smtp.SendMail(env["MAIL_HOST"]+":"+env["MAIL_PORT"], nil, "a@b.example", []string{"c@d.example"}, []byte("Subject: hi\r\n\r\nhello\r\n")); err != nil {
		t.Error(err)
	}
	var messages []struct{ Subject string }
	fetch(t, http.MethodGet, env["MAIL_CATCHER_URL"]+"/messages", "", &messages)
	if len(messages) != 1 || messages[0].Subject != "hi" {
		t.Errorf("caught %+v", messages)
	}
	var answer struct{ Result struct{ Passphrase string } }
	fetch(t, http.MethodPost, env["SOROBAN_RPC_URL"], `{"jsonrpc":"2.0","id":1,"method":"getNetwork"}`, &answer)
	if answer.Result.Passphrase != env["SOROBAN_NETWORK_PASSPHRASE"] {
		t.Errorf("passphrase %q, want %q", answer.Result.Passphrase, env["SOROBAN_NETWORK_PASSPHRASE"])
	}
}

func fetch(t *testing.T, method, url, body string, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
}

func TestForeground_PrintsSettings(t *testing.T) {
	t.Parallel()
	b := setup(t, accounts[0])
	r := b.start(t)
	if text := readLineWith(t, r.stdout, "DATABASE_URL"); !strings.HasPrefix(text, "export DATABASE_URL='postgres://") {
		t.Errorf("standard output has %q", text)
	}
	if status := r.signal(t, syscall.SIGTERM); status != 0 {
		t.Errorf("status %d", status)
	}
}

func TestForeground_ExitsWhenServerDies(t *testing.T) {
	t.Parallel()
	b := setup(t, accounts[0])
	r := b.start(t)
	readLineWith(t, r.stdout, "APP_URL")
	if err := syscall.Kill(b.postgresPid(t), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	readLineWith(t, r.stderr, "PostgreSQL has ended")
	if status := r.wait(t); status != 1 {
		t.Errorf("status %d", status)
	}
	if remaining := b.tempEntries(t); len(remaining) != 0 {
		t.Errorf("remaining files: %v", remaining)
	}
}

func TestStart_Interrupted(t *testing.T) {
	forEachAccount(t, func(t *testing.T, b *fixture) {
		r := b.start(t, "--", "sh", "-c", "echo ran")
		readLineWith(t, r.stderr, "Mail catcher") // Always the first; PostgreSQL takes much longer.
		if status := r.signal(t, syscall.SIGINT); status != 128+2 {
			t.Errorf("status %d", status)
		}
		if remaining := b.tempEntries(t); len(remaining) != 0 {
			t.Errorf("remaining files: %v", remaining)
		}
	})
}

func TestKilled_CleansUp(t *testing.T) {
	forEachAccount(t, func(t *testing.T, b *fixture) {
		file := filepath.Join(b.tmp, "stack.env")
		r := b.start(t, "--env-file", file, "--", "sh", "-c", `trap '' TERM; sleep 1000 >/dev/null 2>&1 & echo "$$ $!"; wait; sleep 1000`)
		pids := strings.Fields(readLineWith(t, r.stdout, " "))
		server := b.postgresPid(t)
		all := []int{number(t, pids[0]), number(t, pids[1]), server}
		watchdogtest.Eventually(t, "all run", func() bool { return !slices.ContainsFunc(all, func(pid int) bool { return !watchdogtest.Alive(pid) }) })
		r.signal(t, syscall.SIGKILL)
		watchdogtest.Eventually(t, "no process is left", func() bool { return !slices.ContainsFunc(all, watchdogtest.Alive) })
		watchdogtest.Eventually(t, "no file is left", func() bool { return len(b.tempEntries(t)) == 0 })
	})
}

func TestEnvFile(t *testing.T) {
	t.Parallel()
	t.Run("ForeignFileIsKept", func(t *testing.T) {
		t.Parallel()
		b := setup(t, accounts[0])
		file := filepath.Join(b.tmp, "mine")
		if err := os.WriteFile(file, []byte("A=1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, stderr, status := b.run(t, "--env-file", file, "--", "true"); status != 1 || !strings.Contains(stderr, "was not written by devstack") {
			t.Errorf("status %d: %s", status, stderr)
		}
		if remaining := b.tempEntries(t); len(remaining) != 1 {
			t.Errorf("the directory has %v", remaining)
		}
	})
	t.Run("OldFileIsReplaced", func(t *testing.T) {
		t.Parallel()
		b := setup(t, accounts[0])
		file := filepath.Join(b.tmp, "stack.env")
		if err := os.WriteFile(file, []byte("# Settings of devstack OLD: process 1.\nexport OLD='1'\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		stdout, stderr, status := b.run(t, "--env-file", file, "--", "cat", file)
		if status != 0 || strings.Contains(stdout, "OLD") || !strings.Contains(stdout, "export MAIL_FROM='Healthcare Platform <") {
			t.Errorf("status %d, %s, %s", status, stdout, stderr)
		}
	})
	t.Run("MissingDirectory", func(t *testing.T) {
		t.Parallel()
		b := setup(t, accounts[0])
		if _, stderr, status := b.run(t, "--env-file", filepath.Join(b.tmp, "no", "file"), "--", "true"); status != 1 || !strings.Contains(stderr, "--env-file") {
			t.Errorf("status %d: %s", status, stderr)
		}
	})
}
