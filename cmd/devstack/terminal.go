//go:build unix

package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// controllingTTY is the terminal of which devstack is the foreground process, if any.
// While the command runs, the command is in the foreground, so that Ctrl-C reaches it
// once, and not a second time through devstack: terraform stops immediately on a second
// interrupt.
type controllingTTY struct {
	fd           int
	inForeground bool
	isLent       bool
}

// openControllingTTY returns the terminal of standard input, and records whether
// devstack is its foreground process.
func openControllingTTY() *controllingTTY {
	t := &controllingTTY{fd: int(os.Stdin.Fd())}
	foregroundGroup, err := t.foreground()
	t.inForeground = err == nil && foregroundGroup == unix.Getpgrp()
	return t
}

// lend reports whether devstack is in the foreground, and can give the terminal to the
// command.
func (t *controllingTTY) lend() bool {
	t.isLent = t.inForeground
	return t.inForeground
}

func (t *controllingTTY) foreground() (group int, err error) {
	return unix.IoctlGetInt(t.fd, unix.TIOCGPGRP)
}

func (t *controllingTTY) setForeground(group int) {
	_ = unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, group)
}

// reclaim makes devstack the foreground process again. As a background process it would
// be stopped by this call, if it did not ignore the signal.
func (t *controllingTTY) reclaim() {
	if t.isLent {
		signal.Ignore(syscall.SIGTTOU) // Not earlier: the command would have inherited it.
		t.setForeground(unix.Getpgrp())
	}
}

// waitProcess waits for the end of a process. When Ctrl-Z stops the process, devstack
// stops too, so that its parent shell notices, and later continues both.
func (t *controllingTTY) waitProcess(pid int) (state unix.WaitStatus, err error) {
	options := 0
	if t.isLent {
		options = unix.WUNTRACED
	}
	for {
		_, err = unix.Wait4(pid, &state, options, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err == nil && state.Stopped():
			t.suspendWith(pid)
		default:
			return state, err
		}
	}
}

func (t *controllingTTY) suspendWith(group int) {
	resumed := make(chan os.Signal, 1)
	signal.Notify(resumed, syscall.SIGCONT)
	defer signal.Stop(resumed)
	t.reclaim()
	// Stop the whole job, as Ctrl-Z would. The system drops the signal when no shell
	// could resume the job; then the command continues.
	_ = unix.Kill(0, unix.SIGTSTP)
	select {
	case <-resumed:
	case <-time.After(200 * time.Millisecond):
	}
	if front, err := t.foreground(); err == nil && front == unix.Getpgrp() {
		t.setForeground(group)
	}
	_ = unix.Kill(-group, unix.SIGCONT)
}
