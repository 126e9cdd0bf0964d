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

// TestCLIProvider_MisspeltVariable: it is a warning that names both, beside the error that it causes.
func TestCLIProvider_MisspeltVariable(t *testing.T) {
	w := setup(t, databaseMode, clinic)
	w.env["SOROBAN_MAX_FEES"] = "s3cret"
	r := w.mustApply()
	r.wantText(t, "Unknown environment variable", "the environment variable SOROBAN_MAX_FEES is not a setting; did you mean SOROBAN_MAX_FEE?")
	if strings.Contains(r.out, "s3cret") {
		t.Error("the value is printed")
	}
	w.env["DATABASE_ULR"] = w.env["DATABASE_URL"]
	delete(w.env, "DATABASE_URL")
	w.apply().wantText(t, "did you mean DATABASE_URL?", "DATABASE_URL is not set")
}
