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

// terminal is the terminal that devstack has the keys of, if it has. While the
// command runs it has them, so that Ctrl-C reaches the command once, and not a
// second time through devstack: terraform takes two for an order to drop
// everything.
type terminal struct {
	fd   int
	ok   bool
	lent bool
}

// controllingTerminal is that of standard input; ours tells whether there is one.
func controllingTerminal() *terminal {
	t := &terminal{fd: int(os.Stdin.Fd())}
	front, err := t.foreground()
	t.ok = err == nil && front == unix.Getpgrp()
	return t
}

// ours reports whether devstack has the keys, and lends them if so.
func (t *terminal) ours() bool {
	t.lent = t.ok
	return t.ok
}

func (t *terminal) foreground() (group int, err error) { return unix.IoctlGetInt(t.fd, unix.TIOCGPGRP) }

func (t *terminal) give(group int) { _ = unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, group) }

// takeBack gives the keys to devstack again, which is in the background then
// and would be stopped for asking, were it not for the ignored signal.
func (t *terminal) takeBack() {
	if t.lent {
		signal.Ignore(syscall.SIGTTOU) // Only now: the command would have inherited it.
		t.give(unix.Getpgrp())
	}
}

// await waits for the end of a process. When Ctrl-Z stops it, devstack stops
// too, so that the shell that waits for devstack notices, and goes on with it.
func (t *terminal) await(pid int) (state unix.WaitStatus, err error) {
	options := 0
	if t.lent {
		options = unix.WUNTRACED
	}
	for {
		_, err = unix.Wait4(pid, &state, options, nil)
		switch {
		case errors.Is(err, unix.EINTR):
		case err == nil && state.Stopped():
			t.stopToo(pid)
		default:
			return state, err
		}
	}
}

func (t *terminal) stopToo(group int) {
	resumed := make(chan os.Signal, 1)
	signal.Notify(resumed, syscall.SIGCONT)
	defer signal.Stop(resumed)
	t.takeBack()
	// The whole job, as Ctrl-Z would have. The system drops the signal where
	// nobody could resume us; then the command just goes on.
	_ = unix.Kill(0, unix.SIGTSTP)
	select {
	case <-resumed:
	case <-time.After(200 * time.Millisecond):
	}
	if front, err := t.foreground(); err == nil && front == unix.Getpgrp() {
		t.give(group)
	}
	_ = unix.Kill(-group, unix.SIGCONT)
}
