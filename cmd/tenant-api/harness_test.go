//go:build unix

package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// These tests run the program as a separate process, against a real PostgreSQL,
// SMTP server and Soroban host.

func TestMain(m *testing.M) { testenv.Main(m) }

// testEnv is the environment that a test's processes share.
type testEnv struct {
	t       *testing.T
	program string // tenant-api.
	net     *stellarnet.Network
	mail    *mailcatcher.Catcher
	env     map[string]string

	registry *registrytest.Registry
	deployer string // Its address.
}

func setup(t *testing.T) *testEnv {
	t.Helper()
	t.Parallel()
	return newTestEnv(t, testenv.Database(t))
}

func newTestEnv(t *testing.T, database string) *testEnv {
	t.Helper()
	w := &testEnv{t: t, program: testenv.Program(t, "cmd/tenant-api"), net: testenv.Network(t), mail: testenv.Mail(t)}
	deployer := testenv.Deployer(t, w.net)
	w.deployer = deployer.Address()
	w.env = testenv.Settings(database, w.net, deployer, w.mail)
	w.env["RATE_LIMIT"] = "1000000"
	w.registry = registrytest.Open(t, database)
	return w
}

func (w *testEnv) command(args ...string) *exec.Cmd {
	cmd := exec.Command(w.program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.t.TempDir()}
	for name, value := range w.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// result is the output and exit code of a command.
type result struct {
	out, err string
	code     int
}

func (w *testEnv) run(args ...string) result {
	w.t.Helper()
	var out, err bytes.Buffer
	cmd := w.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &err
	failure := cmd.Run()
	var exit *exec.ExitError
	if failure != nil && !errors.As(failure, &exit) {
		w.t.Fatalf("tenant-api %v: %v", args, failure)
	}
	return result{out.String(), err.String(), cmd.ProcessState.ExitCode()}
}

func (w *testEnv) mustRun(args ...string) result {
	w.t.Helper()
	r := w.run(args...)
	if r.code != 0 {
		w.t.Fatalf("tenant-api %v ended with %d: %s%s", args, r.code, r.out, r.err)
	}
	return r
}

func (w *testEnv) createKey(scope string) string {
	w.t.Helper()
	return strings.TrimSpace(w.mustRun("apikey", "create", "--name", "test "+scope, "--scope", scope).out)
}

// process is a running server.
type process struct {
	*exec.Cmd
	t      *testing.T
	url    string
	token  string
	log    testenv.Buffer
	ended  chan struct{}
	client *http.Client
}

var servingLine = regexp.MustCompile(`msg=(?:serving url=(\S+)|"worker started")`)

// start runs "serve" or "worker" until the test ends.
func (w *testEnv) start(token string, args ...string) *process {
	w.t.Helper()
	if args[0] == "serve" {
		args = append(args, "--port", "0")
	}
	p := &process{Cmd: w.command(args...), t: w.t, token: token, ended: make(chan struct{}), client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}}
	pipe, err := p.StderrPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		_ = p.Process.Kill() // It may have exited already.
		<-p.ended
		if w.t.Failed() {
			w.t.Logf("log of %v:\n%s", args, p.log.String())
		}
	})
	started := make(chan string, 8)
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(pipe)
		for lines.Scan() {
			_, _ = fmt.Fprintln(&p.log, lines.Text()) // Writes to a buffer do not fail.
			if found := servingLine.FindStringSubmatch(lines.Text()); found != nil {
				select {
				case started <- found[1]:
				default:
				}
			}
		}
		_ = p.Wait() // The process state has the exit code.
	}()
	select {
	case p.url = <-started:
	case <-p.ended:
		w.t.Fatalf("the server exited: %s", p.log.String())
	case <-time.After(time.Minute):
		w.t.Fatalf("the server does not serve: %s", p.log.String())
	}
	return p
}

// answer is a response of the API.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	text   string
}

// do sends a request; an error means that no response came.
func (p *process) do(method, path string, body any, headers ...string) (answer, error) {
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		if err != nil {
			return answer{}, err
		}
		reader = bytes.NewReader(text)
	}
	request, err := http.NewRequest(method, p.url+path, reader)
	if err != nil {
		return answer{}, err
	}
	if p.token != "" {
		request.Header.Set("Authorization", "Bearer "+p.token)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	got, err := p.client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = got.Body.Close() }()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: got.StatusCode, header: got.Header, text: string(text)}
	if strings.Contains(got.Header.Get("Content-Type"), "json") {
		err = json.Unmarshal(text, &a.body)
	}
	return a, err
}

func (p *process) call(method, path string, body any, headers ...string) answer {
	p.t.Helper()
	a, err := p.do(method, path, body, headers...)
	if err != nil {
		p.t.Fatalf("%s %s: %v", method, path, err)
	}
	return a
}

// want fails the test when the status differs.
func (a answer) want(t *testing.T, status int) answer {
	t.Helper()
	if a.status != status {
		t.Fatalf("status %d, want %d: %s", a.status, status, a.text)
	}
	return a
}

func (a answer) str(field string) string {
	s, _ := a.body[field].(string)
	return s
}

func clinic(name string) map[string]any {
	return map[string]any{"name": name, "adminEmail": "ada@clinic.example", "adminFirstName": "Ada", "adminLastName": "Lovelace"}
}

// terminate sends SIGTERM and returns the exit code.
func (p *process) terminate() int {
	p.t.Helper()
	if err := p.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.ended:
	case <-time.After(90 * time.Second):
		p.t.Fatalf("the server does not exit: %s", p.log.String())
	}
	return p.ProcessState.ExitCode()
}

// kill sends SIGKILL.
func (p *process) kill() {
	p.t.Helper()
	if err := p.Process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	<-p.ended
}

// waitFor waits for a condition.
func (w *testEnv) waitFor(name string, condition func() bool) {
	w.t.Helper()
	deadline := time.After(2 * time.Minute)
	for !condition() {
		select {
		case <-deadline:
			w.t.Fatalf("timeout while waiting for %s", name)
		case <-time.After(10 * time.Millisecond): // Poll interval.
		}
	}
}

func (w *testEnv) hasActive(n int) func() bool {
	return func() bool { return w.registry.Count(tenant.StatusActive) == n }
}

// allActive reports whether there is no tenant that is not ACTIVE.
func (w *testEnv) allActive() bool {
	return !slices.ContainsFunc(w.registry.All(), func(t registrytest.Tenant) bool { return t.Status != tenant.StatusActive })
}

// assertInvariants checks the invariants that hold when no job runs.
func (w *testEnv) assertInvariants() {
	w.t.Helper()
	for _, what := range w.registry.Inconsistencies() {
		w.t.Error(what)
	}
	mails := map[string]bool{}
	for _, m := range w.mail.Messages() {
		if !strings.Contains(m.Subject, "could not be set up") {
			mails[m.MessageID] = true
		}
	}
	if live := w.registry.WereLive(); len(mails) != live {
		w.t.Errorf("%d message ids for %d tenants that went live", len(mails), live)
	}
}
