//go:build unix

package pgserver

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

const (
	tempPrefix = "healthcare-pg-"
	// lockFile is locked while a process uses the directory. Unlike a process id in a
	// file, a lock ends with its owner and cannot be mistaken for another's.
	lockFile = "owner.lock"
)

// memoryDir is a file system in memory, on Linux. A container often has one of 64 MB.
const (
	memoryDir    = "/dev/shm"
	memoryNeeded = 2 << 30 // Bytes.
)

// errDirInUse is returned for a directory that another process has locked.
var errDirInUse = errors.New("another process uses the directory")

// prepareDir creates the server's directory and locks it.
func (s *Server) prepareDir(ctx context.Context) (err error) {
	if s.account, err = unprivilegedAccount(); err != nil {
		return err
	}
	if s.options.Dir == "" {
		err = s.lockTemporaryDir(ctx)
	} else if s.dir, err = s.persistentDir(); err == nil {
		s.lock, err = lockDir(s.dir)
	}
	if err != nil {
		return err
	}
	return s.account.chown(s.dir)
}

// lockTemporaryDir creates and locks a temporary directory. Another process that starts at
// the same moment may lock and remove it first, because it looks abandoned; then this one
// takes another.
func (s *Server) lockTemporaryDir(ctx context.Context) (err error) {
	for range 10 {
		if s.dir, err = s.temporaryDir(ctx); err != nil {
			return err
		}
		if s.lock, err = lockDir(s.dir); !errors.Is(err, errDirInUse) && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return err
}

func (s *Server) persistentDir() (string, error) {
	dir, err := filepath.Abs(s.options.Dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	if err := s.account.checkReachable(filepath.Dir(dir)); err != nil {
		return "", fmt.Errorf("%w: choose a data directory elsewhere", err)
	}
	return dir, nil
}

// waitForPreviousServer waits while a server still runs on persistent data, as for a
// moment after its parent was killed.
func (s *Server) waitForPreviousServer(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for isServerOf(ctx, recordedPid(s.data()), s.data()) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("a server (process %d) runs on %q: %w", recordedPid(s.data()), s.dir, context.Cause(ctx))
		}
	}
	return nil
}

// temporaryDir creates a directory that the server's account can enter, and removes
// abandoned ones beside it.
func (s *Server) temporaryDir(ctx context.Context) (string, error) {
	bases := []string{os.TempDir(), "/tmp", "/var/tmp"}
	if s.options.InMemory && freeBytes(memoryDir) >= memoryNeeded {
		bases = append([]string{memoryDir}, bases...)
	}
	var unreachable error
	for _, base := range bases {
		if err := s.account.checkReachable(base); err != nil {
			unreachable = errors.Join(unreachable, err)
			continue
		}
		removeAbandoned(ctx, base)
		return os.MkdirTemp(base, tempPrefix)
	}
	return "", unreachable
}

// lockDir locks the directory, or returns errDirInUse. Closing the file unlocks it;
// children do not inherit it.
func lockDir(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // G304: a file of the folder that devstack's user names
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errDirInUse
		}
		return nil, fmt.Errorf("lock %q: %w", dir, err)
	}
	// Its last owner may have removed it before this process had the lock.
	is, err := file.Stat()
	if err == nil {
		var named os.FileInfo
		if named, err = os.Stat(file.Name()); err == nil && !os.SameFile(is, named) {
			err = errDirInUse
		}
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}
