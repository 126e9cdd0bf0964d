//go:build unix

package main_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestSecurityGuide runs the commands of the guide against a server with a tenant, and finds what
// they are to find.
func TestSecurityGuide(t *testing.T) {
	p := setupPlatform(t)
	g := p.guideShell("security")
	p.env["PURGE_RETENTION"] = "0s"
	p.env["METRICS_ADDR"] = "127.0.0.1:" + testenv.FreePort(t)
	server := p.start(p.token, "serve")
	body := clinic("First Clinic")
	body["adminLastName"] = "Lovelace-Byron"
	id := server.call(http.MethodPost, "/admin/tenants", body).want(t, http.StatusAccepted).str("tenantId")
	p.waitFor("the tenant", p.hasActive(1))
	server.call(http.MethodPost, "/admin/tenants/"+id+"/database-credentials", map[string]any{"ttlSeconds": 600, "reason": "Ticket 4711"}).want(t, http.StatusCreated)

	database := g.write("database.sql", g.script("database.sql"))
	r := g.mustShell(`psql --no-psqlrc --set=ON_ERROR_STOP=1 -At "$DATABASE_URL" --file ` + database)
	if lines := strings.Fields(r.out); lines[0] != "f" || !strings.HasPrefix(lines[2], "healthcare_login_") || !strings.HasSuffix(r.out, "|First Clinic\n") {
		t.Errorf("database.sql: %s", r.out)
	}
	g.mustShell(g.script("roles.sh")).want(t, 0, "0 findings")
	p.mustRun("apikey", "create", "--name", "ends", "--scope", "tenants:read", "--expires", "720h")
	listed := g.mustShell(g.script("keys.sh")).out
	expires := strings.Index(listed, "EXPIRES")
	for line := range strings.Lines(listed) {
		if ends := strings.HasPrefix(line[expires:], "20"); ends != strings.Contains(line, " ends ") && !strings.Contains(line, "EXPIRES") {
			t.Errorf("keys.sh: %s", line)
		}
	}
	if got := g.mustShell(g.script("api.sh", "https://tenants.platform.example", server.url)).out; got != "401\n404\n401\n" {
		t.Errorf("from outside: %q", got)
	}
	secrets := t.TempDir()
	for name, mode := range map[string]os.FileMode{"deployer": 0o600, "database-url": 0o640, "tenant-api.env": 0o644} {
		if err := os.WriteFile(filepath.Join(secrets, name), nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	if got := g.mustShell(g.script("files.sh", "/etc/tenant-api", secrets)).out; got != filepath.Join(secrets, "database-url")+"\n" {
		t.Errorf("files that others can read: %q", got)
	}
	settings := g.script("settings.sh")
	g.mustShell(settings)
	for _, m := range regexp.MustCompile(`export (\w+)=`).FindAllStringSubmatch(settings, -1) {
		if config.SettingOf(strings.TrimSuffix(m[1], config.FileSuffix)).Group == "" {
			t.Errorf("settings.sh: no program reads %s", m[1])
		}
	}

	g.mustShell(g.script("audit.sh")).want(t, 0, "tenant.create", "Ticket 4711")
	p.mustRun("apikey", "create", "--name", "ops", "--scope", "admin")
	g.mustShell(g.script("end.sh"))
	if tenant := p.registry.Named("First Clinic"); tenant.Status != "SUSPENDED" {
		t.Errorf("the tenant is %s", tenant.Status)
	}
	g.mustShell(g.script("erase.sh"))
	text, err := os.ReadFile(filepath.Join(g.dir, "certificate.json"))
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(text) || !strings.Contains(string(text), id) || strings.Contains(string(text), "Lovelace") {
		t.Errorf("certificate: %s", text)
	}
	// What the guide says of logs and metrics.
	metrics := g.mustShell("curl -sS http://" + p.env["METRICS_ADDR"] + "/metrics").out
	for _, personal := range []string{"First Clinic", "Lovelace", "ada@clinic.example", "whsec_", "s3cret"} {
		if strings.Contains(server.log.String(), personal) {
			t.Errorf("the log has %q", personal)
		}
		if strings.Contains(metrics, personal) {
			t.Errorf("the metrics have %q", personal)
		}
	}
	if strings.Contains(metrics, id) || !strings.Contains(server.log.String(), id) {
		t.Error("the tenant's id is in the metrics, or not in the log")
	}
}
