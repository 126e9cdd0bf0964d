//go:build unix

package main_test

import (
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// want checks the exit code and that the output contains these texts.
func (r result) want(t *testing.T, code int, texts ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit code %d, want %d: %s%s", r.code, code, r.out, r.err)
	}
	for _, s := range texts {
		if !strings.Contains(r.out+r.err, s) {
			t.Errorf("missing %q in:\n%s%s", s, r.out, r.err)
		}
	}
}

func TestCommands(t *testing.T) {
	w := setup(t)
	w.run().want(t, 0, "Usage:", "serve", "worker", "migrate", "apikey", "tenants", "openapi", "healthcheck", "version")
	w.run("version").want(t, 0, "tenant-api ")
	w.run("paint").want(t, 2, `tenant-api has no command "paint"`)
	w.run("server").want(t, 2, `did you mean "serve"?`)
	w.run("serve", "--port", "http").want(t, 2, `--port (APP_PORT) is "http"`)
	w.run("serve", "--log-level", "loud").want(t, 2, `--log-level (LOG_LEVEL) is "loud"`)
	w.run("tenants", "show", "name:Nobody").want(t, 1, "there is no tenant named Nobody")
	w.run("apikey", "revoke", "nobody").want(t, 1, "there is no such API key")
	w.run("healthcheck", "--port", "1").want(t, 1, "check that the server runs there")

	document := w.run("openapi")
	var parsed map[string]any
	if err := json.Unmarshal([]byte(document.out), &parsed); err != nil || parsed["openapi"] != "3.1.0" {
		t.Errorf("%v, %.100s", err, document.out)
	}
}

func TestCommands_Settings(t *testing.T) {
	w := setup(t)
	w.env = map[string]string{"DATABASE_URL": "mysql://u:s3cret@h/d", "SOROBAN_NETWORK": "testnet", "SOROBAN_CONTRACT_DEPLOYER_SECRET": "not-a-seed"}
	r := w.run("serve")
	r.want(t, 2, "invalid settings", "DATABASE_URL cannot be read", "SOROBAN_CONTRACT_DEPLOYER_SECRET is not a secret key", "MAIL_HOST is not set")
	if strings.Contains(r.err, "s3cret") || strings.Contains(r.err, "not-a-seed") {
		t.Errorf("a secret is shown: %s", r.err)
	}
	w.env = map[string]string{"DATABASE_URL": "postgres://u:s3cret@127.0.0.1:1/d"}
	r = w.run("apikey", "list")
	r.want(t, 1, "the database does not answer")
	if strings.Contains(r.err, "s3cret") {
		t.Errorf("a secret is shown: %s", r.err)
	}
}

// TestCommands_Pooler: a pooler in transaction mode is refused, unless there is another way.
func TestCommands_Pooler(t *testing.T) {
	w := setup(t)
	direct := w.env["DATABASE_URL"]
	w.env["DATABASE_URL"] = testenv.PgBouncer(t, direct, testenv.TransactionMode)
	w.run("tenants", "list").want(t, 1, "a pooler in transaction mode", "DATABASE_DIRECT_URL")
	w.env["DATABASE_DIRECT_URL"] = direct
	w.mustRun("tenants", "list")
	w.mustRun("migrate", "up")
}

func TestCommands_Keys(t *testing.T) {
	w := setup(t)
	created := w.mustRun("apikey", "create", "--name", "ci", "--scope", "tenants:read", "--scope", "tenants:purge", "--expires", "720h")
	token := strings.TrimSpace(created.out)
	if !strings.HasPrefix(token, "hck_") || strings.Contains(created.err, token) || strings.Count(created.out, "\n") != 1 {
		t.Errorf("%q, %q", created.out, created.err)
	}
	created.want(t, 0, `API key "ci"`, "It is not shown again")
	w.run("apikey", "create", "--name", "CI", "--scope", "admin").want(t, 1, "name")
	list := w.mustRun("apikey", "list")
	list.want(t, 0, "PREFIX", "ci", "active", "tenants:read tenants:purge")
	_, secret, _ := strings.Cut(token, ".")
	if strings.Contains(list.out, secret) {
		t.Error("the secret is listed")
	}
	w.mustRun("apikey", "list", "--json").want(t, 0, `"name": "ci"`)

	p := w.start(token, "serve", "--worker=false")
	p.call(http.MethodGet, "/admin/tenants", nil).want(t, http.StatusOK)
	p.call(http.MethodPost, "/admin/tenants", clinic("Clinic")).want(t, http.StatusForbidden)
	w.mustRun("apikey", "revoke", "ci").want(t, 0, `API key "ci"`, "is revoked")
	p.call(http.MethodGet, "/admin/tenants", nil).want(t, http.StatusUnauthorized) // Immediately.
	w.mustRun("apikey", "list").want(t, 0, "revoked")
	w.run("apikey", "create", "--name", "x", "--scope", "admin", "--expires", "0s").want(t, 2, "--expires is 0s")
	w.run("apikey", "create", "--name", "x", "--scope", "admin", "--rate-limit", "0").want(t, 2, "--rate-limit is 0; give 1 to 1000000 requests per minute")
	w.mustRun("apikey", "create", "--name", "slow", "--scope", "admin", "--rate-limit", "7")
	w.mustRun("apikey", "list").want(t, 0, "PER MINUTE", "admin                       7 ")
	w.mustRun("apikey", "list", "--json").want(t, 0, `"rateLimit": 7`, `"rateLimit": null`)

	w.mustRun("tenants", "verify", "--offline").want(t, 0, "0 findings")
	for _, bad := range [][]string{{"region"}, {"=eu"}, {"region=eu", "region=us"}} {
		args := []string{"apikey", "create", "--name", "x", "--scope", "admin"}
		for _, pair := range bad {
			args = append(args, "--only-metadata", pair)
		}
		w.run(args...).want(t, 2, "--only-metadata is ", "give each key once, as region=eu")
	}
	narrowed := w.start(strings.TrimSpace(w.mustRun("apikey", "create", "--name", "eu", "--scope", "admin", "--only-metadata", "region=eu", "--only-metadata", "note=a=b,c").out), "serve", "--worker=false")
	narrowed.call(http.MethodGet, "/admin/tenants", nil).want(t, http.StatusOK)
	narrowed.call(http.MethodGet, "/admin/blueprints", nil).want(t, http.StatusForbidden)
	w.mustRun("apikey", "list").want(t, 0, "ONLY METADATA", "note=a=b,c region=eu")
	w.mustRun("apikey", "list", "--json").want(t, 0, `"note": "a=b,c"`, `"onlyMetadata": {}`)
	w.registry.SetRateLimit("slow", 70)
	w.run("tenants", "verify", "--offline").want(t, 3, "1 findings", "has other scopes, tenants or another rate limit than it was created with")
	w.registry.SetRateLimit("slow", 7)
	w.registry.SetScopes(access.ScopeAdmin)
	w.run("tenants", "verify", "--offline").want(t, 3, "registry: API key: the API key", "has other scopes, tenants or another rate limit than it was created with")
}

func TestServe_RefusesPublicAddressWithoutKeys(t *testing.T) {
	w := setup(t)
	w.run("serve", "--host", "0.0.0.0", "--port", "0").want(t, 2, "--host (APP_HOST) is 0.0.0.0, which other machines can reach, and no API key exists", "tenant-api apikey create", "AUTH_OIDC_ISSUER and AUTH_OIDC_AUDIENCE")
	w.mustRun("apikey", "create", "--name", "old", "--scope", "admin")
	w.mustRun("apikey", "revoke", "old")
	w.run("serve", "--host", "0.0.0.0", "--port", "0").want(t, 2, "no API key exists")
	w.createKey("admin")
	if code := w.start("", "serve", "--host", "0.0.0.0").terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

func TestServe_PortInUse(t *testing.T) {
	w := setup(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	w.run("serve", "--port", port).want(t, 1, "APP_HOST and --port (APP_PORT): cannot serve on 127.0.0.1:"+port, "in use")
}

func TestCommands_Migrate(t *testing.T) {
	w := setup(t)
	w.mustRun("migrate", "status").want(t, 0, "registry", "queue", "up to date")
	w.env["DATABASE_URL"] = testenv.EmptyDatabase(t)
	w.run("migrate", "status").want(t, 3, "to migrate: tenant-api migrate up")
	w.run("serve", "--migrate=false", "--port", "0").want(t, 1, "the registry is at version 0")
	for range 2 {
		w.mustRun("migrate", "up").want(t, 0, "at this program's version")
	}
	w.mustRun("migrate", "status").want(t, 0, "up to date")
}

func TestServe_Lifecycle(t *testing.T) {
	w := setup(t)
	w.env["METRICS_ADDR"] = "127.0.0.1:0"
	w.env["PURGE_RETENTION"] = "0s"
	p := w.start(w.createKey("admin"), "serve")
	body := clinic("St. Mary's Clinic")
	body["metadata"] = map[string]string{"region": "eu"}
	created := p.call(http.MethodPost, "/admin/tenants", body).want(t, http.StatusAccepted)
	id := created.str("tenantId")
	if created.str("status") != "queued" || created.str("message") != "Tenant provisioning for St. Mary's Clinic has been queued" ||
		created.str("jobId") == "" || created.header.Get("Location") != "/admin/tenants/"+id {
		t.Errorf("%s", created.text)
	}
	w.waitFor("the tenant", w.hasActive(1))
	w.assertInvariants()

	w.mustRun("tenants", "list").want(t, 0, id, "St. Mary's Clinic", "ACTIVE", "1 of 1 tenants")
	w.mustRun("tenants", "list", "--status", "failed").want(t, 0, "0 of 0 tenants")
	w.run("tenants", "list", "--status", "lost").want(t, 2, `--status is "lost"`)
	w.mustRun("tenants", "list", "--invitation", "pending").want(t, 0, id, "1 of 1 tenants")
	w.mustRun("tenants", "list", "--invitation", "EXPIRED").want(t, 0, "0 of 0 tenants")
	w.run("tenants", "list", "--invitation", "lost").want(t, 2, `--invitation is "lost"; give NONE, PENDING, ACCEPTED, EXPIRED or REVOKED`)
	for flags, want := range map[string]string{
		"--metadata region=eu": "1 of 1", "--metadata region=eu --metadata x=y": "0 of 0", "--managed-by nobody": "0 of 0", "--held": "0 of 0", "--held=false": "1 of 1", "--behind": "0 of 0", "--behind=false": "1 of 1",
		"--created-after 2020-01-31 --created-before 2999-01-31T12:00:00+02:00": "1 of 1", "--created-before 2020-01-31": "0 of 0",
	} {
		w.mustRun(append([]string{"tenants", "list"}, strings.Fields(flags)...)...).want(t, 0, want+" tenants")
	}
	w.run("tenants", "list", "--metadata", "region").want(t, 2, `--metadata is "region"; give each key once, as region=eu`)
	w.run("tenants", "list", "--created-after", "yesterday").want(t, 2, `--created-after is "yesterday"; give a day such as 2026-01-31`)
	w.mustRun("tenants", "list", "--blueprint", "standard").want(t, 0, "1 of 1 tenants")
	w.mustRun("tenants", "list", "--blueprint", "clinic").want(t, 0, "0 of 0 tenants")
	w.run("tenants", "list", "--blueprint", "").want(t, 2, `--blueprint is ""; write lower-case letters`)
	w.mustRun("tenants", "show", "name:st. mary's clinic").want(t, 0, id, "SEND_WELCOME_EMAIL", "COMPLETED", "standard, schema version 1")
	w.mustRun("tenants", "show", id, "--json").want(t, 0, `"status": "ACTIVE"`)
	w.mustRun("tenants", "reconcile").want(t, 0, "Nothing was due.")

	events := p.call(http.MethodGet, "/admin/tenants/"+id+"/events", nil).want(t, http.StatusOK)
	for _, line := range []string{"event: status", "event: step", `"SEND_WELCOME_EMAIL"`, "event: end"} {
		if !strings.Contains(events.text, line) {
			t.Errorf("missing %q in %s", line, events.text)
		}
	}

	w.mustRun("tenants", "verify").want(t, 0, "1 tenants checked, 0 findings")
	w.mustRun("tenants", "verify", id, "--offline").want(t, 0, "1 tenants checked, 0 findings")
	shown := p.call(http.MethodGet, "/admin/tenants/"+id, nil).want(t, http.StatusOK)
	revoke := "REVOKE SELECT ON " + shown.str("schemaName") + ".users FROM " + shown.str("databaseRole")
	if _, err := testenv.Connect(t, w.env["DATABASE_URL"]).Exec(t.Context(), revoke); err != nil {
		t.Fatal(err)
	}
	w.run("tenants", "verify", id, "--offline").want(t, 3, "on its table users instead of")
	w.mustRun("tenants", "repair", id).want(t, 0, "repaired: the role", "on its table users instead of")
	w.mustRun("tenants", "repair", id).want(t, 0, "nothing to repair")
	w.mustRun("tenants", "verify", id, "--offline").want(t, 0, "1 tenants checked, 0 findings")
	w.mustRun("tenants", "migrate").want(t, 0, "All tenants are up to date; nothing to migrate.")
	w.mustRun("tenants", "migrate", "--tenant", id, "--dry-run").want(t, 0, "The tenant is up to date; nothing to migrate.")
	w.registry.ChangeEvent(id, 1)
	w.run("tenants", "verify", "--offline").want(t, 3, "tenant "+id+": audit events:", "1 findings")
	defer func() { // At the end: the server needs the table.
		w.registry.HideAPIKeys()
		w.run("tenants", "verify", "--offline").want(t, 1, "registry: could not be checked", "1 tenants checked", "1 that could not be checked")
	}()

	w.run("tenants", "purge", id, "--confirm", "St. Mary's Clinic").want(t, 1, "archive it first")
	p.call(http.MethodDelete, "/admin/tenants/"+id, nil).want(t, http.StatusOK)
	p.call(http.MethodPost, "/admin/tenants/"+id+"/unarchive", nil).want(t, http.StatusOK)
	p.call(http.MethodDelete, "/admin/tenants/"+id, nil).want(t, http.StatusOK)
	w.run("tenants", "purge", id, "--confirm", "St Marys").want(t, 2, "--confirm is not the tenant's name")
	w.mustRun("tenants", "purge", id, "--confirm", "St. Mary's Clinic").want(t, 0, `"users": 1`)
	others := func(a audit.Action) bool { return a != audit.ActionPurge }
	if n := len(slices.DeleteFunc(w.registry.ActionsOf(audit.CallerCommand), others)); n != 1 {
		t.Error("the audit log does not name the command that purged")
	}

	_, address, _ := strings.Cut(p.log.String(), `msg="serving metrics" url=`)
	metrics, err := http.Get(strings.Fields(address)[0])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = metrics.Body.Close() }()
	if metrics.StatusCode != http.StatusOK {
		t.Errorf("metrics: %s", metrics.Status)
	}
	if got := p.call(http.MethodGet, "/metrics", nil); got.status != http.StatusNotFound {
		t.Errorf("metrics on the public port: %d", got.status)
	}
	if r := w.run("healthcheck", "--port", strconv.Itoa(portOf(t, p.url))); r.code != 0 || !strings.Contains(r.out, "database  ok") {
		t.Errorf("%+v", r)
	}
	w.mustRun("healthcheck", "--json", "--port", strconv.Itoa(portOf(t, p.url))).want(t, 0, `"name":"database","status":"ok"`)
}

// TestCommands_ReconcileDropsLogins: expired logins are in the report, also alone.
func TestCommands_ReconcileDropsLogins(t *testing.T) {
	w := setup(t)
	id := w.createTenants("St. Mary")[0]
	w.mustRun("tenants", "reconcile")
	p := w.start(strings.TrimSpace(w.mustRun("apikey", "create", "--name", "logins", "--scope", "admin").out), "serve")
	p.call(http.MethodPost, "/admin/tenants/"+id+"/database-credentials", map[string]any{}).want(t, http.StatusCreated)
	p.terminate() // Its worker would drop the login first.
	w.mustRun("tenants", "reconcile").want(t, 0, "Nothing was due.")
	w.registry.ExpireLogins(-24 * time.Hour)
	r := w.mustRun("tenants", "reconcile")
	if fields := strings.Fields(r.out); strings.Join(fields, " ") != "COUNT DONE 1 expired logins dropped" {
		t.Errorf("%q", r.out)
	}
}

func portOf(t *testing.T, url string) int {
	t.Helper()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
