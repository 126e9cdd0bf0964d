//go:build unix

package main_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// program is the path of the built devstack, which every user can run.
var program string

// account is a user that the tests run devstack as.
type account struct {
	name       string
	credential *syscall.Credential // Nil: the current user.
	cache      string              // Of the compiled Soroban host.
}

// accounts are the current user and, if that is root, an ordinary one.
var accounts []account

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "devstack-test-")
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o755), build(dir), prepareAccounts(dir), compileHost(dir))
	}
	code := 1
	if err == nil {
		code = m.Run()
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func build(dir string) error {
	program = filepath.Join(dir, "devstack")
	out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput()
	if err != nil {
		return fmt.Errorf("build devstack: %w: %s", err, out)
	}
	return nil
}

func prepareAccounts(dir string) error {
	if os.Geteuid() != 0 {
		accounts = []account{{name: "User", cache: filepath.Join(dir, "cache")}}
		return nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return err
	}
	uid, uidErr := strconv.ParseUint(nobody.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(nobody.Gid, 10, 32)
	unprivileged := account{
		name: "User", cache: filepath.Join(dir, "cache-user"),
		credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)},
	}
	accounts = []account{{name: "Root", cache: filepath.Join(dir, "cache-root")}, unprivileged}
	return errors.Join(uidErr, gidErr, os.Mkdir(unprivileged.cache, 0o700), os.Chown(unprivileged.cache, int(uid), int(gid)))
}

// compileHost compiles the Soroban host once per account, not in every test.
func compileHost(dir string) error {
	for _, a := range accounts {
		cmd := exec.Command(program, "--", "true")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+a.cache)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: a.credential}
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("run devstack for the first time: %w: %s", err, out)
		}
	}
	return nil
}
