//go:build unix

// Package watchdogtest helps tests that wait for other processes to start and end.
package watchdogtest

import (
	"context"
	"errors"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Alive reports whether the process runs. A zombie counts as ended; without /proc
// it counts as alive.
func Alive(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	if _, err := os.Stat("/proc/self"); err != nil {
		return true
	}
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	return err == nil && len(line) > 0
}

// eventuallyTimeout is how long Eventually waits. On a machine that runs many tests at
// once, an operation of milliseconds can take seconds.
const eventuallyTimeout = 2 * time.Minute

// Eventually waits until condition is true, and fails the test on a timeout.
// description names the condition in the failure message.
func Eventually(t testing.TB, description string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), eventuallyTimeout)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("timeout waiting until %s", description)
		}
	}
}
