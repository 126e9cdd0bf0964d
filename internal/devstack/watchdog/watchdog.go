//go:build unix

// Package watchdog cleans up after a process that was killed.
//
// A watchdog is a shell script that reads from a pipe; only this process holds the
// other end. When this process ends, even by SIGKILL, the pipe closes and the script
// cleans up. The script runs in a separate process group, so Ctrl-C in a terminal
// does not reach it. It cannot clean up when it is killed together with the process,
// as at the end of a container.
package watchdog

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// Watchdog is a running cleanup script.
type Watchdog struct {
	cmd   *exec.Cmd
	input io.WriteCloser
}

// ignoreSignals keeps the script alive when its process group gets a signal.
const ignoreSignals = "trap '' INT TERM HUP QUIT PIPE\n"

// Start runs a POSIX sh script with arguments $1 and so on. The script must read its
// standard input to the end before it cleans up.
func Start(script string, args ...string) (*Watchdog, error) {
	cmd := exec.Command("/bin/sh", append([]string{"-c", ignoreSignals + script, "watchdog"}, args...)...) //nolint:gosec,noctx // G204: a constant script, arguments are its parameters; it must outlive every context
	cmd.Dir = "/"                                                                                          // Keeps no file system busy.
	cmd.Env = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin:" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start watchdog: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start watchdog: %w", err)
	}
	return &Watchdog{cmd: cmd, input: input}, nil
}

// Send writes a line to the script.
func (w *Watchdog) Send(format string, args ...any) error {
	_, err := fmt.Fprintf(w.input, format+"\n", args...)
	return err
}

// Close closes the script's input and waits until the script has ended.
func (w *Watchdog) Close() error {
	if err := w.input.Close(); err != nil {
		return err
	}
	return w.cmd.Wait()
}
