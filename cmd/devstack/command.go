//go:build unix

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/watchdog"
)

// groupStopTimeout is how long processes that the command left running may take to end.
const groupStopTimeout = 2 * time.Second

// runCommand runs the command in a separate process group and returns its exit status.
// Signals to devstack go to the whole group, as from a terminal: a shell alone would not
// forward them to its children.
func (d *devstack) runCommand() int {
	type result struct {
		status int
		err    error
	}
	started, ended := make(chan int, 1), make(chan result, 1)
	go func() {
		// On Linux the command is killed when this thread ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		status, err := d.runInGroup(started)
		ended <- result{status, err}
	}()
	var (
		group   int
		signals <-chan os.Signal // Nil until the command has started.
	)
	for {
		select {
		case group = <-started:
			signals = d.signals
		case sig := <-signals:
			_ = syscall.Kill(-group, number(sig)) // The group may have ended already.
		case e := <-ended:
			if e.err != nil {
				d.printer.printError(e.err)
			}
			return e.status
		}
	}
}

// gateScript runs the command after devstack has sent the process group to its watchdog:
// otherwise a devstack that is killed in between would leave the command's children
// running.
const gateScript = `read -r _ <&3 || exit 125
exec 3<&-
exec "$@"`

func (d *devstack) runInGroup(started chan<- int) (status int, err error) {
	gate, openGate, err := os.Pipe()
	if err != nil {
		return exitNotRunnable, err
	}
	defer func() { _ = errors.Join(gate.Close(), openGate.Close()) }() // Again, on some paths.
	tty := openControllingTTY()
	args := append([]string{"-c", gateScript, "sh", d.program}, d.flags.command[1:]...)
	cmd := exec.Command("/bin/sh", args...) //nolint:gosec,noctx // the user chose the command, and signals end it
	cmd.ExtraFiles = []*os.File{gate}
	cmd.Env = d.stack.EnvOver(os.Environ())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Foreground: tty.lend(), Ctty: tty.fd}
	watchdog.DieWithThread(cmd.SysProcAttr, syscall.SIGKILL)
	if err := cmd.Start(); err != nil {
		return exitNotRunnable, fmt.Errorf("run %q: %w", d.flags.command[0], err)
	}
	group := cmd.Process.Pid
	started <- group
	if err = d.cleanup.watchGroup(group); err == nil {
		_, err = openGate.WriteString("\n")
	}
	_ = openGate.Close() // Without this line the command does not start.
	state, waitErr := tty.waitProcess(group)
	tty.reclaim()
	endGroup(group)
	return commandStatus(state), errors.Join(err, waitErr)
}

func commandStatus(state unix.WaitStatus) int {
	if state.Signaled() {
		return signalStatus(state.Signal())
	}
	return state.ExitStatus()
}

// endGroup ends the processes that the command left running in its group.
func endGroup(group int) {
	deadline := time.Now().Add(groupStopTimeout)
	for sig := syscall.SIGTERM; time.Now().Before(deadline); sig = 0 {
		if err := syscall.Kill(-group, sig); errors.Is(err, syscall.ESRCH) {
			return
		}
		time.Sleep(10 * time.Millisecond) // No signal reports the end of processes that are not our children.
	}
	_ = syscall.Kill(-group, syscall.SIGKILL) // The group may have ended.
}
