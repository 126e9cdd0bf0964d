package deploytest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// imageUser is the user and group of the images' programs.
const imageUser = 65532

// deploy is the folder that is tested.
func deploy(name ...string) string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(append([]string{filepath.Dir(file), "../../deploy"}, name...)...)
}

var buildPrograms = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("DEPLOYTEST_PROGRAMS"); dir != "" {
		return dir, nil
	}
	dir, err := os.MkdirTemp("", "deploytest-")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-C", deploy(".."), "-o", dir+"/", "./cmd/tenant-api", "./cmd/devstack")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	// Processes in namespaces find them there.
	return dir, errors.Join(os.Chmod(dir, 0o755), os.Setenv("DEPLOYTEST_PROGRAMS", dir))
})

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // Of Helm.
	inside := os.Getenv(insideVariable) != ""
	code := m.Run()
	if dir := os.Getenv("DEPLOYTEST_PROGRAMS"); dir != "" && !inside {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// program is the path of a built program.
func program(t *testing.T, name string) string {
	t.Helper()
	dir, err := buildPrograms()
	must(t, err)
	return filepath.Join(dir, name)
}

// process is a program that runs during a test.
type process struct {
	name string
	cmd  *exec.Cmd
	out  *output
	done chan struct{} // Closed at its end; err is its result then.
	err  error
}

// output can be read while it is written.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// start starts a program as a user, with these variables alone.
func start(t *testing.T, name string, uid uint32, env []string, args ...string) *process {
	t.Helper()
	p := &process{name: name, out: &output{}, done: make(chan struct{})}
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Env, p.cmd.Dir = env, "/"
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 && uid != 0 {
		p.cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uid, Gid: uid}
	}
	must(t, p.cmd.Start())
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("%s:\n%s", name, p.out)
		}
	})
	return p
}

// stop ends the program, and waits for that.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // It may have ended.
	select {
	case <-p.done:
	case <-time.After(time.Minute):
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		<-p.done
	}
}

// succeeds waits for the end of the program, which must be a success.
func (p *process) succeeds(t *testing.T) string {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(2 * time.Minute):
		t.Fatalf("%s does not end:\n%s", p.name, p.out)
	}
	if p.err != nil {
		t.Fatalf("%s: %v\n%s", p.name, p.err, p.out)
	}
	return p.out.String()
}

// eventually calls check until it returns nil, for at most a minute, while the process runs.
func (p *process) eventually(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		select {
		case <-p.done:
			t.Fatalf("%s: %s ended: %v\n%s", what, p.name, p.err, p.out)
		case <-ctx.Done():
			t.Fatalf("%s: %v\n%s", what, err, p.out)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// get fetches a URL with a bearer token, "" for none.
func get(ctx context.Context, url, token string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", url, response.Status, body)
	}
	return string(body), err
}

// secret reads a secret's file.
func secret(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return strings.TrimSpace(string(text))
}

// decodeResponse reads a response of the API. A status that is no success is an error.
func decodeResponse(response *http.Response, into any) error {
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s: %s", response.Status, body)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(body, into)
}
