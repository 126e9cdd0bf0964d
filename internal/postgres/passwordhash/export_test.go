package passwordhash

import (
	"context"
	"sync"
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
