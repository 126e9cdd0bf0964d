//go:build unix

package main_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// platformEnv is a platform with an owner and a registry of its own.
type platformEnv struct {
	*testEnv
	owner     string
	superuser string // URL.
	token     string
	name      string // Of the database.
}

func setupPlatform(t *testing.T) *platformEnv {
	t.Helper()
	t.Parallel()
	database := testenv.EmptyDatabase(t)
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	p := &platformEnv{superuser: testenv.SuperuserURL(t, database), name: strings.TrimPrefix(u.Path, "/")}
	p.owner = "owner_of_" + p.name
	p.testEnv = newTestEnv(t, testenv.WithLogin(t, database, p.owner, "s3cret"))
	p.asSuperuser(`CREATE ROLE {{owner}} LOGIN CREATEROLE PASSWORD 's3cret'; ALTER DATABASE {{database}} OWNER TO {{owner}}; ALTER SCHEMA public OWNER TO {{owner}}`)
	p.mustRun("migrate", "up")
	p.token = p.createKey("admin")
	return p
}

// asSuperuser runs statements; {{owner}}, {{database}} and {{connect}} are names.
func (p *platformEnv) asSuperuser(statements string) {
	p.t.Helper()
	names := []string{"{{owner}}", p.owner, "{{database}}", p.name}
	if strings.Contains(statements, "{{connect}}") {
		names = append(names, "{{connect}}", p.registry.ConnectRole())
	}
	conn := testenv.Connect(p.t, p.superuser)
	if _, err := conn.Exec(p.t.Context(), strings.NewReplacer(names...).Replace(statements), pgx.QueryExecModeSimpleProtocol); err != nil {
		p.t.Fatalf("%s: %v", statements, err)
	}
}

// addTenant provisions a tenant with a worker, which ends then.
func (p *platformEnv) addTenant(name string) (id string) {
	p.t.Helper()
	server := p.start(p.token, "serve")
	id = server.call("POST", "/admin/tenants", clinic(name)).want(p.t, 202).str("tenantId")
	p.waitFor("the tenant", p.allActive)
	if code := server.terminate(); code != 0 {
		p.t.Errorf("exit code %d", code)
	}
	return id
}

const connectRoleDropped = `REVOKE ALL ON DATABASE {{database}} FROM {{connect}}; DROP ROLE {{connect}}`

func TestPlatform_CheckAndRepair(t *testing.T) {
	p := setupPlatform(t)
	id := p.addTenant("Clinic")
	p.mustRun("platform", "check").want(t, 0, "0 findings")
	p.mustRun("platform", "repair").want(t, 0, "0 findings repaired, 0 remaining")
	p.mustRun("platform", "check", "--json").want(t, 0, `"findings": []`)
	role := p.registry.Named("Clinic").DatabaseRole
	connect := p.registry.ConnectRole()
	p.asSuperuser(connectRoleDropped + `; DROP OWNED BY ` + role + `; DROP ROLE ` + role + `; GRANT TEMPORARY ON DATABASE {{database}} TO PUBLIC`)

	p.run("platform", "check").want(t, 3, "3 findings, 3 of them repairable",
		`connect_role_missing [repairable]: role "`+connect+`" does not exist, so no login of a tenant can be opened`, `    CREATE ROLE "`+connect+`" NOLOGIN`,
		`database_open [repairable]: database "`+p.name+`" gives TEMPORARY to PUBLIC`, `role_missing [repairable]: tenant `+id+`: role "`+role+`" does not exist`)
	p.run("platform", "repair", "--dry-run").want(t, 0, "-- A repair runs this in the database "+p.name, `GRANT CONNECT ON DATABASE "`+p.name+`" TO "`+connect+`";`, `CREATE ROLE "`+role+`" NOLOGIN`, "3 findings would be repaired, 0 remaining")
	var found struct {
		Findings []struct {
			Check, Object, Message string
			TenantID               *string
			Statements             []string
			Repairable             bool
		}
	}
	out := p.run("platform", "check", "--json")
	if err := json.Unmarshal([]byte(out.out), &found); err != nil || out.code != 3 || len(found.Findings) != 3 || found.Findings[0].Check != "database_open" || found.Findings[0].TenantID != nil ||
		found.Findings[2].TenantID == nil || *found.Findings[2].TenantID != id || len(found.Findings[2].Statements) == 0 || !found.Findings[2].Repairable {
		t.Errorf("%v: %s", err, out.out)
	}
	p.printed(3, "platform", "check", "--json")
	p.printed(0, "platform", "repair", "--dry-run", "--json")
	p.run("migrate", "up").want(t, 1, `database "`+p.name+`" gives TEMPORARY to PUBLIC`, "tenant-api platform check lists all")
	p.run("serve", "--port", "0").want(t, 1, "tenant-api platform check lists all")
	p.run("tenants", "verify", "--offline").want(t, 3, "registry: role: database ", "run tenant-api platform repair")

	p.run("platform", "repair").want(t, 0, "repaired: role_missing: tenant "+id, "3 findings repaired, 0 remaining")
	p.mustRun("platform", "check")
	p.mustRun("tenants", "verify", "--offline").want(t, 0, "0 findings")
	p.mustRun("migrate", "up")
}

// TestPlatform_SQLForSuperuser: what the owner may not repair is a script for psql.
func TestPlatform_SQLForSuperuser(t *testing.T) {
	p := setupPlatform(t)
	p.addTenant("Clinic")
	p.asSuperuser(connectRoleDropped + `; ALTER ROLE {{owner}} NOCREATEROLE; ALTER TABLE api_keys OWNER TO CURRENT_USER; ALTER SCHEMA ` + p.registry.Named("Clinic").SchemaName + ` OWNER TO CURRENT_USER`)
	p.run("platform", "check").want(t, 3, "4 findings, 0 of them repairable")
	p.printed(1, "platform", "repair", "--json")
	r := p.run("platform", "repair")
	r.want(t, 1, "-- Have a DBA run this in the database "+p.name, `-- createrole_missing: role "`+p.owner+`" has no CREATEROLE`, `ALTER ROLE "`+p.owner+`" CREATEROLE;`, "0 findings repaired, 4 remaining")
	p.asSuperuser(r.out)
	p.mustRun("platform", "check").want(t, 0, "0 findings")
	p.addTenant("Another")
}

// TestPlatform_ErrorNamesCheck: a refused statement has PostgreSQL's reason and the command.
func TestPlatform_ErrorNamesCheck(t *testing.T) {
	p := setupPlatform(t)
	id := p.addTenant("Clinic")
	p.asSuperuser(`ALTER SCHEMA ` + p.registry.Named("Clinic").SchemaName + ` OWNER TO CURRENT_USER`)
	p.env["PURGE_RETENTION"] = "0s"
	server := p.start(p.token, "serve")
	server.call("POST", "/admin/tenants/"+id+"/archive", nil).want(t, 200)
	server.terminate()
	p.run("tenants", "purge", id, "--confirm", "Clinic").want(t, 1, "did not permit", "tenant-api platform check")
	p.run("platform", "check").want(t, 3, "schema_owner: tenant "+id)
}

// TestPlatform_Interrupted: Ctrl-C ends a repair cleanly, and a killed one leaves nothing half
// done: the next one does the rest.
func TestPlatform_Interrupted(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		t.Run(signal.String(), func(t *testing.T) {
			p := setupPlatform(t)
			p.addTenant("Clinic")
			role := p.registry.Named("Clinic").DatabaseRole
			p.asSuperuser(`DROP OWNED BY ` + role + `; DROP ROLE ` + role)
			release := p.registry.LockTenantTable()
			cmd := p.command("platform", "repair")
			var out testenv.Buffer
			cmd.Stderr = &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			p.waitFor("the repair to wait for the tenant", func() bool { return p.registry.WaitsForLock("tenant-api") })
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			err := cmd.Wait()
			release()
			if signal == syscall.SIGINT && (cmd.ProcessState.ExitCode() != 1 || !strings.Contains(out.String(), "the operation was cancelled")) {
				t.Errorf("%v: %s", err, out.String())
			}
			p.mustRun("platform", "repair").want(t, 0, "1 finding repaired, 0 remaining")
			p.mustRun("platform", "check")
		})
	}
}
