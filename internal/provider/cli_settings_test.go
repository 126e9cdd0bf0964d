package provider_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCLIProvider_SecretFiles: a tenant is made with all secrets from files, and nothing that the
// CLI prints or stores has one of them.
func TestCLIProvider_SecretFiles(t *testing.T) {
	w := setup(t, databaseMode, clinic)
	var secrets []string
	for _, name := range []string{"DATABASE_URL", "SOROBAN_CONTRACT_DEPLOYER_SECRET"} {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(w.env[name]+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, w.env[name])
		delete(w.env, name)
		w.env[name+"_FILE"] = path
	}
	r := w.mustApply()
	w.assertOneTenant()
	for _, secret := range secrets {
		if strings.Contains(r.out+w.read("terraform.tfstate"), secret) {
			t.Error("a secret is printed or stored")
		}
	}
	w.env["MAIL_PASSWORD_FILE"], w.env["SOROBAN_RPC_URL"] = "/nowhere/s3cret", "ftp://x"
	w.apply().wantText(t, "MAIL_PASSWORD_FILE names a file that does not exist", "SOROBAN_RPC_URL is not a URL")
}

// TestCLIProvider_MisspeltVariable: all are in one warning that names both of each, beside the error that they cause.
func TestCLIProvider_MisspeltVariable(t *testing.T) {
	w := setup(t, databaseMode, clinic)
	w.env["SOROBAN_MAX_FEES"], w.env["MAIL_FORM"], w.env["APP_ULR"] = "s3cret", "x", "x"
	r := w.run("plan", "-no-color")
	r.wantText(t, "Unknown environment variables", "APP_ULR is not a setting; did you mean APP_URL?", "MAIL_FORM is not a setting; did you mean MAIL_FROM?", "the environment variable SOROBAN_MAX_FEES is not a setting; did you mean SOROBAN_MAX_FEE?")
	if strings.Contains(r.out, "s3cret") {
		t.Error("the value is printed")
	}
	if strings.Contains(r.out, "similar warning") {
		t.Errorf("Terraform shows only one of the warnings: %s", r.out)
	}
	w.mustApply()
	w.env["DATABASE_ULR"] = w.env["DATABASE_URL"]
	delete(w.env, "DATABASE_URL")
	w.apply().wantText(t, "did you mean DATABASE_URL?", "DATABASE_URL is not set")
}

// TestCLIProvider_TwoModes: the environment has a database and a tenant-api, and a warning says which
// is used, unless the configuration chooses.
func TestCLIProvider_TwoModes(t *testing.T) {
	w := setup(t, databaseMode, clinic)
	w.env["TENANT_API_URL"], w.env["TENANT_API_TOKEN"] = "http://127.0.0.1:1", "none"
	const summary = "Variables have both tenant-api and database"
	w.run("plan", "-no-color").wantText(t, summary, "TENANT_API_URL and DATABASE_URL are set", "TENANT_API_URL is used", "DATABASE_URL has no effect", "write api = {} or database = {} into the provider block")
	for block, want := range map[string]string{"api": "tenant-api does not answer at http://127.0.0.1:1", "database": "1 added"} {
		w.write("main.tf", header+"provider \"healthcare\" {\n  "+block+" = {}\n}\n"+clinic)
		r := w.apply()
		r.wantText(t, want)
		if strings.Contains(r.out, summary) {
			t.Errorf("%s: %s", block, r.out)
		}
	}
}
