package platform_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/platform"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

// rolesDropped drops the roles of all tenants.
const rolesDropped = `DROP OWNED BY {{activeRole}}, {{archivedRole}}, {{suspendedRole}}, {{unfinishedRole}}; DROP ROLE {{activeRole}}, {{archivedRole}}, {{suspendedRole}}, {{unfinishedRole}}`

// damages cause one kind of finding each, as a DBA, an upgrade or a restore makes it.
var damages = []struct {
	name       string
	since      int    // PostgreSQL's first major version with this finding; 0: all.
	before     int    // The first one without it; 0: none.
	statements string // As superuser.
	checks     []platform.Check
	dba        bool // It needs a superuser.
}{
	{name: "Nothing"},
	{name: "ConnectRoleDropped", statements: `REVOKE ALL ON DATABASE {{database}} FROM {{connect}}; DROP ROLE {{connect}}`, checks: []platform.Check{platform.ConnectRoleMissing}},
	{name: "ConnectRevoked", statements: `REVOKE CONNECT ON DATABASE {{database}} FROM {{connect}}`, checks: []platform.Check{platform.ConnectMissing}},
	{name: "ConnectRoleLogin", statements: `ALTER ROLE {{connect}} LOGIN PASSWORD 's3cret'`, checks: []platform.Check{platform.ConnectRoleDrift}},
	{name: "ConnectRoleSuperuser", statements: `ALTER ROLE {{connect}} SUPERUSER`, checks: []platform.Check{platform.ConnectRoleDrift}, dba: true},
	{name: "ConnectRoleGroup", statements: `GRANT pg_monitor TO {{connect}}`, before: 16, checks: []platform.Check{platform.ConnectRoleDrift}},
	{name: "ConnectRoleGroupFrom16", statements: `GRANT pg_monitor TO {{connect}}`, since: 16, checks: []platform.Check{platform.ConnectRoleDrift}, dba: true},
	{name: "DatabaseOpen", statements: `GRANT CONNECT, TEMPORARY ON DATABASE {{database}} TO PUBLIC`, checks: []platform.Check{platform.DatabaseOpen}},
	{name: "PublicSchemaOpen", statements: `GRANT CREATE ON SCHEMA public TO PUBLIC`, checks: []platform.Check{platform.PublicSchemaOpen}},
	{name: "NoCreateRole", statements: `ALTER ROLE {{owner}} NOCREATEROLE`, checks: []platform.Check{platform.CreateRoleMissing}, dba: true},
	{name: "NoInherit", statements: `ALTER ROLE {{owner}} NOINHERIT`, before: 16, checks: []platform.Check{platform.NoInherit}},
	{name: "NoInheritFrom16", statements: `ALTER ROLE {{owner}} NOINHERIT`, since: 16},
	{name: "NoCreateOnDatabase", statements: `REVOKE CREATE ON DATABASE {{database}} FROM {{owner}}`, checks: []platform.Check{platform.DatabaseCreate}},
	{name: "DatabaseOfAnother", statements: `ALTER DATABASE {{database}} OWNER TO CURRENT_USER; REVOKE CREATE ON DATABASE {{database}} FROM {{owner}}; ALTER SCHEMA public OWNER TO CURRENT_USER`,
		checks: []platform.Check{platform.DatabaseCreate, platform.PublicSchemaCreate}, dba: true},
	{name: "NoCreateInPublic", statements: `ALTER SCHEMA public OWNER TO CURRENT_USER; REVOKE CREATE ON SCHEMA public FROM {{owner}}; GRANT USAGE ON SCHEMA public TO {{owner}}`,
		checks: []platform.Check{platform.PublicSchemaCreate}, dba: true},
	{name: "RegistryTableOwner", statements: `ALTER TABLE api_keys OWNER TO CURRENT_USER`, checks: []platform.Check{platform.RegistryOwner}, dba: true},
	{name: "RegistryOwner", statements: `ALTER TABLE registry OWNER TO CURRENT_USER`, checks: []platform.Check{platform.RegistryOwner}, dba: true},
	{name: "TenantsOwner", statements: `ALTER TABLE tenants OWNER TO CURRENT_USER; REVOKE ALL ON tenants FROM {{owner}}`, checks: []platform.Check{platform.RegistryOwner}, dba: true},
	{name: "TenantsUnreadable", statements: `REVOKE SELECT ON tenants FROM {{owner}}`, checks: []platform.Check{platform.RegistryPrivileges}},
	{name: "KeysUnwritable", statements: `REVOKE ALL ON api_keys FROM {{owner}}`, checks: []platform.Check{platform.RegistryPrivileges}},
	{name: "RegistryUnreadable", statements: `REVOKE ALL ON registry FROM {{owner}}`, checks: []platform.Check{platform.RegistryPrivileges}},
	{name: "MigrationsOwner", statements: `ALTER TABLE healthcare_migrations OWNER TO CURRENT_USER`, checks: []platform.Check{platform.RegistryOwner}, dba: true},
	{name: "FunctionOwner", statements: `ALTER FUNCTION tenant_count() OWNER TO CURRENT_USER`, checks: []platform.Check{platform.RegistryOwner}, dba: true},
	{name: "QueueOwner", statements: `ALTER TABLE river_job OWNER TO CURRENT_USER`, checks: []platform.Check{platform.RegistryOwner}, dba: true},
	{name: "FunctionOpen", statements: `GRANT EXECUTE ON FUNCTION tenant_count() TO PUBLIC`, checks: []platform.Check{platform.RegistryFunctionOpen}},
	{name: "SchemaOwner", statements: `ALTER SCHEMA {{active}} OWNER TO CURRENT_USER; ALTER SCHEMA {{archived}} OWNER TO CURRENT_USER`, checks: repeat(platform.SchemaOwner, 2), dba: true},
	{name: "TableOwner", statements: `ALTER TABLE {{suspended}}.users OWNER TO CURRENT_USER`, checks: []platform.Check{platform.SchemaOwner}, dba: true},
	{name: "PlatformsOwnTable", statements: `CREATE TABLE {{active}}.notes (id int); CREATE TABLE public.notes (id int)`},
	{name: "RolesDropped", statements: rolesDropped,
		checks: repeat(platform.RoleMissing, 4)},
	{name: "RoleLogin", statements: `ALTER ROLE {{archivedRole}} LOGIN PASSWORD 's3cret'`, checks: []platform.Check{platform.RoleDrift}},
	{name: "GrantsLost", statements: `DROP OWNED BY {{activeRole}}, {{suspendedRole}}`, checks: repeat(platform.RoleDrift, 2)},
	{name: "RoleSuperuser", statements: `ALTER ROLE {{activeRole}} SUPERUSER`, checks: []platform.Check{platform.RoleDrift}, dba: true},
	{name: "AdminLost", since: 16, statements: `REVOKE {{activeRole}}, {{archivedRole}}, {{suspendedRole}}, {{unfinishedRole}}, {{connect}} FROM {{owner}}`,
		checks: append(repeat(platform.RoleAdmin, 4), platform.ConnectRoleAdmin), dba: true},
	{name: "AdminOptionLost", since: 16, statements: `REVOKE ADMIN OPTION FOR {{activeRole}} FROM {{owner}}`, checks: []platform.Check{platform.RoleAdmin}, dba: true},
	// As a restore into a server with the same owner leaves it.
	{name: "Restored", statements: rolesDropped + `; REVOKE ALL ON DATABASE {{database}} FROM {{connect}}; DROP ROLE {{connect}}; GRANT CONNECT, TEMPORARY ON DATABASE {{database}} TO PUBLIC`,
		checks: append(repeat(platform.RoleMissing, 4), platform.ConnectRoleMissing, platform.DatabaseOpen)},
	{name: "RestoredWithoutCreateRole", statements: `DROP OWNED BY {{activeRole}}; DROP ROLE {{activeRole}}; REVOKE ALL ON DATABASE {{database}} FROM {{connect}}; DROP ROLE {{connect}}; ALTER ROLE {{owner}} NOCREATEROLE`,
		checks: []platform.Check{platform.RoleMissing, platform.ConnectRoleMissing, platform.CreateRoleMissing}, dba: true},
}

// TestFindings runs the statements of each damage. Check finds it and nothing else. Repair repairs it, or leaves it
// to a DBA, whose statements repair it.
func TestFindings(t *testing.T) {
	t.Parallel()
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			b := setup(t)
			if version := b.version(); version < d.since || d.before > 0 && version >= d.before {
				d.statements, d.checks, d.dba = "", nil, false
			}
			if d.statements != "" {
				b.asSuperuser(b.names().Replace(d.statements))
			}
			found := b.check()
			b.wantChecks(found, d.checks...)
			report, err := b.Platform.Repair(t.Context(), nil)
			b.Must(err)
			if len(report.Errors) > 0 {
				t.Errorf("%+v", report.Errors)
			}
			if d.dba {
				b.wantChecks(report.Remaining, d.checks...)
				b.asDBA(report.Remaining)
			} else {
				b.wantChecks(report.Remaining)
				b.wantChecks(report.Repaired, d.checks...)
			}
			b.wantSound()
			if again, err := b.Platform.Repair(t.Context(), nil); err != nil || len(again.Repaired)+len(again.Remaining) > 0 {
				t.Errorf("the second time: %+v, %v", again, err)
			}
		})
	}
}

// TestCheckPrivileges: the cheap part names object and statement.
func TestCheckPrivileges(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ damage, want string }{
		"ConnectRole": {`REVOKE ALL ON DATABASE {{database}} FROM {{connect}}; DROP ROLE {{connect}}`, `role "{{connect}}" does not exist, so no login of a tenant can be opened; tenant-api platform check lists all; run tenant-api platform repair`},
		"CreateRole":  {`ALTER ROLE {{owner}} NOCREATEROLE`, `role "{{owner}}" has no CREATEROLE, so it cannot make the roles of tenants; tenant-api platform check lists all; have a DBA run in the database {{database}}: ALTER ROLE "{{owner}}" CREATEROLE`},
		"Registry":    {`ALTER TABLE registry OWNER TO CURRENT_USER`, `table "public"."registry" belongs to role "healthcare" and not to role "{{owner}}"; tenant-api platform check lists all; have a DBA run in the database {{database}}: ALTER TABLE "public"."registry" OWNER TO "{{owner}}"`},
		"LongStatements": {`REVOKE ALL ON DATABASE {{database}} FROM {{connect}}; DROP ROLE {{connect}}; ALTER DATABASE {{database}} OWNER TO CURRENT_USER; GRANT CREATE ON DATABASE {{database}} TO {{owner}}; ALTER SCHEMA public OWNER TO {{owner}}`,
			`role "{{connect}}" does not exist, so no login of a tenant can be opened; tenant-api platform check lists all; have a DBA run what tenant-api platform repair prints`},
		"Several": {`GRANT CONNECT ON DATABASE {{database}} TO PUBLIC; REVOKE CONNECT ON DATABASE {{database}} FROM {{connect}}`, `database "{{database}}" gives CONNECT to PUBLIC, and so to every role of the server; users of your own that connect to it need GRANT CONNECT ON DATABASE before that is revoked; the first of several findings; tenant-api platform check lists all; run tenant-api platform repair`},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			names := b.names()
			b.asSuperuser(names.Replace(c.damage))
			err := b.Platform.CheckPrivileges(t.Context())
			postgrestest.WantKind(t, err, errs.KindPermanent)
			if got, want := errs.SafeMessage(err), names.Replace(c.want); got != want {
				t.Errorf("message\n%s\nwant\n%s", got, want)
			}
			verified, err := b.Verify(t.Context(), [16]byte{})
			if name == "Registry" {
				postgrestest.WantKind(t, err, errs.KindPermanent)
				return
			}
			b.Must(err)
			if wants := name != "CreateRole"; slices.ContainsFunc(verified, func(f verification.Finding) bool { return strings.Contains(f.Message, "tenant-api platform repair") }) != wants {
				t.Errorf("verify: %+v, %v", verified, err)
			}
		})
	}
}
