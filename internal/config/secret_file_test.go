package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

// secretFile writes a file and returns its path.
func secretFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// secretValues are valid values of all secrets, with the other settings that they need.
var secretValues = map[string]string{
	"DATABASE_URL": "postgres://h/d", "DATABASE_DIRECT_URL": "postgres://direct/d", "DB_PASSWORD": " a b ",
	"SOROBAN_RPC_URL": "https://rpc.example/key", "SOROBAN_RPC_HEADERS": "A: b\nC: d", "SOROBAN_CONTRACT_DEPLOYER_SECRET": seed,
	"MAIL_PASSWORD": " p ", "MAIL_OAUTH_CLIENT_SECRET": "c", "CONSOLE_OIDC_CLIENT_SECRET": "c", "TENANT_API_TOKEN": "t",
	"OTEL_EXPORTER_OTLP_HEADERS": "api-key=k", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "api-key=k",
}

// secretCompanions are the other settings that a secret needs.
var secretCompanions = map[string]map[string]string{
	"DB_PASSWORD":                {"DB_HOST": "h", "DB_USERNAME": "u"},
	"MAIL_PASSWORD":              {"MAIL_USER": "u"},
	"MAIL_OAUTH_CLIENT_SECRET":   {"MAIL_USER": "u", "MAIL_OAUTH_TOKEN_URL": "https://login.example/token", "MAIL_OAUTH_CLIENT_ID": "id"},
	"CONSOLE_OIDC_CLIENT_SECRET": {"AUTH_OIDC_ISSUER": "https://id.example", "AUTH_OIDC_AUDIENCE": "api", "CONSOLE_URL": "https://tenants.example", "CONSOLE_OIDC_CLIENT_ID": "console"},
}

// TestSecretFiles: each secret can be in a file, with or without a newline at its end, and has the
// same effect as in its variable.
func TestSecretFiles(t *testing.T) {
	t.Parallel()
	tested := 0
	for _, s := range config.Settings() {
		if !s.Secret {
			continue
		}
		tested++
		name, value := s.Variable, secretValues[s.Variable]
		if value == "" {
			t.Errorf("%s has no value in this test", name)
			continue
		}
		base := map[string]string{"DB_HOST": "h"}
		for variable, v := range required {
			base[variable] = v
		}
		for variable, v := range secretCompanions[name] {
			base[variable] = v
		}
		delete(base, name)
		read := func(values map[string]string) ([]any, error) { return readAll(sourceOf(base).WithOverrides(values)) }
		want, err := read(map[string]string{name: value})
		wantError(t, err, "")
		for _, end := range []string{"", "\n", "\r\n"} {
			got, err := read(map[string]string{name + "_FILE": secretFile(t, value+end)})
			wantError(t, err, "")
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: the file with the end %q has another effect than the variable", name, end)
			}
		}
		_, err = read(map[string]string{name: value, name + "_FILE": secretFile(t, value)})
		wantFaults(t, err, name+"_FILE is set, and "+name+" is, too; give one of them")
		_, err = read(map[string]string{name + "_FILE": secretFile(t, "\n")})
		wantFaults(t, err, name+"_FILE names a file that is empty; give the path of a file that has "+name+" alone")
	}
	if tested != len(secretValues) {
		t.Errorf("%d secrets were tested, not %d", tested, len(secretValues))
	}
}

func TestSecretFiles_Faults(t *testing.T) {
	t.Parallel()
	unreadable := secretFile(t, "s3cret")
	if err := os.Chmod(unreadable, 0); err != nil {
		t.Fatal(err)
	}
	faults := map[string]string{
		"/nowhere/s3cret":              "does not exist",
		"s3cret-in-the-wrong-variable": "does not exist",
		t.TempDir():                    "is a directory, a pipe or a device",
		secretFile(t, ""):              "is empty",
		secretFile(t, strings.Repeat("s3cret", 2e4)): "has more than 64 KiB",
		secretFile(t, "s3cret\x00"):                  "has a zero byte",
	}
	if os.Getuid() != 0 {
		faults[unreadable] = "this user may not read"
	}
	for path, fault := range faults {
		_, err := readAll(sourceOf(required).WithOverrides(map[string]string{"MAIL_USER": "u", "MAIL_PASSWORD_FILE": path}))
		wantFaults(t, err, "MAIL_PASSWORD_FILE names a file that "+fault+"; give the path of a file that has MAIL_PASSWORD alone")
		w, err := config.ReadWebhook(sourceOf(map[string]string{"BLUEPRINT_SECRET_X_FILE": path}))
		wantError(t, err, "")
		_, err = w.Secret("BLUEPRINT_SECRET_X")
		wantFaults(t, err, "BLUEPRINT_SECRET_X_FILE names a file that "+fault+"; give the path of a file that has BLUEPRINT_SECRET_X alone")
	}
	// The most that a file can have.
	_, err := readAll(sourceOf(required).WithOverrides(map[string]string{"MAIL_USER": "u", "MAIL_PASSWORD_FILE": secretFile(t, strings.Repeat("x", 64<<10))}))
	wantError(t, err, "")
}

// TestSecretFiles_Overrides: a flag or an attribute takes the place of the file, too.
func TestSecretFiles_Overrides(t *testing.T) {
	t.Parallel()
	environment := sourceOf(map[string]string{"DATABASE_URL_FILE": "/nowhere", "MAIL_PASSWORD_FILE": "/nowhere"})
	got, err := config.ReadDatabase(environment.WithOverrides(map[string]string{"DATABASE_URL": "postgres://h/d"}))
	if err != nil || got.URL.Reveal() != "postgres://h/d" {
		t.Errorf("%q, %v", got.URL.Reveal(), err)
	}
	_, err = config.ReadDatabase(environment.WithOverrides(map[string]string{"MAIL_PASSWORD": "x"}))
	wantFaults(t, err, "DATABASE_URL_FILE names a file that does not exist")
}

// wantFaults fails the test unless the error has exactly that one fault.
func wantFaults(t *testing.T, err error, want string) {
	t.Helper()
	wantError(t, err, want)
	if n := len(config.ValidationErrors(err)); n != 1 {
		t.Errorf("%d faults: %v", n, err)
	}
	var fault *config.ValidationError
	if !errors.As(err, &fault) {
		t.Errorf("%v names no setting", err)
	}
}
