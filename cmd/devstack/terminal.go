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

// controllingTTY is the terminal that devstack has the keys of, if it has. While the
// command runs it has them, so that Ctrl-C reaches the command once, and not a
// second time through devstack: terraform takes two for an order to drop
// everything.
type controllingTTY struct {
	fd           int
	inForeground bool
	isLent       bool
}

// openControllingTTY is that of standard input; ours tells whether there is one.
func openControllingTTY() *controllingTTY {
	t := &controllingTTY{fd: int(os.Stdin.Fd())}
	foregroundGroup, err := t.foreground()
	t.inForeground = err == nil && foregroundGroup == unix.Getpgrp()
	return t
}

// lend reports whether devstack has the keys, and lends them if so.
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

// reclaim gives the keys to devstack again, which is in the background then
// and would be stopped for asking, were it not for the ignored signal.
func (t *controllingTTY) reclaim() {
	if t.isLent {
		signal.Ignore(syscall.SIGTTOU) // Only now: the command would have inherited it.
		t.setForeground(unix.Getpgrp())
	}
}

// waitProcess waits for the end of a process. When Ctrl-Z stops it, devstack stops
// too, so that the shell that waits for devstack notices, and goes on with it.
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
	// The whole job, as Ctrl-Z would have. The system drops the signal where
	// nobody could resume us; then the command just goes on.
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
