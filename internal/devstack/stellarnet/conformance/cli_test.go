//go:build stellarcli

package conformance_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// cli is the official command-line tool with a separate home folder.
type cli struct {
	program string
	env     []string
}

// newCLI uses the program that tools/stellar-cli.sh has built.
func newCLI(t *testing.T) cli {
	t.Helper()
	program := os.Getenv("STELLAR_CLI")
	if program == "" {
		t.Fatal("STELLAR_CLI names no program: run make conformance-cli")
	}
	home := t.TempDir()
	return cli{program: program, env: []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "NO_COLOR=1", "STELLAR_NO_UPDATE_CHECK=1",
		"XDG_CONFIG_HOME=" + filepath.Join(home, "config"), "XDG_DATA_HOME=" + filepath.Join(home, "data"),
	}}
}

// runWithError returns a command's output, or an error with its error output.
func (c cli) runWithError(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, complaints bytes.Buffer
	cmd := exec.CommandContext(t.Context(), c.program, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = c.env, &out, &complaints
	err = cmd.Run()
	return strings.TrimSpace(out.String()), complaints.String(), err
}

// mustRun expects success.
func (c cli) mustRun(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, err := c.runWithError(t, args...)
	if err != nil {
		t.Fatalf("stellar %s: %v\n%s%s", strings.Join(args, " "), err, stdout, stderr)
	}
	return stdout
}

// readInstance returns the arguments of a command that a key signs.
func readInstance(args ...string) []string {
	return append(args, "--network", "local", "--source-account", "admin")
}

// invoke calls the contract.
func (c cli) invoke(t *testing.T, id string, call ...string) string {
	t.Helper()
	return c.mustRun(t, append(append(readInstance("contract", "invoke", "--id", id), "--"), call...)...)
}

// events are the JSON lines that "events" prints.
func (c cli) events(t *testing.T, args ...string) []cliEvent {
	t.Helper()
	out := c.mustRun(t, append([]string{"events", "--network", "local", "--start-ledger", "2", "--output", "json"}, args...)...)
	var all []cliEvent
	for line := range strings.Lines(out) {
		var event cliEvent
		if err := json.Unmarshal([]byte(line), &event); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all = append(all, event)
	}
	return all
}

// cliEvent is an event, decoded with the contract's own description.
type cliEvent struct {
	ID     string          `json:"id"`
	Ledger int32           `json:"ledger"`
	Name   string          `json:"event_name"`
	Params json.RawMessage `json:"params"`
}
