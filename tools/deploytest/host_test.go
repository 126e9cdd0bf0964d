package deploytest_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// units are the systemd units, by what they run.
var units = map[string]string{"tenant-api.service": "serve", "tenant-api-worker.service": "worker"}

// TestSystemd_Units: systemd accepts the units, and finds them confined.
func TestSystemd_Units(t *testing.T) {
	t.Parallel()
	program(t, "tenant-api") // Built outside.
	if !inNamespaces(t) {
		return
	}
	bind(t, filepath.Dir(program(t, "tenant-api")), "/usr/local/bin")
	for unit, command := range units {
		path := deploy("systemd", unit)
		for _, args := range [][]string{{"verify", "--man=no", path}, {"security", "--offline=true", "--threshold=15", path}} {
			out, err := exec.CommandContext(t.Context(), "systemd-analyze", args...).CombinedOutput()
			if err != nil || args[0] == "verify" && strings.Contains(string(out), unit) {
				t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
			}
		}
		if u := readUnit(t, path); !slices.Equal(u["ExecStart"], []string{"/usr/local/bin/tenant-api " + command}) {
			t.Errorf("%s runs %v", unit, u["ExecStart"])
		}
	}
}

// readUnit reads the lines of a unit, by name.
func readUnit(t *testing.T, path string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	unit := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			unit[name] = append(unit[name], value)
		}
	}
	return unit
}

// startUnit runs what a unit runs, with its files of settings and credentials, as a user that
// owns none of them.
func startUnit(t *testing.T, unit string) *process {
	t.Helper()
	const dynamicUser = 61184
	u := readUnit(t, deploy("systemd", unit))
	credentials := "/run/credentials/" + unit
	must(t, os.MkdirAll(credentials, 0o755))
	for _, line := range u["LoadCredential"] {
		name, source, _ := strings.Cut(line, ":")
		text, err := os.ReadFile(source)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(credentials, name), text, 0o400))
		must(t, os.Chown(filepath.Join(credentials, name), dynamicUser, dynamicUser))
	}
	var env []string
	for _, path := range u["EnvironmentFile"] {
		for name, value := range readUnit(t, path) {
			env = append(env, name+"="+value[0])
		}
	}
	for _, setting := range u["Environment"] {
		if strings.HasPrefix(setting, "MAIL_PASSWORD_FILE=") {
			continue // The catcher wants no user.
		}
		env = append(env, strings.ReplaceAll(setting, "%d", credentials))
	}
	return start(t, unit, dynamicUser, env, strings.Fields(u["ExecStart"][0])...)
}

// startServices starts PostgreSQL, a Stellar network and a mail catcher, and returns their
// settings.
func startServices(t *testing.T) map[string]string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "env")
	home := t.TempDir()
	p := start(t, "devstack", 0, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=/tmp"}, program(t, "devstack"), "--env-file", file)
	p.eventually(t, "the services start", func(context.Context) error {
		_, err := os.Stat(file)
		return err
	})
	settings := map[string]string{}
	for name, value := range readUnit(t, file) {
		settings[strings.TrimPrefix(name, "export ")] = strings.Trim(value[0], "'")
	}
	return settings
}

// installUnitFiles makes the files that the guide says, for the services of this test.
func installUnitFiles(t *testing.T, services map[string]string) {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o700))
	// The example's lines, with the addresses of this test.
	text, err := os.ReadFile(deploy("systemd/tenant-api.env"))
	must(t, err)
	var lines strings.Builder
	for line := range strings.Lines(string(text)) {
		name, _, _ := strings.Cut(line, "=")
		if value, ok := services[name]; ok && name != "APP_URL" {
			line = name + "=" + value + "\n"
		}
		if name != "MAIL_USER" { // The catcher wants no user.
			lines.WriteString(line)
		}
	}
	for _, name := range []string{"SOROBAN_RPC_URL", "MAIL_PORT", "MAIL_TLS"} {
		fmt.Fprintf(&lines, "%s=%s\n", name, services[name])
	}
	for name, text := range map[string]string{
		"tenant-api.env": lines.String(), "database-url": services["DATABASE_URL"] + "\n", "deployer": services["SOROBAN_CONTRACT_DEPLOYER_SECRET"] + "\n", "mail-password": "unused\n",
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	bind(t, dir, "/etc/tenant-api")
}

// startNginx runs Debian's nginx with its own configuration and that of the example.
func startNginx(t *testing.T) *process {
	t.Helper()
	files := t.TempDir()
	must(t, os.Chmod(files, 0o755))
	out, err := exec.CommandContext(t.Context(), "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
		"-subj", "/CN=tenants.example.com", "-addext", "subjectAltName=DNS:tenants.example.com",
		"-keyout", filepath.Join(files, "tenants.example.com.key"), "-out", filepath.Join(files, "tenants.example.com.crt")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	conf, empty := t.TempDir(), t.TempDir()
	must(t, os.CopyFS(conf, os.DirFS(deploy("nginx"))))
	must(t, os.CopyFS(filepath.Join(conf, "nginx"), os.DirFS("/etc/nginx")))
	etc := filepath.Join(conf, "nginx")
	must(t, os.MkdirAll(filepath.Join(etc, "tls"), 0o755))
	must(t, os.CopyFS(filepath.Join(etc, "conf.d"), os.DirFS(deploy("nginx"))))
	must(t, os.CopyFS(filepath.Join(etc, "tls"), os.DirFS(files)))
	bind(t, etc, "/etc/nginx")
	bind(t, empty, "/etc/nginx/sites-enabled") // The default page.
	bind(t, t.TempDir(), "/var/log/nginx")
	must(t, os.MkdirAll("/var/lib/nginx", 0o755))
	if out, err := exec.CommandContext(t.Context(), "nginx", "-t").CombinedOutput(); err != nil || strings.Contains(string(out), "warn") {
		t.Fatalf("%v: %s", err, out)
	}
	return start(t, "nginx", 0, []string{"PATH=" + os.Getenv("PATH")}, "nginx", "-g", "daemon off; error_log stderr;")
}

// TestHost_BehindNginx runs the programs of a host: the unit's server with its settings and
// credentials, behind nginx.
func TestHost_BehindNginx(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"tenant-api", "devstack"} {
		program(t, name)
	}
	if !inNamespaces(t) {
		return
	}
	hosts(t, "tenants.example.com")
	bind(t, filepath.Dir(program(t, "tenant-api")), "/usr/local/bin")
	services := startServices(t)
	installUnitFiles(t, services)
	server := startUnit(t, "tenant-api.service")
	server.eventually(t, "the server is ready", func(ctx context.Context) error {
		return exec.CommandContext(ctx, "/usr/local/bin/tenant-api", "healthcheck").Run()
	})
	key := strings.TrimSpace(runWith(t, services, "apikey", "create", "--name", "test", "--scope", "admin"))
	nginx := startNginx(t)
	c := &client{http: proxyClient("127.0.0.9"), key: key}
	nginx.eventually(t, "nginx answers", func(ctx context.Context) error { return c.call(ctx, http.MethodGet, "/livez", "", nil) })

	// Each event arrives before what causes the next one is even sent.
	events := c.stream(t, "/admin/events/stream")
	var created struct{ TenantID string }
	must(t, c.call(t.Context(), http.MethodPost, "/admin/tenants", `{"name":"Proxied Clinic","adminEmail":"ada@proxied.example","adminFirstName":"Ada","adminLastName":"Lovelace"}`, &created))
	events.waitFor(t, "tenant.create")
	events.waitFor(t, "tenant.activate")
	must(t, c.call(t.Context(), http.MethodPost, "/admin/tenants/"+created.TenantID+"/suspend", "{}", nil))
	events.waitFor(t, "tenant.suspend")

	// The caller's address is that of its connection with nginx, whatever it says itself.
	server.eventually(t, "the caller's address is in the log", func(context.Context) error {
		if !strings.Contains(server.out.String(), `"address":"127.0.0.9"`) {
			return fmt.Errorf("it is not in the log")
		}
		return nil
	})
	if strings.Contains(server.out.String(), "203.0.113.5") {
		t.Error("the log has the address that the caller sent")
	}
	plain := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := plain.Get("http://tenants.example.com/admin/tenants?limit=1")
	must(t, err)
	_ = response.Body.Close()
	if location := response.Header.Get("Location"); response.StatusCode != http.StatusPermanentRedirect || location != "https://tenants.example.com/admin/tenants?limit=1" {
		t.Errorf("plain HTTP: %s to %q", response.Status, location)
	}
	server.stop()
	if server.err != nil {
		t.Errorf("the server stopped with %v", server.err)
	}
	startUnit(t, "tenant-api-worker.service").eventually(t, "the worker starts", func(ctx context.Context) error {
		_, err := get(ctx, "http://127.0.0.1:9464/metrics", "")
		return err
	})
}

// runWith runs a command of tenant-api with the settings of services.
func runWith(t *testing.T, services map[string]string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/usr/local/bin/tenant-api", args...)
	for name, value := range services {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.Output()
	must(t, err)
	return string(out)
}

// client calls the API through nginx.
type client struct {
	http *http.Client
	key  string
}

// proxyClient connects from an address, to servers of any certificate.
func proxyClient(address string) *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	return &http.Client{Transport: &http.Transport{
		DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true,
	}}
}

func (c *client) request(ctx context.Context, method, path, body string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, "https://tenants.example.com"+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+c.key)
	request.Header.Set("X-Forwarded-For", "203.0.113.5")
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	return c.http.Do(request)
}

func (c *client) call(ctx context.Context, method, path, body string, into any) error {
	response, err := c.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	return decodeResponse(response, into)
}

// stream opens an event stream.
func (c *client) stream(t *testing.T, path string) *eventStream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	response, err := c.request(ctx, http.MethodGet, path, "")
	must(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK || response.ProtoMajor != 2 {
		t.Fatalf("%s %s", response.Proto, response.Status)
	}
	return &eventStream{bufio.NewReader(response.Body)}
}

type eventStream struct{ lines *bufio.Reader }

// waitFor reads until a line has the text.
func (s *eventStream) waitFor(t *testing.T, text string) {
	t.Helper()
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the stream ended before %s: %v", text, err)
		}
		if strings.Contains(line, text) {
			return
		}
	}
}
