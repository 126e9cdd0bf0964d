//go:build unix

package demo

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/watchdog"
)

// Full source addresses of the provider for each CLI.
var providerAddresses = []string{
	"registry.terraform.io/healthcare-platform/healthcare",
	"registry.opentofu.org/healthcare-platform/healthcare",
}

// cleanupScript ends the last process group it was sent of each kind, and removes $1, once
// the demo has ended.
const cleanupScript = `dir=$1 program=0 service=0
while read -r kind group; do
  case $kind in program) program=$group ;; service) service=$group ;; esac
done
for group in "$program" "$service"; do
  [ "$group" -gt 1 ] || continue
  kill -s TERM -- "-$group"
  n=0; while kill -s 0 -- "-$group" && [ $n -lt 20 ]; do sleep 0.1; n=$((n+1)); done
  kill -s KILL -- "-$group"
done 2>/dev/null
rm -rf -- "$dir"`

// stopTimeout is how long a CLI may take to stop after an interrupt. The provider
// finishes its current step.
const stopTimeout = 30 * time.Second

// workspace is a temporary directory with the examples, the built programs and
// a CLI configuration that uses the provider.
type workspace struct {
	dir      string
	watchdog *watchdog.Watchdog
}

func newWorkspace(root string) (*workspace, error) {
	dir, err := os.MkdirTemp("", "healthcare-demo-")
	if err != nil {
		return nil, err
	}
	w := &workspace{dir: dir}
	if w.watchdog, err = watchdog.Start(cleanupScript, dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	err = errors.Join(os.Mkdir(w.binPath(), 0o700), os.WriteFile(w.cliConfigPath(), []byte(w.cliConfig()), 0o600),
		os.CopyFS(w.examplePath(), os.DirFS(filepath.Join(root, "examples", "quickstart"))),
		os.CopyFS(w.blueprintPath(), os.DirFS(filepath.Join(root, "examples", "blueprints", "clinic"))),
		os.Mkdir(w.clinicsPath(), 0o700), os.WriteFile(filepath.Join(w.clinicsPath(), "main.tf"), clinicsConfiguration, 0o600))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the examples: %w", err), w.close())
	}
	return w, nil
}

func (w *workspace) binPath() string       { return filepath.Join(w.dir, "bin") }
func (w *workspace) examplePath() string   { return filepath.Join(w.dir, "quickstart") }
func (w *workspace) blueprintPath() string { return filepath.Join(w.dir, "clinic") }
func (w *workspace) clinicsPath() string   { return filepath.Join(w.dir, "clinics") }
func (w *workspace) cliConfigPath() string { return filepath.Join(w.dir, "cli.tfrc") }

// cliConfig makes a CLI use the provider in bin, without a download.
func (w *workspace) cliConfig() string {
	var b strings.Builder
	b.WriteString("provider_installation {\n  dev_overrides {\n")
	for _, address := range providerAddresses {
		fmt.Fprintf(&b, "    %q = %q\n", address, w.binPath())
	}
	b.WriteString("  }\n  direct {}\n}\n")
	return b.String()
}

// cliEnv is this process's environment without variables that change the CLI's
// behaviour.
func (w *workspace) cliEnv() []string {
	env := []string{"TF_CLI_CONFIG_FILE=" + w.cliConfigPath(), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1"}
	for _, setting := range os.Environ() {
		if !strings.HasPrefix(setting, "TF_") && !strings.HasPrefix(setting, "CHECKPOINT_DISABLE=") {
			env = append(env, setting)
		}
	}
	return env
}

// run runs a program to its end and returns its output. The error of a failure has the
// whole output.
func (w *workspace) run(cmd *exec.Cmd) (stdout string, err error) {
	// Files, not pipes: a pipe stays open until all processes that the program left
	// running have ended.
	out, err := os.CreateTemp(w.dir, "out-")
	if err != nil {
		return "", err
	}
	defer func() { _ = out.Close() }()
	errs, err := os.CreateTemp(w.dir, "err-")
	if err != nil {
		return "", err
	}
	defer func() { _ = errs.Close() }()
	cmd.Stdout, cmd.Stderr = out, errs
	runErr := w.runGroup(cmd, "program", stopTimeout)
	stdoutText, outErr := os.ReadFile(out.Name())
	stderrText, errErr := os.ReadFile(errs.Name())
	if err := errors.Join(outErr, errErr); err != nil {
		return "", err
	}
	if runErr != nil {
		return string(stdoutText), &logError{err: runErr, log: string(stdoutText) + string(stderrText)}
	}
	return string(stdoutText), nil
}

// runGroup runs a program in a separate process group, so that a terminal's Ctrl-C does
// not reach it in addition to the cancelled context: terraform stops immediately on a
// second interrupt. It is killed when it has not ended in time after the context. kind is the
// program's in cleanupScript.
func (w *workspace) runGroup(cmd *exec.Cmd, kind string, stop time.Duration) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = stop
	watchdog.DieWithThread(cmd.SysProcAttr, syscall.SIGKILL)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return err
	}
	sendErr := w.watchdog.Send("%s %d", kind, cmd.Process.Pid)
	err := cmd.Wait()
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // The processes that it left running.
	return errors.Join(err, sendErr, w.watchdog.Send("%s 0", kind))
}

func (w *workspace) close() error { return w.watchdog.Close() }
