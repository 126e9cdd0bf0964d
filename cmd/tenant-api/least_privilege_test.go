package main_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// leastPrivilege is a server whose login has what the guide's server.sql gives it, and a
// worker whose login sets the owner's role.
type leastPrivilege struct {
	*testEnv
	server     *process
	directory  *directory
	owner      *pgx.Conn
	login      *pgx.Conn // The server's.
	operations map[string][2]string
	called     map[string]bool
}

func setupLeastPrivilege(t *testing.T) *leastPrivilege {
	t.Helper()
	t.Parallel()
	database := testenv.EmptyDatabase(t) // Privileges on a database are not copied from a template.
	if err := testenv.Migrate(t.Context(), database); err != nil {
		t.Fatal(err)
	}
	w := &leastPrivilege{testEnv: newTestEnv(t, database), operations: map[string][2]string{}, called: map[string]bool{}}
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	root, err := testenv.Root()
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join(root, "examples/guides/postgresql/server.sql"))
	if err != nil {
		t.Fatal(err)
	}
	suffix := strings.ReplaceAll(uuid.NewString(), "-", "") // Roles are the server's, not the database's.
	server, worker := "server_"+suffix, "worker_"+suffix
	w.owner = testenv.Connect(t, database)
	w.exec(strings.NewReplacer("platform_server", server, "from-your-secret-store", "s3cret").Replace(string(script)))
	superuser := testenv.Connect(t, testenv.SuperuserURL(t, database))
	if _, err := superuser.Exec(t.Context(), `CREATE ROLE `+worker+` LOGIN PASSWORD 's3cret' IN ROLE `+u.User.Username()); err != nil {
		t.Fatal(err)
	}
	key := w.createKey("admin")
	w.env["DATABASE_URL"], w.env["DATABASE_ROLE"] = testenv.WithLogin(t, database, worker, "s3cret"), u.User.Username()
	w.directory = w.newDirectory()
	w.start("", "worker", "--retention", "0s")
	w.publishSteps(w.directory)
	delete(w.env, "BLUEPRINT_SECRET_DIRECTORY") // The server sends no requests.
	delete(w.env, "WEBHOOK_ALLOW")
	w.env["DATABASE_URL"] = testenv.WithLogin(t, database, server, "s3cret")
	delete(w.env, "DATABASE_ROLE")
	w.server = w.start(key, "serve", "--worker=false", "--migrate=false", "--retention", "0s", "--metrics-addr", "127.0.0.1:0")
	w.login = testenv.Connect(t, w.env["DATABASE_URL"])
	paths, _ := w.server.call(http.MethodGet, "/openapi.json", nil).want(t, http.StatusOK).body["paths"].(map[string]any)
	for path, item := range paths {
		methods, _ := item.(map[string]any)
		for method, operation := range methods {
			fields, _ := operation.(map[string]any)
			id, _ := fields["operationId"].(string)
			w.operations[id] = [2]string{strings.ToUpper(method), path}
		}
	}
	return w
}

func (w *leastPrivilege) exec(statement string) {
	w.t.Helper()
	if _, err := w.owner.Exec(w.t.Context(), statement, pgx.QueryExecModeSimpleProtocol); err != nil {
		w.t.Fatalf("%s: %v", statement, err)
	}
}

// do calls an operation, with values for the parameters of its path and query.
func (w *leastPrivilege) do(operation string, status int, body any, values ...string) answer {
	w.t.Helper()
	route, found := w.operations[operation]
	if !found {
		w.t.Fatalf("there is no operation %s", operation)
	}
	w.called[operation] = true
	query := ""
	if len(values)%2 == 1 {
		query, values = values[len(values)-1], values[:len(values)-1]
	}
	return w.server.call(route[0], strings.NewReplacer(values...).Replace(route[1])+query, body).want(w.t, status)
}

// finish waits for the job of a 202.
func (w *leastPrivilege) finish(queued answer, operation, state string) answer {
	w.t.Helper()
	var job answer
	w.waitFor("the end of the job", func() bool {
		job = w.do("get-job", http.StatusOK, nil, "{jobId}", queued.str("jobId"))
		return job.body["finishedAt"] != nil
	})
	if job.str("move") != operation || job.str("state") != state {
		w.t.Fatalf("want %s of %s: %s", state, operation, job.text)
	}
	return job
}

// TestServe_LeastPrivilege: a server without a worker serves every operation as a login that
// owns nothing. What needs the owner is done by a worker elsewhere, or refused.
func TestServe_LeastPrivilege(t *testing.T) {
	w := setupLeastPrivilege(t)
	for _, public := range []string{"get-health", "get-livez", "get-readyz"} {
		w.do(public, http.StatusOK, nil)
	}
	body := clinic("Clinic")
	body["blueprint"] = "clinic"
	w.do("check-tenant", http.StatusOK, body)
	created := w.do("create-tenant", http.StatusAccepted, body)
	id := created.str("tenantId")
	w.finish(created, "provision", "completed")
	w.reads(id)
	w.changes(id)
	w.invitations(id)
	w.refusals(id)
	w.moves(id)
	w.ownSteps()
	w.sessions()
	w.loginCannot()
	for operation := range w.operations {
		if !w.called[operation] {
			t.Errorf("the operation %s was not called", operation)
		}
	}
	if log := w.server.log.String(); regexp.MustCompile(`42501|request failed`).MatchString(log) {
		t.Errorf("the database refused something:\n%s", log)
	}
	found := regexp.MustCompile(`"serving metrics" url=(\S+)`).FindStringSubmatch(w.server.log.String())
	metrics := &process{t: t, url: strings.TrimSuffix(found[1], "/metrics"), client: w.server.client}
	if got := metrics.call(http.MethodGet, "/metrics", nil).want(t, http.StatusOK); !strings.Contains(got.text, "healthcare_tenants{") {
		t.Errorf("no metrics of tenants: %s", got.text)
	} else if all := regexp.MustCompile(`healthcare_scrape_success\{source="(\w+)"\} 1`).FindAllString(got.text, -1); len(all) != 5 {
		t.Errorf("only %q can be read", all)
	}
	for _, what := range w.registry.Inconsistencies() {
		t.Error(what)
	}
}

func (w *leastPrivilege) reads(id string) {
	w.t.Helper()
	w.do("list-registry-audit-events", http.StatusOK, nil)
	w.do("list-tenants", http.StatusOK, nil)
	w.do("list-blueprints", http.StatusOK, nil)
	w.do("list-api-keys", http.StatusOK, nil)
	w.do("list-channels", http.StatusOK, nil)
	w.do("list-contracts", http.StatusOK, nil)
	w.do("get-registry", http.StatusOK, nil)
	if got := w.do("get-overview", http.StatusOK, nil); !strings.Contains(got.text, `"unavailable":[]`) || !strings.Contains(got.text, `"ACTIVE":1`) {
		w.t.Errorf("%s", got.text)
	}
	w.do("list-events", http.StatusOK, nil)
	if got := w.do("get-blueprint", http.StatusOK, nil, "{name}", "clinic"); got.body["tenants"] != 1.0 {
		w.t.Errorf("%s", got.text)
	}
	for _, operation := range []string{"get-tenant", "get-provisioning-status", "list-audit-events", "stream-tenant-events", "list-database-credentials", "get-contract"} {
		w.do(operation, http.StatusOK, nil, "{id}", id)
	}
	w.do("get-registry", http.StatusOK, nil)
	if got := w.do("list-events", http.StatusOK, nil); !strings.Contains(got.text, `"tenant.activate"`) {
		w.t.Errorf("%s", got.text)
	}
	w.server.call(http.MethodHead, "/admin/events/stream", nil).want(w.t, http.StatusOK) // It does not end.
	w.called["stream-all-events"] = true
	w.wantHealth(id, "IN_SYNC")
}

func (w *leastPrivilege) wantHealth(id, state string) {
	w.t.Helper()
	if got := w.do("list-tenants-health", http.StatusOK, nil, "?tenantId="+id); !strings.Contains(got.text, `"databaseState":"`+state+`"`) {
		w.t.Errorf("want %s: %s", state, got.text)
	}
}

func (w *leastPrivilege) changes(id string) {
	w.t.Helper()
	w.do("update-tenant", http.StatusOK, map[string]any{"adminEmail": "grace@clinic.example", "adminPassword": "correct horse battery"}, "{id}", id)
	var changed int
	if err := w.owner.QueryRow(w.t.Context(), `SELECT count(*) FROM `+w.registry.Named("Clinic").SchemaName+`.users
		WHERE email = 'grace@clinic.example' AND password_hash LIKE '$argon2id$%'`).Scan(&changed); err != nil || changed != 1 {
		w.t.Errorf("the tenant's users were not changed: %d, %v", changed, err)
	}
	w.do("invite-admin", http.StatusOK, nil, "{id}", id)
	w.do("reconcile-contract", http.StatusOK, nil, "{id}", id)
}

// invitations expire, are renewed and accepted.
func (w *leastPrivilege) invitations(id string) {
	w.t.Helper()
	token := func() map[string]any {
		mails := w.mail.Messages()
		return map[string]any{"token": regexp.MustCompile(`#invitation=([\w-]{43})`).FindStringSubmatch(mails[len(mails)-1].Text)[1]}
	}
	w.registry.ExpireInvitations()
	w.do("renew-invitation", http.StatusOK, token())
	body := token()
	if got := w.do("inspect-invitation", http.StatusOK, body); got.str("status") != "PENDING" || got.str("adminEmail") != "grace@clinic.example" {
		w.t.Errorf("%s", got.text)
	}
	body["password"] = "correct horse battery staple"
	schema := w.registry.Named("Clinic").SchemaName
	w.exec(`CREATE FUNCTION ` + schema + `.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'`)
	w.exec(`CREATE TRIGGER note BEFORE UPDATE ON ` + schema + `.users FOR EACH ROW EXECUTE FUNCTION ` + schema + `.note()`)
	for operation, change := range map[string]map[string]any{"accept-invitation": body, "update-tenant": {"adminPassword": "correct horse battery"}} {
		if got := w.do(operation, http.StatusNotImplemented, change, "{id}", id); !strings.Contains(got.str("detail"), "triggers on users") || !strings.Contains(got.str("detail"), "servers with a worker") {
			w.t.Errorf("%s", got.text)
		}
	}
	w.exec(`DROP FUNCTION ` + schema + `.note() CASCADE`)
	if got := w.do("accept-invitation", http.StatusOK, body); got.str("tenantId") != id {
		w.t.Errorf("%s", got.text)
	}
}

// refusals calls what only a server with a worker can do.
func (w *leastPrivilege) refusals(id string) {
	w.t.Helper()
	for operation, remedy := range map[string]string{
		"provision-tenant": "POST /admin/tenants", "provision-existing-tenant": "/retry", "open-database-credentials": "a server with a worker",
		"renew-database-credentials": "a server with a worker", "close-database-credentials": "a server with a worker",
		"publish-blueprint": "a server with a worker", "validate-blueprint": "a server with a worker",
		"activate-blueprint": "a server with a worker", "retire-blueprint": "a server with a worker",
		"verify-tenant": "a server with a worker", "verify-registry": "a server with a worker", "check-platform": "a server with a worker",
		"create-api-key": "a server with a worker", "revoke-api-key": "tenant-api apikey",
		"migrate-tenant": "a server with a worker", "adopt-tenant": "a server with a worker",
	} {
		got := w.do(operation, http.StatusNotImplemented, nil, "{id}", id, "{credentialId}", id, "{name}", "clinic")
		if detail := got.str("detail"); !strings.Contains(detail, "runs without a worker") || !strings.Contains(detail, remedy) ||
			got.header.Get("Content-Type") != "application/problem+json" {
			w.t.Errorf("%s: %s", operation, got.text)
		}
	}
}

func (w *leastPrivilege) moves(id string) {
	w.t.Helper()
	w.exec(`REVOKE SELECT ON ` + w.registry.Named("Clinic").SchemaName + `.users FROM ` + pgx.Identifier{w.role(id)}.Sanitize())
	w.wantHealth(id, "DRIFTED")
	w.finish(w.do("repair-tenant", http.StatusAccepted, nil, "{id}", id), "repair", "completed")
	w.wantHealth(id, "IN_SYNC")
	w.finish(w.do("suspend-tenant", http.StatusAccepted, nil, "{id}", id), "suspend", "completed")
	w.finish(w.do("resume-tenant", http.StatusAccepted, nil, "{id}", id), "resume", "completed")
	w.do("set-legal-hold", http.StatusOK, map[string]any{"reason": "Case 17"}, "{id}", id)
	w.do("clear-legal-hold", http.StatusOK, map[string]any{"reason": "Closed"}, "{id}", id)
	w.do("retry-tenant", http.StatusConflict, nil, "{id}", id)
	w.do("purge-tenant", http.StatusConflict, map[string]any{"confirm": "Clinic"}, "{id}", id)
	w.do("check-purge", http.StatusOK, map[string]any{"confirm": "Clinic"}, "{id}", id)
	for _, operation := range []string{"archive-tenant", "archive-tenant-by-post"} { // Repeating it succeeds.
		w.finish(w.do(operation, http.StatusAccepted, nil, "{id}", id), "archive", "completed")
	}
	w.finish(w.do("unarchive-tenant", http.StatusAccepted, nil, "{id}", id), "unarchive", "completed")
	if got := w.do("get-tenant", http.StatusOK, nil, "{id}", id); got.str("status") != "ACTIVE" {
		w.t.Errorf("%s", got.text)
	}

	w.finish(w.do("suspend-tenant", http.StatusAccepted, nil, "{id}", id), "suspend", "completed")
	if got := w.do("get-tenant", http.StatusOK, nil, "{id}", id); got.str("status") != "SUSPENDED" {
		w.t.Errorf("%s", got.text)
	}
	w.finish(w.do("resume-tenant", http.StatusAccepted, nil, "{id}", id), "resume", "completed")
	w.do("set-legal-hold", http.StatusOK, map[string]any{"reason": "Case 17"}, "{id}", id)
	w.do("clear-legal-hold", http.StatusOK, map[string]any{"reason": "Closed"}, "{id}", id)

	// One whose restored schema is missing: the job fails, and says so.
	w.finish(w.do("archive-tenant", http.StatusAccepted, nil, "{id}", id), "archive", "completed")
	schema := w.registry.Named("Clinic").SchemaName
	w.exec(`ALTER SCHEMA ` + schema + ` RENAME TO ` + schema + `_lost`)
	failed := w.finish(w.do("unarchive-tenant", http.StatusAccepted, nil, "{id}", id), "unarchive", "failed")
	if !strings.Contains(failed.str("error"), "restore it from a backup first") {
		w.t.Errorf("%s", failed.text)
	}
	events := w.do("list-audit-events", http.StatusOK, nil, "{id}", id, "?limit=100")
	for _, want := range []string{`"action":"tenant.archive","outcome":"DONE"`, `"action":"tenant.unarchive","outcome":"REJECTED"`} {
		if !strings.Contains(events.text, want) {
			w.t.Errorf("no event %s in %s", want, events.text)
		}
	}
	w.exec(`ALTER SCHEMA ` + schema + `_lost RENAME TO ` + schema)

	w.do("purge-tenant", http.StatusBadRequest, map[string]any{"confirm": "Another"}, "{id}", id)
	w.do("check-purge", http.StatusOK, map[string]any{"confirm": "Clinic"}, "{id}", id)
	w.finish(w.do("purge-tenant", http.StatusAccepted, map[string]any{"confirm": "Clinic"}, "{id}", id), "purge", "completed")
	certificate := w.do("purge-tenant", http.StatusOK, map[string]any{"confirm": "Clinic"}, "{id}", id)
	if by, _ := certificate.body["by"].(map[string]any); by["kind"] != "apikey" {
		w.t.Errorf("the author of the purge is not its caller: %s", certificate.text)
	}
	w.do("unarchive-tenant", http.StatusConflict, nil, "{id}", id)

	// One that is aborted, and retried.
	w.net.Faults().HoldQueue(true)
	second := w.do("create-tenant", http.StatusAccepted, clinic("Hospice"))
	w.waitFor("the deployment", func() bool { return w.net.Faults().QueueSize() > 0 })
	w.finish(w.do("archive-tenant", http.StatusAccepted, nil, "{id}", second.str("tenantId")), "archive", "completed")
	w.net.Faults().HoldQueue(false)
	w.finish(w.do("retry-tenant", http.StatusAccepted, nil, "{id}", second.str("tenantId")), "provision", "completed")
}

// ownSteps shows a step that failed and is left over, and skips its undo.
func (w *leastPrivilege) ownSteps() {
	w.t.Helper()
	w.directory.refuses.Store(true)
	body := clinic("Practice")
	body["blueprint"] = "clinic"
	created := w.do("create-tenant", http.StatusAccepted, body)
	id := created.str("tenantId")
	w.finish(created, "provision", "failed")
	if got := w.do("get-provisioning-status", http.StatusOK, nil, "{id}", id); !strings.Contains(got.text, `"REGISTER"`) || !strings.Contains(got.text, "the undo failed") {
		w.t.Errorf("%s", got.text)
	}
	skip := map[string]any{"steps": []string{"REGISTER"}, "reason": "deleted by hand"}
	w.do("skip-undo", http.StatusOK, skip, "{id}", id)
	w.do("skip-undo", http.StatusBadRequest, skip, "{id}", id)
	w.directory.refuses.Store(false)
	w.finish(w.do("retry-tenant", http.StatusAccepted, nil, "{id}", id), "provision", "completed")
}

// sessions of the console are made, used and ended as the server's login, with their audit events.
func (w *leastPrivilege) sessions() {
	w.t.Helper()
	db, err := postgres.Open(w.t.Context(), pgdb.Options{URL: w.env["DATABASE_URL"], ManualMigrate: true})
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	var store access.SessionStore = db.Sessions
	for _, end := range []func(access.SessionHash) error{
		func(hash access.SessionHash) error { return store.End(w.t.Context(), hash) },
		func(hash access.SessionHash) error { _, err := store.EndAll(w.t.Context(), hash); return err },
	} {
		hash, _ := access.ParseSession(access.NewSessionToken().Reveal())
		r := access.SessionRequest{Subject: "ada", Scopes: []access.Scope{access.ScopeRead}, IdleTimeout: time.Hour, TTL: time.Hour}
		if err := store.Create(w.t.Context(), hash, r); err != nil {
			w.t.Fatal(err)
		}
		w.registry.AgeSessions(2*time.Minute, 0) // So that its use is recorded.
		if _, err := store.Find(w.t.Context(), hash); err != nil {
			w.t.Error(err)
		}
		if live, err := store.List(w.t.Context(), 9); err != nil || len(live) != 1 {
			w.t.Errorf("%d sessions, %v", len(live), err)
		}
		if err := end(hash); err != nil {
			w.t.Error(err)
		}
		if ended, err := store.FindEnded(w.t.Context(), []access.SessionHash{hash}); err != nil || len(ended) != 1 {
			w.t.Errorf("%d ended, %v", len(ended), err)
		}
	}
}

// role is the database role of a tenant.
func (w *leastPrivilege) role(id string) string {
	return tenant.DatabaseRole(w.registry.Named("Clinic").SchemaName, uuid.MustParse(id))
}

// loginCannot tries what the server's login must not do.
func (w *leastPrivilege) loginCannot() {
	w.t.Helper()
	schema := w.registry.Named("Hospice").SchemaName
	for _, statement := range []string{
		`SELECT FROM ` + schema + `.users`, `UPDATE ` + schema + `.users SET email = email`, `SELECT FROM ` + schema + `.audit_logs`,
		`CREATE TABLE ` + schema + `.made ()`, `DROP SCHEMA ` + schema + ` CASCADE`,
		`CREATE ROLE made`, `CREATE SCHEMA made`, `CREATE TABLE public.made ()`, `CREATE TEMPORARY TABLE made ()`,
	} {
		if _, err := w.login.Exec(w.t.Context(), statement); err == nil || !strings.Contains(err.Error(), "42501") {
			w.t.Errorf("%s: %v", statement, err)
		}
	}
}
