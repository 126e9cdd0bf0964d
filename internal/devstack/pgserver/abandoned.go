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

// abandonedAge is the age after which a directory without a lock file counts as
// abandoned. A younger one may just be in creation.
const abandonedAge = time.Hour

// removeAbandoned removes the directories under base that no process has locked, and
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
		_ = os.RemoveAll(dir) // A failed removal is repeated at the next start.
		_ = lock.Close()
	}
}

// isOwnedByUs reports whether this package created the directory for this user. Another
// user can create a directory with such a name.
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

// recordedPid returns the process id in postmaster.pid, 0 without one.
func recordedPid(data string) int {
	text, err := os.ReadFile(filepath.Join(data, "postmaster.pid")) //nolint:gosec // G304: a file of devstack's own folder
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

// isServerOf reports whether the process is the server of that data directory. The
// process id alone may have been reused.
func isServerOf(ctx context.Context, pid int, data string) bool {
	if pid <= 1 {
		return false
	}
	if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil {
		return bytes.Contains(line, []byte("\x00"+data+"\x00"))
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	line, err := exec.CommandContext(ctx, "ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output() //nolint:gosec // G204: a number
	return err == nil && bytes.Contains(line, []byte(data))
}
