package provider_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// mode is database mode or API mode.
type mode string

// The modes. The same tests run in both.
const (
	databaseMode mode = "Database" // All in the provider's process.
	apiMode      mode = "API"      // Through a separate tenant-api process.
)

// inBothModes runs a test in each mode, see testenv.Variants.
func inBothModes(t *testing.T, test func(t *testing.T, m mode)) {
	t.Helper()
	t.Parallel()
	for _, m := range testenv.Variants(t, databaseMode, apiMode) {
		t.Run(string(m), func(t *testing.T) { test(t, m) })
	}
}

// apiServer is a running tenant-api and the settings that it was started with.
type apiServer struct {
	cmd      *exec.Cmd
	settings map[string]string
	url      string
	log      *testenv.Buffer
	done     chan struct{}
}

// isServerSetting reports whether a setting belongs to the platform; in API mode tenant-api
// gets those, and the CLI the others.
func isServerSetting(variable string) bool {
	for _, prefix := range []string{"DATABASE_", "DB_", "SOROBAN_", "MAIL_", "APP_", "PURGE_", "ALLOW_", "DEFAULT_", "WEBHOOK_", "BLUEPRINT_", "INVITATION_", "CORS_", "TRUSTED_", "CREDENTIAL_", "AUTH_"} {
		if strings.HasPrefix(variable, prefix) {
			return true
		}
	}
	return false
}

// environment returns the settings that the CLI gets.
func (w *testEnv) environment() map[string]string {
	w.t.Helper()
	if w.mode != apiMode {
		return w.env
	}
	settings, cliSettings := map[string]string{}, map[string]string{}
	for name, value := range w.env {
		if forTraces := strings.HasPrefix(name, "OTEL_"); forTraces || isServerSetting(name) {
			settings[name] = value
			if !forTraces { // Those are of both.
				continue
			}
		}
		cliSettings[name] = value
	}
	w.serve(settings)
	cliSettings["TENANT_API_URL"], cliSettings["TENANT_API_TOKEN"] = w.server.url, w.token
	return cliSettings
}

// serve starts tenant-api with these settings and stops one with other settings.
func (w *testEnv) serve(settings map[string]string) {
	w.t.Helper()
	if w.server != nil && maps.Equal(w.server.settings, settings) {
		return
	}
	if w.server != nil {
		w.server.stop(w.t)
	}
	if w.token == "" {
		create := w.apiCommand(settings, "apikey", "create", "--name", "acceptance", "--scope", "tenants:write", "--scope", "tenants:purge", "--scope", "tenants:hold", "--scope", "tenants:credentials", "--scope", "blueprints:write")
		token, err := create.Output()
		if err != nil {
			w.t.Fatalf("create a key: %v: %s", err, stderr(err))
		}
		w.token = strings.TrimSpace(string(token))
	}
	w.listen(settings, "0")
}

// listen starts tenant-api on a port.
func (w *testEnv) listen(settings map[string]string, port string) {
	w.t.Helper()
	s := &apiServer{settings: settings, log: &w.serverLog, done: make(chan struct{})}
	s.cmd = w.apiCommand(settings, "serve", "--port", port, "--rate-limit", "100000", "--log-level", "debug")
	pipe, err := s.cmd.StderrPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.server = s
	w.t.Cleanup(func() {
		s.stop(w.t)
		if w.t.Failed() {
			w.t.Logf("log of tenant-api:\n%s", s.log)
		}
	})
	url := make(chan string, 1)
	go s.read(pipe, url)
	select {
	case s.url = <-url:
	case <-s.done:
		w.t.Fatalf("tenant-api ended:\n%s", s.log)
	case <-time.After(time.Minute):
		w.t.Fatalf("tenant-api does not serve:\n%s", s.log)
	}
}

func stderr(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(exit.Stderr)
	}
	return ""
}

func (w *testEnv) apiCommand(settings map[string]string, args ...string) *exec.Cmd {
	cmd := exec.Command(testenv.Program(w.t, "cmd/tenant-api"), args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + w.dir}
	for name, value := range settings {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

var servingLine = regexp.MustCompile(`msg=serving url=(\S+)`)

// read stores the log and finds the address in it.
func (s *apiServer) read(from io.Reader, url chan<- string) {
	defer close(s.done)
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		if found := servingLine.FindStringSubmatch(lines.Text()); found != nil {
			url <- found[1]
		}
		_, _ = fmt.Fprintln(s.log, lines.Text()) // A buffer takes everything.
	}
	_ = s.cmd.Wait() // ProcessState has the exit status.
}

// restart kills the server and starts a new one on the same port.
func (w *testEnv) restart() {
	w.t.Helper()
	_, port, _ := strings.Cut(strings.TrimPrefix(w.server.url, "http://"), ":")
	if err := w.server.cmd.Process.Kill(); err != nil {
		w.t.Fatal(err)
	}
	<-w.server.done
	w.listen(w.server.settings, port)
}

// stop ends the server with SIGTERM.
func (s *apiServer) stop(t *testing.T) {
	t.Helper()
	select {
	case <-s.done:
		return
	default:
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	select {
	case <-s.done:
	case <-ctx.Done():
		_ = s.cmd.Process.Kill() // The failure is reported already.
		t.Errorf("tenant-api does not end:\n%s", s.log)
		return
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("tenant-api ended with %d:\n%s", code, s.log)
	}
}
