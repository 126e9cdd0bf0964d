//go:build unix

// Package guardtest helps tests that watch other processes come and go.
package guardtest

import (
	"context"
	"errors"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// Alive tells whether the process runs. One that has ended and that nobody has
// reaped yet does not; where there is no /proc it cannot be told from others.
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

// waitTimeout is how long Eventually waits: on a machine that runs many tests at
// once, what takes milliseconds can take seconds.
const waitTimeout = 2 * time.Minute

// Eventually waits for what other processes do, and fails the test when it does
// not come about. what completes the sentence "it does not come about that".
func Eventually(t testing.TB, description string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), waitTimeout)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !condition() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("it does not come about that %s", description)
		}
	}
}
