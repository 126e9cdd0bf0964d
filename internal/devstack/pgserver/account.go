//go:build unix

package pgserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// account is the user that the server runs as; nil is the current user.
type account struct{ uid, gid uint32 }

// unprivilegedAccount is "nobody" when the current user is root, which PostgreSQL
// refuses; otherwise nil.
func unprivilegedAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and there is no user nobody to run it as: %w", err)
	}
	uid, err := strconv.ParseUint(nobody.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user id of nobody: %w", err)
	}
	gid, err := strconv.ParseUint(nobody.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("group id of nobody: %w", err)
	}
	return &account{uid: uint32(uid), gid: uint32(gid)}, nil
}

func (a *account) chown(path string) error {
	if a == nil {
		return nil
	}
	return os.Chown(path, int(a.uid), int(a.gid))
}

// checkReachable reports whether the account can enter a directory: "nobody" cannot
// enter a home directory of root.
func (a *account) checkReachable(dir string) error {
	if a == nil {
		return nil
	}
	for _, part := range pathAncestors(dir) {
		info, err := os.Stat(part)
		if err != nil {
			return err
		}
		if !a.canEnter(info) {
			return fmt.Errorf("PostgreSQL runs as user nobody when started by root, and that user cannot enter %q", part)
		}
	}
	return nil
}

func (a *account) canEnter(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode().Perm(); {
	case !ok:
		return false
	case stat.Uid == a.uid:
		return mode&0o100 != 0
	case stat.Gid == a.gid:
		return mode&0o010 != 0
	default:
		return mode&0o001 != 0
	}
}

// pathAncestors lists a path and all its parents, root first.
func pathAncestors(path string) []string {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved
	}
	all := []string{path}
	for up := filepath.Dir(path); up != path; path, up = up, filepath.Dir(up) {
		all = append(all, up)
	}
	slices.Reverse(all)
	return all
}

// sysProcAttr puts the process into a separate process group, so that a terminal's
// Ctrl-C does not reach the server, which this process stops.
func (a *account) sysProcAttr() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true}
	if a != nil {
		attributes.Credential = &syscall.Credential{Uid: a.uid, Gid: a.gid, Groups: []uint32{}}
	}
	return attributes
}

// RunUnprivileged lets a server's program run as "nobody", who gets its directory, if this
// process is root: such programs refuse that. It is called before the program starts.
func RunUnprivileged(cmd *exec.Cmd, dir string) error {
	a, err := unprivilegedAccount()
	if err != nil || a == nil {
		return err
	}
	cmd.SysProcAttr = a.sysProcAttr()
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error { return errors.Join(err, a.chown(path)) })
}
