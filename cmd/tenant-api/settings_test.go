//go:build unix

package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestSettings_AllFaultsAtOnce: each command reports the faults of all settings that it needs.
func TestSettings_AllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	w := &testEnv{t: t, program: testenv.Program(t, "cmd/tenant-api"), env: map[string]string{
		"DATABASE_URL": "mysql://h/d", "SOROBAN_NETWORK": "mars", "MAIL_HOST": "smtp.example", "APP_HOST": "a/b", "RATE_LIMIT": "0",
		"WEBHOOK_ALLOW": "*", "LOG_LEVEL": "loud", "PURGE_RETENTION": "month", "MAIL_PASSWORD_FILE": "/nowhere",
	}}
	database, soroban, mail, webhook, log := "DATABASE_URL", "SOROBAN_NETWORK", "APP_URL", "WEBHOOK_ALLOW", "LOG_LEVEL"
	all := []string{database, soroban, mail, "MAIL_PASSWORD_FILE", "MAIL_FROM", webhook}
	for line, variables := range map[string][]string{
		"serve":                            append([]string{log, "APP_HOST", "RATE_LIMIT", "PURGE_RETENTION"}, all...),
		"worker":                           append([]string{log, "APP_HOST", "RATE_LIMIT", "PURGE_RETENTION"}, all...),
		"tenants reconcile":                append([]string{log}, all...),
		"tenants retry name:x":             all,
		"tenants invite name:x":            all,
		"tenants list":                     {database, webhook},
		"tenants purge name:x --confirm x": {database, webhook, "PURGE_RETENTION"},
		"contracts reconcile":              {database, soroban},
		"channels":                         {database, soroban},
		"apikey list":                      {database},
		"migrate status":                   {database},
		"platform check":                   {database},
		"healthcheck":                      {"APP_HOST", "RATE_LIMIT", "PURGE_RETENTION"},
	} {
		r := w.run(strings.Fields(line)...)
		r.want(t, 2, "invalid settings")
		for _, variable := range variables {
			if !strings.Contains(r.err, "  - "+variable+" ") {
				t.Errorf("%s does not report %s:\n%s", line, variable, r.err)
			}
		}
	}
}

// TestSettings_Misspelt: a misspelt variable is a warning, once, before the errors that it causes.
func TestSettings_Misspelt(t *testing.T) {
	w := setup(t)
	w.env["DATABASE_ULR"], w.env["LOG_FORMAT"] = "s3cret", "json"
	r := w.mustRun("tenants", "list")
	if r.want(t, 0); strings.Count(r.err, `"level":"WARN","msg":"the environment variable DATABASE_ULR is not a setting; did you mean DATABASE_URL?"`) != 1 || strings.Contains(r.err+r.out, "s3cret") {
		t.Errorf("%q", r.err)
	}
	delete(w.env, "LOG_FORMAT")
	p := w.start("", "serve")
	p.terminate()
	if log := p.log.String(); strings.Count(log, "did you mean DATABASE_URL?") != 1 || strings.Contains(log, "s3cret") {
		t.Errorf("%q", log)
	}
	delete(w.env, "DATABASE_URL")
	w.run("tenants", "list").want(t, 2, "did you mean DATABASE_URL?", "DATABASE_URL is not set")
	if r := w.run("version"); r.err != "" {
		t.Errorf("a command without settings warns: %q", r.err)
	}
}

// TestSettings_SecretFiles: the server works with all secrets from files.
func TestSettings_SecretFiles(t *testing.T) {
	w := setup(t)
	for _, name := range []string{"DATABASE_URL", "SOROBAN_CONTRACT_DEPLOYER_SECRET", "SOROBAN_RPC_URL"} {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(w.env[name]+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		delete(w.env, name)
		w.env[name+"_FILE"] = path
	}
	key := w.createKey("admin")
	w.start(key, "serve").call("GET", "/admin/tenants", nil).want(t, 200)
	w.env["DATABASE_URL"] = "postgres://u:s3cret@h/d"
	r := w.run("tenants", "list")
	if r.want(t, 2, "DATABASE_URL_FILE is set, and DATABASE_URL is, too; give one of them"); strings.Contains(r.err, "s3cret") {
		t.Errorf("a secret is shown: %s", r.err)
	}
}
