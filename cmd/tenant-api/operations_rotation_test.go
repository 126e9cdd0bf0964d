//go:build unix

package main_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// rotations has a test for each secret of the settings. What has another name there is a part of the
// same test.
var rotations = map[string]func(t *testing.T){
	config.DatabaseURL: rotateDatabaseURL, config.DatabaseDirectURL: rotateDatabaseURL, config.DatabasePassword: rotateDatabaseURL,
	config.SorobanRPCURL: rotateRPC, config.SorobanRPCHeaders: rotateRPC,
	config.SorobanDeployerSecret: rotateDeployer,
	config.MailPassword:          rotateMailPassword, config.MailOAuthSecret: rotateMailOAuth,
	config.ConsoleOIDCClientSecret: rotateConsoleClient,
	config.TracesHeaders:           rotateTracesKey, "OTEL_EXPORTER_OTLP_TRACES_HEADERS": rotateTracesKey,
	config.TenantAPIToken: rotateAPIKey,
	"BLUEPRINT_SECRET_*":  rotateStepSecret,
}

// TestOperationsGuide_Rotation: the guide's table has each secret of the settings, and what it says of
// each is tried.
func TestOperationsGuide_Rotation(t *testing.T) {
	t.Parallel()
	_, table, _ := strings.Cut(guideText(t, "operations.md"), "| secret | how |")
	table, _, _ = strings.Cut(table, "\n\n")
	inGuide := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([A-Z_*]+)` \\|").FindAllStringSubmatch(table, -1) {
		inGuide[m[1]] = true
		if rotations[m[1]] == nil {
			t.Errorf("the guide rotates %s, which is no secret of the settings", m[1])
		}
	}
	secrets := []string{"BLUEPRINT_SECRET_*"}
	for _, s := range config.Settings() {
		if s.Secret {
			secrets = append(secrets, s.Variable)
		}
	}
	for _, secret := range secrets {
		if !inGuide[secret] || rotations[secret] == nil {
			t.Errorf("the secret %s is in the guide: %v; it has a test: %v", secret, inGuide[secret], rotations[secret] != nil)
		}
	}
	for name, run := range map[string]func(*testing.T){
		"Database": rotateDatabaseURL, "RPC": rotateRPC, "Deployer": rotateDeployer, "MailPassword": rotateMailPassword, "MailOAuth": rotateMailOAuth,
		"TracesKey": rotateTracesKey, "ConsoleClient": rotateConsoleClient, "APIKey": rotateAPIKey, "StepSecret": rotateStepSecret,
	} {
		t.Run(name, run)
	}
}

// secretFile gives a secret by a file, and returns the function that writes another one into it.
func (w *testEnv) secretFile(variable, secret string) (write func(string)) {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "secret")
	write = func(secret string) {
		w.t.Helper()
		if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	write(secret)
	delete(w.env, variable)
	w.env[variable+config.FileSuffix] = path
	return write
}

// create makes a tenant and returns what was answered.
func (p *process) create(name string) answer {
	p.t.Helper()
	return p.call(http.MethodPost, "/admin/tenants", clinic(name))
}

// rotateDatabaseURL replaces the password of a user that owns the database. With two users, an owner
// that cannot log in, the tests of the guide "PostgreSQL" do it.
func rotateDatabaseURL(t *testing.T) {
	p := setupPlatform(t)
	write := p.secretFile(config.DatabaseURL, p.env[config.DatabaseURL])
	server := p.start(p.token, "serve")
	server.create("Before").want(t, http.StatusAccepted)
	p.waitFor("the tenant", p.hasActive(1))
	g := p.guideShell("operations")
	p.asSuperuser(g.script("password.sql", "platform", p.owner, "from-your-secret-store", "another-s3cret"))
	p.run("tenants", "list").want(t, 1, "password")
	queued, err := server.do(http.MethodPost, "/admin/tenants", clinic("Between")) // It may find no connection.
	if err != nil {
		t.Fatal(err)
	}
	write(testenv.WithLogin(t, p.superuser, p.owner, "another-s3cret"))
	next := p.start(p.token, "serve")
	if code := server.terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	next.create("After").want(t, http.StatusAccepted)
	p.waitFor("the tenants", p.allActive)
	if n := p.registry.Count("ACTIVE"); n != 2 && queued.status != http.StatusAccepted || n != 3 && queued.status == http.StatusAccepted {
		t.Errorf("%d tenants, after %d: %s", n, queued.status, queued.text)
	}
	p.registry = nil // Its connections have the old password.
}

// guardedRPC is an RPC server that wants one of its keys in a header.
type guardedRPC struct {
	*httptest.Server
	mu   sync.Mutex
	keys []string
}

func newGuardedRPC(t *testing.T, rpc string, keys ...string) *guardedRPC {
	t.Helper()
	target, err := url.Parse(rpc)
	if err != nil {
		t.Fatal(err)
	}
	s := &guardedRPC{keys: keys}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.URL.Path = target.Path }}
	s.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		known := slices.Contains(s.keys, r.Header.Get("X-Key")) || slices.Contains(s.keys, strings.TrimPrefix(r.URL.Path, "/"))
		s.mu.Unlock()
		if !known {
			http.Error(rw, "no such key", http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *guardedRPC) accept(keys ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = keys
}

// rotateRPC replaces the key of an RPC server in its address, and in a header.
func rotateRPC(t *testing.T) {
	t.Parallel()
	for name, secretOf := range map[string]func(s *guardedRPC, key string) (variable, secret string){
		"URL":     func(s *guardedRPC, key string) (string, string) { return config.SorobanRPCURL, s.URL + "/" + key },
		"Headers": func(_ *guardedRPC, key string) (string, string) { return config.SorobanRPCHeaders, "X-Key: " + key },
	} {
		t.Run(name, func(t *testing.T) {
			w := setup(t)
			rpc := newGuardedRPC(t, w.net.RPCURL(), "first-key")
			w.env[config.SorobanRPCURL] = rpc.URL
			variable, secret := secretOf(rpc, "first-key")
			write := w.secretFile(variable, secret)
			server := w.start(w.createKey("tenants:write"), "serve")
			server.create("Before").want(t, http.StatusAccepted)
			w.waitFor("the tenant", w.hasActive(1))
			rpc.accept("first-key", "second-key")
			_, secret = secretOf(rpc, "second-key")
			write(secret)
			next := w.start(server.token, "serve")
			server.terminate()
			rpc.accept("second-key")
			next.create("After").want(t, http.StatusAccepted)
			w.waitFor("the tenant", w.hasActive(2))
		})
	}
}

// rotateDeployer replaces the key of the deployer's account with the guide's program.
func rotateDeployer(t *testing.T) {
	w := setup(t)
	w.env[config.SorobanChannels] = "1"
	g := w.guideShell("operations")
	requirements := g.write("requirements.txt", g.script("requirements.txt"))
	g.path += ":" + testenv.PythonTools(t, requirements)
	g.write("signer.py", g.script("signer.py"))
	old := w.start(w.createKey("tenants:write"), "serve")
	old.create("Before").want(t, http.StatusAccepted)
	w.waitFor("the tenant", w.hasActive(1))
	var channels struct{ Deployer string }
	if err := json.Unmarshal([]byte(w.mustRun("channels", "--json").out), &channels); err != nil || channels.Deployer != w.deployer {
		t.Fatalf("%v: %+v", err, channels)
	}

	added := g.mustShell(g.script("signer-add.sh"))
	added.want(t, 0, w.deployer+": done")
	seed, err := os.ReadFile(filepath.Join(g.dir, "deployer.new"))
	if err != nil {
		t.Fatal(err)
	}
	before := w.env[config.SorobanDeployerSecret]
	w.env[config.SorobanDeployerSecret], w.env[config.SorobanDeployer] = string(seed), w.deployer
	next := w.start(old.token, "serve")
	next.create("Beside").want(t, http.StatusAccepted)
	old.create("Beside the other").want(t, http.StatusAccepted)
	w.waitFor("tenants of both", w.hasActive(3))
	old.terminate()

	w.env[config.SorobanDeployerSecret] = before // The script sets it.
	delete(w.env, config.SorobanDeployer)
	g.mustShell(g.script("signer-remove.sh", "GDEPLOYER", w.deployer)).want(t, 0, w.deployer+": done", "1 of 1 channels can be used")
	w.env[config.SorobanDeployerSecret], w.env[config.SorobanDeployer] = string(seed), w.deployer
	next.create("After").want(t, http.StatusAccepted)
	w.waitFor("the tenant", w.hasActive(4))
	w.mustRun("tenants", "suspend", "name:Before") // Its contract gets a status by the new key.
	w.mustRun("contracts", "anchor", "--all")
	w.mustRun("tenants", "verify").want(t, 0, "4 tenants checked, 0 findings")
	g.shell("python3 signer.py remove "+strings.TrimSpace(added.out[:56])).want(t, 1, "so that one is left")
}

// rotateMailPassword replaces the password at the mail server first: tenants become live, and
// their mails are sent by hand after the restart.
func rotateMailPassword(t *testing.T) {
	w := setup(t)
	catcher, err := mailcatcher.Start(t.Context(), mailcatcher.Options{Username: "platform", Password: "second"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = catcher.Close() })
	w.env["MAIL_PORT"] = strconv.Itoa(catcher.SMTPPort())
	w.env["MAIL_USER"] = "platform"
	write := w.secretFile(config.MailPassword, "first")
	server := w.start(w.createKey("tenants:write"), "serve")
	server.create("Clinic").want(t, http.StatusAccepted)
	w.waitFor("the tenant", w.hasActive(1))
	if got := catcher.Messages(); len(got) != 0 {
		t.Errorf("mails with the old password: %v", got)
	}
	write("second")
	w.start(server.token, "serve")
	server.terminate()
	w.registry.MakeMailDue()
	w.waitFor("the mail", func() bool { return len(catcher.Messages()) == 1 })
}

// rotateMailOAuth: after a restart, access tokens are fetched with the new secret of the client.
func rotateMailOAuth(t *testing.T) {
	w := setup(t)
	var (
		mu   sync.Mutex
		last string
	)
	tokens := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		_, secret, _ := r.BasicAuth()
		mu.Lock()
		last = secret + r.FormValue("client_secret")
		mu.Unlock()
		rw.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(rw).Encode(map[string]any{"access_token": "token", "token_type": "Bearer", "expires_in": 3600})
	}))
	t.Cleanup(tokens.Close)
	used := func(secret string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return last == secret
		}
	}
	w.env["MAIL_PORT"] = startXOAuth2Server(t)
	w.env["MAIL_USER"], w.env["MAIL_OAUTH_TOKEN_URL"], w.env["MAIL_OAUTH_CLIENT_ID"] = "no-reply@platform.example", tokens.URL, "client"
	write := w.secretFile(config.MailOAuthSecret, "first")
	server := w.start(w.createKey("tenants:write"), "serve")
	server.create("Clinic").want(t, http.StatusAccepted)
	w.waitFor("a token by the first secret", used("first"))
	write("second")
	server.terminate()
	next := w.start(server.token, "serve")
	next.create("Another").want(t, http.StatusAccepted)
	w.waitFor("a token by the second secret", used("second"))
}

// startXOAuth2Server starts a mail server that offers XOAUTH2 and accepts no login, and returns its
// port.
func startXOAuth2Server(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				_, _ = io.WriteString(conn, "220 mail.example\r\n")
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					reply := "535 5.7.8 no\r\n"
					if strings.HasPrefix(lines.Text(), "EHLO") {
						reply = "250-mail.example\r\n250 AUTH XOAUTH2\r\n"
					}
					_, _ = io.WriteString(conn, reply)
				}
			}()
		}
	}()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// rotateAPIKey replaces a key. The old one works until it is revoked, and then no more.
func rotateAPIKey(t *testing.T) {
	w := setup(t)
	old := strings.TrimSpace(w.mustRun("apikey", "create", "--name", "ops", "--scope", "admin").out)
	server := w.start(old, "serve")
	g := w.guideShell("operations")
	create, revoke, _ := strings.Cut(g.script("key.sh"), "# Once")
	g.mustShell(create).want(t, 0, "ops")
	next, err := os.ReadFile(filepath.Join(g.dir, "ops-2.key"))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{old, strings.TrimSpace(string(next))} {
		server.token = key
		server.call(http.MethodGet, "/admin/tenants", nil).want(t, http.StatusOK)
	}
	w.env["OLD_KEY"] = "ops"
	g.mustShell("# Once" + revoke)
	server.call(http.MethodGet, "/admin/tenants", nil).want(t, http.StatusOK)
	server.token = old
	server.call(http.MethodGet, "/admin/tenants", nil).want(t, http.StatusUnauthorized)
}

// rotateStepSecret replaces the secret of a step without a restart.
func rotateStepSecret(t *testing.T) {
	w := setup(t)
	d := w.newDirectory()
	first := w.env["BLUEPRINT_SECRET_DIRECTORY"]
	w.secretFile("BLUEPRINT_SECRET_DIRECTORY", first)
	var (
		mu         sync.Mutex
		signatures = map[string]int{} // By tenant: how many.
		handler    = d.Config.Handler
	)
	d.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		signatures[r.Header.Get("webhook-signature")]++
		mu.Unlock()
		handler.ServeHTTP(rw, r)
	})
	w.publishSteps(d)
	server := w.start(w.createKey("tenants:write"), "serve")
	g := w.guideShell("operations")
	made := 0
	create := func(name string, want int) {
		t.Helper()
		mu.Lock()
		clear(signatures)
		mu.Unlock()
		body := clinic(name)
		body["blueprint"] = "clinic"
		server.call(http.MethodPost, "/admin/tenants", body).want(t, http.StatusAccepted)
		made++
		w.waitFor("the tenant", w.hasActive(made))
		mu.Lock()
		defer mu.Unlock()
		for signature := range signatures {
			if n := len(strings.Fields(signature)); n != want {
				t.Errorf("%s: %d signatures, want %d", name, n, want)
			}
		}
		if len(signatures) == 0 {
			t.Errorf("%s: no request", name)
		}
	}
	create("Before", 1)
	g.mustShell(g.script("step.sh"))
	create("Between", 2)
	g.mustShell(g.script("step-new.sh"))
	create("After", 1)
	now, err := os.ReadFile(w.env["BLUEPRINT_SECRET_DIRECTORY_FILE"])
	if err != nil {
		t.Fatal(err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(string(now)), "whsec_"))
	if err != nil || len(key) != 32 || strings.TrimSpace(string(now)) == first {
		t.Errorf("the secret at the end: %d bytes, %v", len(key), err)
	}
}
