package pgserver

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const tempPrefix = "healthcare-pg-"

// ownerFile holds the process id of whoever started a server in a temporary directory.
const ownerFile = "owner.pid"

// guardScript waits until its input ends, which happens when the parent closes
// it or dies in whatever way. It stops the server named in postmaster.pid, whose
// first line is its process id and which a clean shutdown removes, and then
// removes the directory in $2 if it is a temporary one.
const guardScript = `trap '' INT TERM HUP
cat >/dev/null
pid=$(head -n 1 "$1/postmaster.pid" 2>/dev/null) && kill -QUIT "$pid" 2>/dev/null
n=0; while [ -n "$pid" ] && kill -0 "$pid" 2>/dev/null && [ $n -lt 50 ]; do sleep 0.1; n=$((n+1)); done
[ -n "$2" ] && rm -rf -- "$2"`

// watch starts the watchdog; closing what it returns ends it.
func (s *Server) watch() (io.Closer, error) {
	temporary := ""
	if s.options.Dir == "" {
		temporary = s.dir
		if err := os.WriteFile(filepath.Join(s.dir, ownerFile), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
			return nil, err
		}
	}
	guard := exec.Command("/bin/sh", "-c", guardScript, "sh", s.data(), temporary)
	guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	input, err := guard.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := guard.Start(); err != nil {
		return nil, err
	}
	go func() { _ = guard.Wait() }() // Reaps it; nothing depends on how it ended.
	return input, nil
}

// sweep removes what a parent and its watchdog, killed together, left behind.
func sweep() {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), tempPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		text, err := os.ReadFile(filepath.Join(dir, ownerFile)) //nolint:gosec // found by our own pattern
		if err != nil {
			continue // Somebody else's, or just being made.
		}
		owner, err := strconv.Atoi(strings.TrimSpace(string(text)))
		gone := err == nil && errors.Is(syscall.Kill(owner, 0), syscall.ESRCH)
		if !gone || os.Geteuid() != 0 && !mine(dir) {
			continue
		}
		if line, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid")); err == nil { //nolint:gosec // as above
			first, _, _ := strings.Cut(string(line), "\n")
			if pid, err := strconv.Atoi(strings.TrimSpace(first)); err == nil && pid > 1 {
				_ = syscall.Kill(pid, syscall.SIGQUIT)
			}
		}
		_ = os.RemoveAll(dir) // What cannot be removed now is tried again at the next start.
	}
}

func mine(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}
