package provider_test

import (
	"errors"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// background is a run of the CLI in the background, which a test disturbs.
type background struct {
	*exec.Cmd
	out  *testenv.Buffer
	done chan struct{}
}

func (w *testEnv) start(args ...string) *background {
	w.t.Helper()
	b := &background{Cmd: w.command(args...), out: &testenv.Buffer{}, done: make(chan struct{})}
	b.Stdout, b.Stderr = b.out, b.out
	if err := b.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		_ = b.Wait()
		close(b.done)
	}()
	w.t.Cleanup(func() {
		_ = syscall.Kill(-b.Process.Pid, syscall.SIGKILL)
		<-b.done
	})
	return b
}

// finish waits for the run's end.
func (w *testEnv) finish(b *background) result {
	w.t.Helper()
	select {
	case <-b.done:
	case <-time.After(2 * time.Minute):
		w.t.Fatalf("the CLI did not end:\n%s", b.out)
	}
	return result{plainText(b.out.String()), b.ProcessState.ExitCode()}
}

// waitWhileRunning waits for a condition; it fails if the run ends first.
func (w *testEnv) waitWhileRunning(b *background, what string, condition func() bool) {
	w.t.Helper()
	deadline := time.After(time.Minute)
	for !condition() {
		select {
		case <-b.done:
			w.t.Fatalf("the CLI ended before %s:\n%s", what, b.out)
		case <-deadline:
			w.t.Fatalf("%s did not come about:\n%s", what, b.out)
		case <-time.After(20 * time.Millisecond): // Between two looks.
		}
	}
}

// waitFor waits for a condition outside the CLI.
func (w *testEnv) waitFor(what string, condition func() bool) {
	w.t.Helper()
	deadline := time.After(time.Minute)
	for !condition() {
		select {
		case <-deadline:
			w.t.Fatalf("%s did not come about", what)
		case <-time.After(20 * time.Millisecond): // Between two looks.
		}
	}
}

// killProvider sends SIGKILL to the provider's process only.
func (w *testEnv) killProvider() {
	w.t.Helper()
	w.signalProvider(syscall.SIGKILL)
}

// pidFile has the process ids of all providers that a test's CLI has started.
const pidFile = "plugin.pids"

// signalProvider signals this test's provider process.
func (w *testEnv) signalProvider(signal syscall.Signal) {
	w.t.Helper()
	killed := 0
	for _, pid := range strings.Fields(w.read(pidFile)) {
		id, err := strconv.Atoi(pid)
		if err != nil {
			w.t.Fatal(err)
		}
		switch err := syscall.Kill(id, signal); {
		case err == nil:
			killed++
		case !errors.Is(err, syscall.ESRCH): // A provider that ended before.
			w.t.Fatal(err)
		}
	}
	if killed != 1 {
		w.t.Fatalf("signalled %d providers", killed)
	}
}

// providerRuns reports whether a provider of this test's CLI still runs.
func (w *testEnv) providerRuns() bool {
	w.t.Helper()
	for _, pid := range strings.Fields(w.read(pidFile)) {
		id, err := strconv.Atoi(pid)
		if err != nil {
			w.t.Fatal(err)
		}
		if syscall.Kill(id, 0) == nil {
			return true
		}
	}
	return false
}
