package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
)

// exec runs statements as the registry's owner.
func (b *testServer) exec(statements string) {
	b.t.Helper()
	if _, err := b.db.Pool().Exec(b.t.Context(), statements, pgx.QueryExecModeSimpleProtocol); err != nil {
		b.t.Fatal(err)
	}
}

// live creates a tenant and waits until a worker has made it.
func (b *testServer) live(body map[string]any) (path string) {
	b.t.Helper()
	created := b.do(http.MethodPost, "/admin/tenants", body).want(http.StatusAccepted)
	b.waitForJob(created, "completed")
	return "/admin/tenants/" + created.str("tenantId")
}

// findings are the findings of a check, as "subject: message".
func (a response) findings() (all []string) {
	a.t.Helper()
	for _, one := range as[[]any](a.want(http.StatusOK).json["findings"]) {
		f := as[map[string]any](one)
		subject, _ := f["subject"].(string)
		if subject == "" {
			subject = as[string](f["check"])
		}
		if subject != "registry_copied" { // Tests' databases are copies.
			all = append(all, subject+": "+as[string](f["message"]))
		}
	}
	return all
}

func TestServer_Verify(t *testing.T) {
	t.Parallel()
	t.Run("FindsWhatDiffers", func(t *testing.T) {
		b := setupWith(t, serverOptions{worker: true})
		path := b.live(clinic())
		for _, checked := range []string{path + "/verify", path + "/verify?offline=true", "/admin/registry/verify", "/admin/registry/verify?offline=true", "/admin/platform/check"} {
			if got := b.do(http.MethodGet, checked, nil); len(got.findings()) != 0 {
				t.Errorf("%s: %s", checked, got.text)
			}
		}
		if got := b.do(http.MethodGet, path+"/verify", nil); got.json["tenants"] != 1.0 || got.json["offline"] != true {
			t.Errorf("%s", got.text)
		}
		b.registry.ChangeEvent(strings.TrimPrefix(path, "/admin/tenants/"), 1)
		if got := b.do(http.MethodGet, path+"/verify", nil).findings(); len(got) != 1 || !strings.HasPrefix(got[0], "audit events: ") {
			t.Errorf("%v", got)
		}
		b.exec(`GRANT CREATE ON SCHEMA public TO PUBLIC`)
		if got := b.do(http.MethodGet, "/admin/platform/check", nil).findings(); len(got) != 1 || !strings.HasPrefix(got[0], "public_schema_open: ") {
			t.Errorf("%v", got)
		}
		b.do(http.MethodGet, "/admin/tenants/"+uuid.NewString()+"/verify", nil).want(http.StatusNotFound)
		b.do(http.MethodGet, path+"/verify?offline=yes", nil).wantFieldErrors("offline")
	})
	t.Run("NeedsScopes", func(t *testing.T) {
		b := setupWith(t, serverOptions{worker: true})
		path := b.live(clinic())
		b.key = b.createKey("reader", access.ScopeRead)
		b.do(http.MethodGet, path+"/verify", nil).want(http.StatusOK)
		b.key = b.createKey("writer", access.ScopeWrite, access.ScopeBlueprints)
		for call, body := range map[string]any{
			"GET /admin/registry/verify": nil, "GET /admin/platform/check": nil, "POST " + path + "/migrate": nil, "POST /admin/tenants/adopt": adoption("clinic_1"),
		} {
			method, target, _ := strings.Cut(call, " ")
			b.do(method, target, body).want(http.StatusForbidden)
		}
	})
	t.Run("OneCheckAtATime", func(t *testing.T) {
		held := &heldCheck{running: make(chan struct{}), release: make(chan struct{})}
		b := setupWith(t, serverOptions{wrapMaintenance: func(f api.Maintenance) api.Maintenance { held.Maintenance = f; return held }})
		first := make(chan response)
		go func() { first <- b.do(http.MethodGet, "/admin/platform/check", nil) }()
		<-held.running
		if got := b.do(http.MethodGet, "/admin/registry/verify", nil).want(http.StatusTooManyRequests); got.header.Get("Retry-After") != "5" {
			t.Errorf("%v", got.header)
		}
		close(held.release)
		(<-first).want(http.StatusOK)
		b.do(http.MethodGet, "/admin/registry/verify", nil).want(http.StatusOK)
	})
}

// heldCheck holds a check of the platform until it is released.
type heldCheck struct {
	api.Maintenance
	running, release chan struct{}
}

func (h *heldCheck) CheckPlatform(ctx context.Context) (dto.PlatformCheck, error) {
	close(h.running)
	<-h.release
	return h.Maintenance.CheckPlatform(ctx)
}

// migrationsOf is a blueprint without users and contract, with these migrations.
func migrationsOf(name string, migrations ...string) fstest.MapFS {
	files := fstest.MapFS{"blueprint.yaml": {Data: []byte("apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: " + name + "\nextends: none\ncontract: none\n")}}
	for i, sql := range migrations {
		files["migrations/000"+string(rune('1'+i))+"_step.sql"] = &fstest.MapFile{Data: []byte("-- +goose Up\n" + sql + "\n")}
	}
	return files
}

const patientsSQL = `CREATE TABLE patients (id bigserial PRIMARY KEY, name text NOT NULL);`

func TestServer_MigrateTenant(t *testing.T) {
	b := setupWith(t, serverOptions{worker: true})
	postgrestest.PublishBlueprint(t, b.db, migrationsOf("clinic", patientsSQL))
	body := clinic()
	body["blueprint"] = "clinic"
	path := b.live(body)
	other := b.live(clinicNamed("Other"))
	migrated := func(path string, pending, migrated float64, targets ...any) {
		t.Helper()
		got := b.do(http.MethodPost, path, nil).want(http.StatusOK)
		first := as[map[string]any](as[[]any](got.json["targets"])[0])
		if got.json["pending"] != pending || got.json["migrated"] != migrated || got.json["failed"] != 0.0 || first["blueprint"] != targets[0] || first["revision"] != targets[1] {
			t.Errorf("%s: %s", path, got.text)
		}
	}
	migrated(path+"/migrate", 0, 0, "clinic", 1.0)
	migrated(other+"/migrate", 0, 0, "standard", nil)

	postgrestest.PublishBlueprint(t, b.db, migrationsOf("clinic", patientsSQL, "-- +blueprint allow: scans\nCREATE UNIQUE INDEX patients_name ON patients (name);"))
	migrated(path+"/migrate?dryRun=true", 1, 0, "clinic", 2.0)
	schema := pgx.Identifier{b.do(http.MethodGet, path, nil).want(http.StatusOK).str("schemaName")}.Sanitize()
	b.exec(`INSERT INTO ` + schema + `.patients (name) VALUES ('Ada'), ('Ada')`)
	refused := b.do(http.MethodPost, path+"/migrate?statementTimeoutMs=60000", nil).want(http.StatusConflict)
	if detail := refused.str("detail"); !strings.Contains(detail, "could not be migrated and is unchanged") || !strings.Contains(detail, "could not create unique index") {
		t.Errorf("%s", refused.text)
	}
	b.exec(`DELETE FROM ` + schema + `.patients WHERE id = 2`)
	migrated(path+"/migrate", 1, 1, "clinic", 2.0)
	migrated(path+"/migrate", 0, 0, "clinic", 2.0)
	if got := b.do(http.MethodGet, path, nil); got.json["schemaVersion"] != 2.0 {
		t.Errorf("%s", got.text)
	}
	b.do(http.MethodPost, "/admin/tenants/"+uuid.NewString()+"/migrate", nil).want(http.StatusNotFound)
	for _, parameter := range []string{"statementTimeoutMs=0", "statementTimeoutMs=600001", "dryRun=1", "endSessions="} {
		name, _, _ := strings.Cut(parameter, "=")
		b.do(http.MethodPost, path+"/migrate?"+parameter, nil).wantFieldErrors(name)
	}
}

// adoption is a request to adopt a schema.
func adoption(schema string) map[string]any {
	return map[string]any{"schema": schema, "atVersion": 1, "blueprint": "org", "name": "Organisation " + schema, "adminEmail": "ada@clinic.example"}
}

func TestServer_AdoptTenant(t *testing.T) {
	b := setupWith(t, serverOptions{worker: true})
	postgrestest.PublishBlueprint(t, b.db, migrationsOf("org", patientsSQL))
	b.exec(`CREATE SCHEMA org_1; SET search_path = org_1; ` + patientsSQL + `INSERT INTO patients (name) VALUES ('Ada'); CREATE SCHEMA org_2; SET search_path = org_2; CREATE TABLE patients (id bigserial PRIMARY KEY, name int NOT NULL); SET search_path = public`)
	request := adoption("org_1")
	request["dryRun"] = true
	if got := b.do(http.MethodPost, "/admin/tenants/adopt", request).want(http.StatusOK); got.json["tenantId"] != nil || got.json["error"] != nil || len(as[[]any](got.json["missing"])) != 0 {
		t.Errorf("%s", got.text)
	}
	request["dryRun"], request["metadata"] = false, map[string]any{"old": "contract 1"}
	got := b.do(http.MethodPost, "/admin/tenants/adopt", request).want(http.StatusOK)
	id := got.str("tenantId")
	if adopted := b.do(http.MethodGet, "/admin/tenants/"+id, nil).want(http.StatusOK); adopted.str("status") != "ACTIVE" || adopted.str("schemaName") != "org_1" || adopted.str("adminLastName") != "of the organisation" || !strings.Contains(adopted.text, `"metadata":{"old":"contract 1"}`) {
		t.Errorf("%s", adopted.text)
	}
	if again := b.do(http.MethodPost, "/admin/tenants/adopt", request).want(http.StatusOK); again.json["skipped"] != true || !strings.Contains(again.str("error"), "the schema org_1 is that of the tenant Organisation org_1") {
		t.Errorf("%s", again.text)
	}
	if found := b.do(http.MethodGet, "/admin/tenants/"+id+"/verify", nil).findings(); len(found) != 0 {
		t.Errorf("%v", found)
	}

	request = adoption("org_2")
	if refused := b.do(http.MethodPost, "/admin/tenants/adopt", request).want(http.StatusConflict); !strings.Contains(refused.str("detail"), "differs") {
		t.Errorf("%s", refused.text)
	}
	request["dryRun"] = true
	if compared := b.do(http.MethodPost, "/admin/tenants/adopt", request).want(http.StatusOK); len(as[[]any](compared.json["changed"])) == 0 {
		t.Errorf("%s", compared.text)
	}
	b.do(http.MethodPost, "/admin/tenants/adopt", map[string]any{"atVersion": -1, "name": 4}).wantFieldErrors("atVersion", "name", "adminEmail", "schema", "blueprint")
	request = adoption("org_2")
	request["adminEmail"] = "nobody"
	b.do(http.MethodPost, "/admin/tenants/adopt", request).wantFieldErrors("adminEmail")
}
