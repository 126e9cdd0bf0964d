package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stellar/go-stellar-sdk/keypair"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/mailcatcher"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registrytest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provider"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// These tests run the real CLI, which starts the provider as a separate
// process, against a real PostgreSQL, SMTP server and Soroban host.

func TestMain(m *testing.M) {
	if os.Getenv(applicationEnv) != "" {
		os.Exit(runApplication())
	}
	if os.Getenv(psqlEnv) != "" {
		os.Exit(runPsql())
	}
	if err := useFramework(); err != nil {
		fmt.Fprintln(os.Stderr, "terraform-plugin-testing:", err)
		os.Exit(1)
	}
	testenv.Main(m)
}

// testEnv has all services of one test's Terraform.
type testEnv struct {
	t                *testing.T
	cli              string
	dir              string
	env              map[string]string
	pg               *pgx.Conn
	registry         *registrytest.Registry
	net              *stellarnet.Network
	mail             *mailcatcher.Catcher
	seed             string
	databasePassword string
	path             string // Folders that come first in the CLI's PATH, each with a colon behind it.

	expected *expectedError // What the framework's current step must end with, nil for success.
	secrets  []string       // That no error may print, besides the test's own.

	mode      mode
	server    *apiServer // In API mode, once the CLI has been run.
	token     string
	serverLog testenv.Buffer // Of all of them.
}

// setup gives a test its own database, network and mail server, and a
// working directory with the given configuration.
func setup(t *testing.T, m mode, configuration string) *testEnv {
	t.Helper()
	t.Parallel()
	return newTestEnv(t, m, configuration, 50*time.Millisecond)
}

func newTestEnv(t *testing.T, m mode, configuration string, ledgerClose time.Duration) *testEnv {
	t.Helper()
	w := &testEnv{
		t: t, cli: testenv.CLI(t), mode: m, dir: t.TempDir(), mail: testenv.Mail(t),
		net: testenv.NetworkWith(t, stellarnet.Options{LedgerClose: ledgerClose}),
	}
	database := testenv.Database(t)
	w.pg, w.registry = testenv.Connect(t, database), registrytest.Open(t, database)
	deployer := testenv.Deployer(t, w.net)
	w.seed = deployer.Seed()
	if u, err := url.Parse(database); err != nil {
		t.Fatal(err)
	} else {
		w.databasePassword, _ = u.User.Password()
	}
	w.env = testenv.Settings(database, w.net, deployer, w.mail)
	pluginPath := w.installPlugin()
	w.write("cli.tfrc", fmt.Sprintf(`provider_installation {
  dev_overrides {
    %[2]q = %[1]q
    %[3]q = %[1]q
  }
  direct {}
}
`, filepath.Dir(pluginPath), provider.Address, strings.Replace(provider.Address, "terraform.io", "opentofu.org", 1)))
	w.write("main.tf", header+configuration)
	w.environment() // The server runs before a test changes the environment.
	return w
}

// installPlugin installs the provider for this test, and returns its path. It is a script
// that records the process id, so that the test can signal its provider.
func (w *testEnv) installPlugin() string {
	w.t.Helper()
	path := filepath.Join(w.dir, "plugin", "terraform-provider-healthcare")
	script := fmt.Sprintf("#!/bin/sh\necho $$ >>'%s'\nexec '%s' \"$@\"\n", filepath.Join(w.dir, pidFile), testenv.Program(w.t, "."))
	if err := errors.Join(os.Mkdir(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(script), 0o700)); err != nil {
		w.t.Fatal(err)
	}
	return path
}

const header = `terraform {
  required_providers {
    healthcare = { source = "healthcare-platform/healthcare" }
  }
}
`

// clinic is the smallest configuration.
const clinic = `
resource "healthcare_tenant" "clinic" {
  name             = "St. Mary's Clinic"
  admin_email      = "ada@st-marys.example"
  admin_first_name = "Ada"
  admin_last_name  = "Lovelace"
}
`

// read returns a file of the working directory.
func (w *testEnv) read(name string) string {
	w.t.Helper()
	text, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

// deployer is the address of the account that deploys.
func (w *testEnv) deployer() string { return keypair.MustParseFull(w.seed).Address() }

func (w *testEnv) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// result is the output and exit code of a run of the CLI.
type result struct {
	out  string
	code int
}

func (w *testEnv) command(args ...string) *exec.Cmd {
	return w.program(w.cli, args...)
}

// cliGarbageCollection is GOGC of the CLIs, which end soon: with the default they spend a
// tenth of their time on it.
const cliGarbageCollection = "400"

// program is a program that runs in the working directory, with the CLI's settings.
func (w *testEnv) program(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = w.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = []string{
		"PATH=" + w.path + os.Getenv("PATH"), "HOME=" + w.dir, "TMPDIR=" + os.Getenv("TMPDIR"),
		"TF_CLI_CONFIG_FILE=" + filepath.Join(w.dir, "cli.tfrc"), "CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1",
		"GOGC=" + cliGarbageCollection,
	}
	for name, value := range w.environment() {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

func (w *testEnv) run(args ...string) result {
	w.t.Helper()
	return w.runCommand(w.command(args...))
}

// runCommand runs a command to its end.
func (w *testEnv) runCommand(cmd *exec.Cmd) result {
	w.t.Helper()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		w.t.Fatalf("%v: %v", cmd.Args, err)
	}
	return result{plainText(string(out)), cmd.ProcessState.ExitCode()}
}

// plainText removes the frame and the line breaks that the CLI adds to a diagnostic, so
// that sentences can be searched.
func plainText(out string) string {
	return strings.Join(strings.Fields(strings.NewReplacer("│", " ", "╷", " ", "╵", " ").Replace(out)), " ")
}

func (w *testEnv) apply(more ...string) result {
	w.t.Helper()
	return w.run(append([]string{"apply", "-auto-approve", "-no-color"}, more...)...)
}

func (w *testEnv) mustApply(more ...string) result {
	w.t.Helper()
	r := w.apply(more...)
	if r.code != 0 {
		w.t.Fatalf("apply ended with %d:\n%s", r.code, r.out)
	}
	return r
}

// assertNoChanges fails the test when a plan has changes.
func (w *testEnv) assertNoChanges() {
	w.t.Helper()
	if r := w.run("plan", "-detailed-exitcode", "-no-color"); r.code != 0 {
		w.t.Errorf("plan ended with %d:\n%s", r.code, r.out)
	}
}

// state returns the attributes of a resource in the state of the working directory, with
// "tainted" if it is; nil if it is not there.
func (w *testEnv) state(address string) map[string]any {
	w.t.Helper()
	return stateOf(w.t, filepath.Join(w.dir, "terraform.tfstate"), address)
}

// stateOf reads the attributes of a resource from a state file, which takes no process of
// the CLI.
func stateOf(t *testing.T, file, address string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var state struct {
		Resources []struct {
			Mode, Type, Name string
			Instances        []struct {
				IndexKey   any `json:"index_key"`
				Status     string
				Attributes map[string]any
			}
		}
	}
	if err == nil {
		err = json.Unmarshal(text, &state)
	}
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	for _, r := range state.Resources {
		for _, instance := range r.Instances {
			is := r.Type + "." + r.Name
			if instance.IndexKey != nil {
				is += fmt.Sprintf("[%#v]", instance.IndexKey)
			}
			if r.Mode != "managed" || is != address {
				continue
			}
			if instance.Status == "tainted" {
				instance.Attributes["tainted"] = true
			}
			return instance.Attributes
		}
	}
	return nil
}

// outputs reads the outputs of the working directory.
func (w *testEnv) outputs() map[string]any {
	w.t.Helper()
	r := w.run("output", "-json", "-no-color")
	var raw map[string]struct {
		Value any `json:"value"`
	}
	if err := json.Unmarshal([]byte(r.out[strings.Index(r.out, "{"):]), &raw); r.code != 0 || err != nil {
		w.t.Fatalf("exit code %d, %v: %s", r.code, err, r.out)
	}
	values := map[string]any{}
	for name, v := range raw {
		values[name] = v.Value
	}
	return values
}

func text(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func (w *testEnv) count(query string, args ...any) int {
	w.t.Helper()
	var n int
	if err := w.pg.QueryRow(context.WithoutCancel(w.t.Context()), query, args...).Scan(&n); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return n
}

func (w *testEnv) text(query string, args ...any) string {
	w.t.Helper()
	var s string
	if err := w.pg.QueryRow(context.WithoutCancel(w.t.Context()), query, args...).Scan(&s); err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return s
}

func (w *testEnv) exec(statement string, args ...any) {
	w.t.Helper()
	if _, err := w.pg.Exec(context.WithoutCancel(w.t.Context()), statement, args...); err != nil {
		w.t.Fatalf("%s: %v", statement, err)
	}
}

// assertOneTenant checks that there is exactly one complete tenant, whatever happened, and
// that the state has it.
func (w *testEnv) assertOneTenant() {
	w.t.Helper()
	w.assertOneTenantIn(w.state(clinicAddress))
}

// assertStoredTenant is assertOneTenant with the framework's state.
func (w *testEnv) assertStoredTenant() {
	w.t.Helper()
	w.assertOneTenantIn(w.stored())
}

func (w *testEnv) assertOneTenantIn(s map[string]any) {
	w.t.Helper()
	if s["status"] != "ACTIVE" || s["soroban_contract_id"] != w.registry.Tenant().ContractID {
		w.t.Errorf("state %v", s)
	}
	for what, n := range map[string]int{
		"live tenants":         w.registry.Count(tenant.StatusActive),
		"tenants":              w.registry.Count(),
		"schemas":              w.registry.Schemas(),
		"schemas of this name": w.count(`SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'st\_marys\_clinic\_%'`),
		"contracts created":    w.registry.Transactions(txlog.PurposeCreate, txlog.StateSucceeded),
		"uploads":              w.registry.Transactions(txlog.PurposeUpload, txlog.StateSucceeded),
		"admins":               w.count(`SELECT count(*) FROM ` + w.registry.Tenant().SchemaName + `.users`),
	} {
		if n != 1 {
			w.t.Errorf("%d %s", n, what)
		}
	}
	for what, n := range map[string]int{
		"steps that never ended": w.registry.OpenSteps(),
		"open transactions":      w.registry.Transactions("", txlog.StateSigned),
		"runs":                   w.registry.Runs(),
	} {
		if n != 0 {
			w.t.Errorf("%d %s", n, what)
		}
	}
	ids := map[string]bool{}
	mails := w.mail.Messages()
	for _, m := range mails {
		ids[m.MessageID] = true
	}
	if len(ids) != 1 || len(mails) > 2 {
		w.t.Errorf("%d mails with %d message ids", len(mails), len(ids))
	}
}

// wantText fails the test unless the CLI's output contains each text.
func (r result) wantText(t *testing.T, texts ...string) {
	t.Helper()
	for _, s := range texts {
		if !strings.Contains(r.out, s) {
			t.Errorf("missing %q in:\n%s", s, r.out)
		}
	}
}
