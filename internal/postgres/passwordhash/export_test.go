package passwordhash

import (
	"context"
	"sync"
	"testing"
	"time"
)

var blockMu sync.Mutex

// Block blocks all hashing in this process until unblock is called.
func Block() (unblock func()) {
	blockMu.Lock()
	_ = slots.Acquire(context.Background(), maxConcurrentHashes) // Fails only when the context ends.
	return func() {
		slots.Release(maxConcurrentHashes)
		blockMu.Unlock()
	}
}

// WaitForWaiting waits until n hashes with LimitWait wait.
func WaitForWaiting(t *testing.T, n int32) {
	t.Helper()
	deadline := time.After(time.Minute)
	for waiting.Load() != n {
		select {
		case <-deadline:
			t.Fatalf("%d hashes wait, want %d", waiting.Load(), n)
		case <-time.After(time.Millisecond): // Poll interval.
		}
	}
}
