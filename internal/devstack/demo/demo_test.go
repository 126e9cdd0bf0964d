//go:build unix

package demo_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/demo"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/watchdog/watchdogtest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func TestRun(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := demo.Run(t.Context(), demo.Options{Out: &out, LedgerClose: 200 * time.Millisecond}); err != nil {
		var stage *demo.StageError
		if errors.As(err, &stage) {
			t.Log(stage.Log)
		}
		t.Fatalf("%v\n%s", err, out.String())
	}
	shown := out.String()
	for _, want := range []string{
		"✓ Build the provider and tenant-api", "apply: 1 added", "ACTIVE", "7  SEND_WELCOME_EMAIL", "audit_logs", "✓ the committed tenant_contract.wasm",
		"ada@st-marys.example", "#invitation=", "plan, again: no changes", "destroy: 1 destroyed", "ARCHIVED", "make build",
		"✓ Start examples/directory", "clinic: 6 migrations", "own step REGISTER_IN_DIRECTORY, in the log", "COMPLETED", "directory_id dir_", "3 clinics: 3 added", "the same in 3 clinics: Harbour Clinic, version 6", "dispensations", "second revision: 7 migrations",
		"migrations/0007_phone.sql", "patients: AccessExclusiveLock", "3 of 3 tenants migrated, 0 failed.",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("it does not show %q", want)
		}
	}
	for line := range strings.Lines(shown) {
		if n := utf8.RuneCountInString(strings.TrimSpace(line)); n > 78 {
			t.Errorf("a line has %d characters: %s", n, line)
		}
	}
	if strings.Contains(shown, "\x1b") {
		t.Error("it is coloured")
	}
	if t.Failed() {
		t.Log(shown)
	}
}

// TestRun_Stay serves the console until the context ends. The address and the key that it prints work.
func TestRun_Stay(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out testenv.Buffer
	ended := make(chan error, 1)
	go func() {
		ended <- demo.Run(ctx, demo.Options{Out: &out, LedgerClose: 200 * time.Millisecond, Stay: true})
	}()
	printed := regexp.MustCompile(`Console +(\S+)\n +Sign in with +(hck_\S+)`)
	var found []string
	for found == nil {
		select {
		case err := <-ended:
			t.Fatalf("%v\n%s", err, out.String())
		case <-time.After(50 * time.Millisecond):
			found = printed.FindStringSubmatch(out.String())
		}
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.PostForm(found[1]+"/sign-in", url.Values{"key": {found[2]}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }() // Only read.
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Set-Cookie") == "" {
		t.Errorf("signing in was answered with %s and no cookie", answer.Status)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if answer, err := client.Get(found[1]); err == nil {
		_ = answer.Body.Close()
		t.Error("the server still answers")
	}
}

// fakeCLI creates a CLI from the body of a shell script and returns its path.
func fakeCLI(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fake")
	text := "#!/bin/sh\nif [ \"$1\" = version ]; then echo 'Fake v1'; exit; fi\n" + script
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRun_ErrorHasStageAndLog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := demo.Run(t.Context(), demo.Options{Out: &out, CLI: fakeCLI(t, `echo "in $PWD"; echo "boom with $1" >&2; exit 3`)})
	var stage *demo.StageError
	if !errors.As(err, &stage) || stage.Stage != "fake apply" || !strings.Contains(stage.Log, "boom with apply") {
		t.Fatalf("error %+v", err)
	}
	if !strings.Contains(out.String(), "✗ fake apply") {
		t.Errorf("it shows\n%s", out.String())
	}
	_, log, _ := strings.Cut(stage.Log, "in ")
	dir, _, _ := strings.Cut(log, "\n")
	if _, err := os.Stat(dir); dir == "" || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the workspace %q remains: %v", dir, err)
	}
}

func TestRun_MissingCLI(t *testing.T) {
	t.Parallel()
	if err := demo.Run(t.Context(), demo.Options{CLI: filepath.Join(t.TempDir(), "none")}); err == nil || !strings.Contains(err.Error(), "does not work") {
		t.Errorf("error %v", err)
	}
}

// The CLI of these tests prints its directory and runs until it is stopped.
const endlessScript = `trap 'echo stopped >>"$0.log"; exit 1' INT
echo "$$ $PWD" >"$0.new"; mv "$0.new" "$0.up"
while :; do sleep 1000 & wait; done`

func TestRun_CancelStopsCLI(t *testing.T) {
	t.Parallel()
	cli := fakeCLI(t, endlessScript)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- demo.Run(ctx, demo.Options{CLI: cli}) }()
	pid, dir := waitForCLI(t, cli)
	directory := directoryAddress(t, dir)
	if !listens(t, directory) {
		t.Errorf("nothing listens on %s", directory)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if output, err := os.ReadFile(cli + ".log"); err != nil || string(output) != "stopped\n" {
		t.Errorf("it was interrupted %q, error %v, want once", output, err)
	}
	if _, err := os.Stat(dir); watchdogtest.Alive(pid) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("process alive: %v; workspace: %v", watchdogtest.Alive(pid), err)
	}
	if listens(t, directory) {
		t.Errorf("the directory still listens on %s", directory)
	}
}

func TestRun_KilledDemoCleansUp(t *testing.T) {
	t.Parallel()
	cli := fakeCLI(t, endlessScript)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), helperEnv+"="+cli)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid, dir := waitForCLI(t, cli)
	directory := directoryAddress(t, dir)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	watchdogtest.Eventually(t, "the CLI ends", func() bool { return !watchdogtest.Alive(pid) })
	watchdogtest.Eventually(t, "the directory ends", func() bool { return !listens(t, directory) })
	watchdogtest.Eventually(t, "the workspace goes", func() bool {
		_, err := os.Stat(dir)
		return errors.Is(err, os.ErrNotExist)
	})
}

// waitForCLI waits until that CLI runs, and returns its process and directory.
func waitForCLI(t *testing.T, cli string) (pid int, dir string) {
	t.Helper()
	var text []byte
	watchdogtest.Eventually(t, "the CLI runs", func() (up bool) {
		var err error
		text, err = os.ReadFile(cli + ".up")
		return err == nil
	})
	fields := bufio.NewScanner(bytes.NewReader(text))
	fields.Split(bufio.ScanWords)
	fields.Scan()
	pid, err := strconv.Atoi(fields.Text())
	if err != nil {
		t.Fatal(err)
	}
	fields.Scan()
	return pid, fields.Text()
}

// directoryAddress is where examples/directory listens, as the blueprint beside the CLI's directory
// has it.
func directoryAddress(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "../clinic/blueprint.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`"http://([0-9.:]+)/tenants"`).FindSubmatch(text)
	if found == nil || string(found[1]) == "127.0.0.1:8090" {
		t.Fatalf("no step has a free port: %s", text)
	}
	return string(found[1])
}

func listens(t *testing.T, address string) bool {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err == nil {
		_ = conn.Close() // Nothing was sent.
	}
	return err == nil
}
