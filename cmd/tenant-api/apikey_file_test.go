//go:build unix

package main_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAPIKey_FromFile registers a key that a deployment made beforehand, again and again.
func TestAPIKey_FromFile(t *testing.T) {
	w := setup(t)
	generated := (&testEnv{t: t, program: w.program}).mustRun("apikey", "generate") // Without any setting.
	token := strings.TrimSpace(generated.out)
	if other := w.mustRun("apikey", "generate"); other.out == generated.out {
		t.Error("the same key twice")
	}
	path := filepath.Join(t.TempDir(), "key")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	create := func(more ...string) result {
		return w.run(append([]string{"apikey", "create", "--name", "deploy", "--scope", "admin", "--from-file", path}, more...)...)
	}
	create().want(t, 2, "--from-file names a file that does not exist")
	weak := "hck_aaaaaaaaaaaa." + strings.Repeat("!", 43)
	write(weak)
	create().want(t, 2, "--from-file has no API key; make one with tenant-api apikey generate")

	write(generated.out)
	first := create()
	first.want(t, 0, `API key "deploy"`, "is registered.")
	if strings.Contains(first.out+first.err, token) {
		t.Error("the key is printed")
	}
	create().want(t, 0, "is registered already")
	create("--rate-limit", "5").want(t, 1, `exists as "deploy" with other rights`)
	create("--expires", "1h").want(t, 2, "--expires does not go with --from-file")
	w.start(token, "serve", "--worker=false").call(http.MethodGet, "/admin/tenants", nil).want(t, http.StatusOK)

	write(w.mustRun("apikey", "generate").out)
	create().want(t, 1, "name") // Another key with the name.
	write(generated.out)
	w.mustRun("apikey", "revoke", "deploy")
	create().want(t, 1, "was revoked; make another one")
	w.mustRun("tenants", "verify", "--offline").want(t, 0, "0 findings")
}
