//go:build unix

package pgserver_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/watchdog/watchdogtest"
)

// testCredentials are the users that the tests run a process as: the current one and, if
// that is root, an ordinary one.
func testCredentials(t *testing.T) map[string]*syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return map[string]*syscall.Credential{"User": nil}
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, uidErr := strconv.ParseUint(nobody.Uid, 10, 32)
	gid, gidErr := strconv.ParseUint(nobody.Gid, 10, 32)
	if err := errors.Join(uidErr, gidErr); err != nil {
		t.Fatal(err)
	}
	return map[string]*syscall.Credential{"Root": nil, "User": {Uid: uint32(uid), Gid: uint32(gid)}}
}

// startHelper runs the helper, which starts a server, as that user.
func startHelper(t *testing.T, credential *syscall.Credential, o pgserver.Options) (*exec.Cmd, io.WriteCloser, helperReport) {
	t.Helper()
	options, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), helperProgram)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), helperEnv+"="+string(options))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var r helperReport
	if err := json.NewDecoder(output).Decode(&r); err != nil {
		t.Fatalf("the helper printed nothing: %v", errors.Join(err, cmd.Wait()))
	}
	return cmd, input, r
}

func TestServer_StopsWhenParentIsKilled(t *testing.T) {
	t.Parallel()
	for name, credential := range testCredentials(t) {
		t.Run(name+"TemporaryDirectoryIsRemoved", func(t *testing.T) {
			t.Parallel()
			cmd, _, r := startHelper(t, credential, pgserver.Options{})
			if !watchdogtest.Alive(r.Pid) || !exists(r.Dir) {
				t.Fatalf("no server to begin with: %+v", r)
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			watchdogtest.Eventually(t, "the server ends", func() bool { return !watchdogtest.Alive(r.Pid) })
			watchdogtest.Eventually(t, "the directory goes", func() bool { return !exists(r.Dir) })
		})
	}
	t.Run("KeptDirectoryIsReusable", func(t *testing.T) {
		t.Parallel()
		dir := filepath.Join(sharedDir(t), "kept")
		cmd, _, r := startHelper(t, nil, pgserver.Options{Dir: dir})
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		watchdogtest.Eventually(t, "the server ends", func() bool { return !watchdogtest.Alive(r.Pid) })
		restarted := start(t, pgserver.Options{Dir: dir})
		if got := query(t.Context(), t, restarted.URL("postgres"), "SELECT 'up'"); got != "up" {
			t.Errorf("answer %q", got)
		}
	})
}

func TestServer_StopsWhenParentExits(t *testing.T) {
	t.Parallel()
	for name, credential := range testCredentials(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd, input, r := startHelper(t, credential, pgserver.Options{})
			if err := input.Close(); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Fatal(err)
			}
			if watchdogtest.Alive(r.Pid) || exists(r.Dir) {
				t.Errorf("process alive: %v, directory there: %v", watchdogtest.Alive(r.Pid), exists(r.Dir))
			}
		})
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func commandLine(t *testing.T, pid int) string {
	t.Helper()
	if line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline"); err == nil {
		return strings.ReplaceAll(string(line), "\x00", " ")
	}
	line, err := exec.CommandContext(t.Context(), "ps", "-ww", "-o", "command=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(line)
}
