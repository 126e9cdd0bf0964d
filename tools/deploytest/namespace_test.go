package deploytest_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// insideVariable is set in the process that a test starts in namespaces of its own.
const insideVariable = "DEPLOYTEST_INSIDE"

// inNamespaces runs a test again, in a process that has namespaces of its own for network,
// mounts and processes: addresses, ports and paths can then be those of the deployment. It
// reports whether this is that process. All that the test starts ends with it.
func inNamespaces(t *testing.T) bool {
	t.Helper()
	if os.Getenv(insideVariable) == t.Name() {
		prepareNamespaces(t)
		return true
	}
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root, for namespaces: sudo -E make deploy-check")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
	cmd.Env = append(os.Environ(), insideVariable+"="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("the test did not run in its namespaces:\n%s", out)
	}
	return false
}

func prepareNamespaces(t *testing.T) {
	t.Helper()
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	must(t, unix.Mount("proc", "/proc", "proc", 0, ""))
	if out, err := exec.CommandContext(t.Context(), "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, dir := range []string{"/run", "/var/lib"} { // Where deployments have their files.
		must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// bind lets path lead to what source has.
func bind(t *testing.T, source, path string) {
	t.Helper()
	info, err := os.Stat(source)
	must(t, err)
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	if info.IsDir() {
		must(t, os.MkdirAll(path, 0o755))
	} else if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		must(t, os.WriteFile(path, nil, 0o644))
	}
	must(t, unix.Mount(source, path, "", unix.MS_BIND, ""))
	t.Cleanup(func() { must(t, unix.Unmount(path, unix.MNT_DETACH)) }) // Else the folder around it cannot be removed.
}

// hosts makes names lead to this machine, as a container engine's DNS does.
func hosts(t *testing.T, names ...string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hosts")
	must(t, os.WriteFile(path, fmt.Appendf(nil, "127.0.0.1 localhost %s\n", strings.Join(names, " ")), 0o644))
	must(t, os.Chmod(filepath.Dir(path), 0o755))
	bind(t, path, "/etc/hosts")
}
