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

// groupStopTimeout is how long what the command has left running may take to end.
const groupStopTimeout = 2 * time.Second

// runCommand runs the command in a process group of its own and gives its
// status. Signals to devstack go to the whole group, as the keys of a terminal
// do: a shell alone would not pass them on to what it runs.
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
		signals <-chan os.Signal // Nil until there is somebody to get them.
	)
	for {
		select {
		case group = <-started:
			signals = d.signals
		case sig := <-signals:
			_ = syscall.Kill(-group, number(sig)) // It may be over already.
		case e := <-ended:
			if e.err != nil {
				d.printer.printError(e.err)
			}
			return e.status
		}
	}
}

// gateScript becomes the command once devstack has told its cleaner about it: a
// devstack that is killed in between would leave the command's children behind.
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
	cmd := exec.Command("/bin/sh", args...) //nolint:gosec,noctx // what the user asks for, and it is signals that end it
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
	_ = openGate.Close() // Without the line the command does not begin.
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

// endGroup ends what the command has left running in its group.
func endGroup(group int) {
	deadline := time.Now().Add(groupStopTimeout)
	for sig := syscall.SIGTERM; time.Now().Before(deadline); sig = 0 {
		if err := syscall.Kill(-group, sig); errors.Is(err, syscall.ESRCH) {
			return
		}
		time.Sleep(10 * time.Millisecond) // Nothing tells when a group that is not ours to reap has ended.
	}
	_ = syscall.Kill(-group, syscall.SIGKILL) // It may be over by now.
}
