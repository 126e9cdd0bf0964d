//go:build unix

package pgserver

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// abandonedAge is when a directory without a lock file, which somebody may be
// making just now, is taken for one that was never finished.
const abandonedAge = time.Hour

// removeAbandoned removes the directories under base that nobody holds any more, and
// stops the servers in them.
func removeAbandoned(ctx context.Context, base string) {
	dirs, err := filepath.Glob(filepath.Join(base, tempPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || !isOwnedByUs(info) {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, lockFile)); err != nil && time.Since(info.ModTime()) < abandonedAge {
			continue
		}
		lock, err := lockDir(dir)
		if err != nil {
			continue
		}
		if pid := recordedPid(filepath.Join(dir, "data")); isServerOf(ctx, pid, filepath.Join(dir, "data")) {
			_ = syscall.Kill(pid, syscall.SIGQUIT)
		}
		_ = os.RemoveAll(dir) // What cannot be removed now is tried again at the next start.
		_ = lock.Close()
	}
}

// isOwnedByUs tells a directory that this package made for this user from one that
// somebody else put there under such a name.
func isOwnedByUs(info os.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	if nobody, err := unprivilegedAccount(); err == nil && nobody != nil && stat.Uid == nobody.uid {
		return true
	}
	return int(stat.Uid) == os.Geteuid()
}

// recordedPid is the process in postmaster.pid, 0 without one.
func recordedPid(data string) int {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return 0
	}
	return pid
}

// isServerOf tells whether the process is the server of that data directory. The
// number alone may long be another's.
func isServerOf(ctx context.Context, pid int, data string) bool {
	if pid <= 1 {
		return false
	}
	if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil {
		return bytes.Contains(line, []byte("\x00"+data+"\x00"))
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	line, err := exec.CommandContext(ctx, "ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && bytes.Contains(line, []byte(data))
}
