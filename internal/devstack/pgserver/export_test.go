//go:build unix

package pgserver

import "context"

// LockTemporaryDir creates and locks a directory as a starting server does, and returns it
// and a function that unlocks it.
func LockTemporaryDir(ctx context.Context) (dir string, unlock func(), err error) {
	var s Server
	if err := s.lockTemporaryDir(ctx); err != nil {
		return "", nil, err
	}
	return s.dir, func() { _ = s.lock.Close() }, nil
}

// EnoughMemory reports whether InMemory has an effect here.
func EnoughMemory() bool { return freeBytes(memoryDir) >= memoryNeeded }
