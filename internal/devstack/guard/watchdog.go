//go:build unix

// Package guard cleans up after a process that cannot do so any more.
//
// A guard is a small shell that reads from a pipe of which this process alone
// has the other end. However this process ends, SIGKILL included, the pipe ends
// with it, and the script goes on to whatever has to be done. It runs in a
// process group of its own, so that the Ctrl-C of a terminal passes it by. What
// kills guard and process together (the end of a container) defeats it.
package guard

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// Watchdog is a script that waits.
type Watchdog struct {
	cmd   *exec.Cmd
	input io.WriteCloser
}

// ignoreSignals keeps the script alive through what its process group may be sent.
const ignoreSignals = "trap '' INT TERM HUP QUIT PIPE\n"

// Start runs a script of POSIX sh with arguments $1 and so on. The script should
// read its standard input to the end before it acts.
func Start(script string, args ...string) (*Watchdog, error) {
	cmd := exec.Command("/bin/sh", append([]string{"-c", ignoreSignals + script, "guard"}, args...)...) //nolint:noctx // it has to outlive every context
	cmd.Dir = "/"                                                                                       // Holds no file system busy.
	cmd.Env = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin:" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start guard: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start guard: %w", err)
	}
	return &Watchdog{cmd: cmd, input: input}, nil
}

// Send writes a line to the script.
func (g *Watchdog) Send(format string, args ...any) error {
	_, err := fmt.Fprintf(g.input, format+"\n", args...)
	return err
}

// Close ends the script's input and waits until it has acted.
func (g *Watchdog) Close() error {
	if err := g.input.Close(); err != nil {
		return err
	}
	return g.cmd.Wait()
}
