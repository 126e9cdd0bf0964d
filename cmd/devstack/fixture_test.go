//go:build unix

package main_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fixture is a directory in which devstack runs: all its files are in tmp.
type fixture struct {
	account account
	tmp     string
}

func setup(t *testing.T, a account) *fixture {
	t.Helper()
	tmp, err := os.MkdirTemp("", "devstack-test-tmp-") // Not t.TempDir, which other users cannot enter.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(tmp); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(tmp, 0o777); err != nil {
		t.Fatal(err)
	}
	return &fixture{account: a, tmp: tmp}
}

// command prepares devstack with arguments.
func (b *fixture) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = b.tmp
	cmd.Env = append(os.Environ(), "TMPDIR="+b.tmp, "HOME="+b.tmp, "XDG_CACHE_HOME="+b.account.cache, "MAIL_USER=somebody", "MAIL_PASSWORD=x", "DB_HOST=other")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: b.account.credential}
	return cmd
}

// run runs devstack to its end.
func (b *fixture) run(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := b.command(t, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// process is a running devstack.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr *bufio.Reader
}

func (b *fixture) start(t *testing.T, args ...string) *process {
	t.Helper()
	cmd := b.command(t, args...)
	stdout, outErr := cmd.StdoutPipe()
	stderr, errErr := cmd.StderrPipe()
	if err := errors.Join(outErr, errErr, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // In case the test failed before.
	return &process{cmd: cmd, stdout: bufio.NewReader(stdout), stderr: bufio.NewReader(stderr)}
}

// readLineWith reads until the line that contains the substring.
func readLineWith(t *testing.T, r *bufio.Reader, substring string) string {
	t.Helper()
	var output strings.Builder
	for {
		text, err := r.ReadString('\n')
		if strings.Contains(text, substring) {
			return strings.TrimSpace(text)
		}
		output.WriteString(text)
		if err != nil {
			t.Fatalf("%q was not printed: %v\n%s", substring, err, output.String())
		}
	}
}

// signal sends a signal and returns devstack's exit status.
func (r *process) signal(t *testing.T, sig syscall.Signal) int {
	t.Helper()
	if err := r.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	return r.wait(t)
}

func (r *process) wait(t *testing.T) int {
	t.Helper()
	_, outErr := io.Copy(io.Discard, r.stdout)
	_, errErr := io.Copy(io.Discard, r.stderr)
	if err := errors.Join(outErr, errErr); err != nil {
		t.Fatal(err)
	}
	err := r.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return r.cmd.ProcessState.ExitCode()
}

// postgresPid returns the process id of the PostgreSQL server in the fixture's
// directory.
func (b *fixture) postgresPid(t *testing.T) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(b.tmp, "healthcare-pg-*", "data", "postmaster.pid"))
	if err != nil || len(found) != 1 {
		t.Fatalf("servers %v, error %v", found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return number(t, first)
}

// tempEntries lists the entries of the fixture's directory.
func (b *fixture) tempEntries(t *testing.T) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(b.tmp)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func number(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// forEachAccount runs a test as each account.
func forEachAccount(t *testing.T, test func(t *testing.T, b *fixture)) {
	t.Helper()
	t.Parallel()
	for _, a := range accounts {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			test(t, setup(t, a))
		})
	}
}
