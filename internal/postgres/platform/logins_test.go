package platform_test

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/platform"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestCheck_SeesWhatTheConnectRoleMayAccess: every login of a tenant inherits the privileges of
// the connect role. GRANT ... ON ALL TABLES IN SCHEMA public to it shows each tenant the
// others' records, and is connect_role_drift, which repair corrects.
func TestCheck_SeesWhatTheConnectRoleMayAccess(t *testing.T) {
	t.Parallel()
	for name, grant := range map[string]string{
		"RegistryTable":  `GRANT SELECT ON tenants TO {{connect}}`,
		"RegistryColumn": `GRANT SELECT (name) ON tenants TO {{connect}}`,
		"Queue":          `GRANT INSERT ON river_job TO {{connect}}; GRANT USAGE ON SEQUENCE river_job_id_seq TO {{connect}}`,
		"Function":       `GRANT EXECUTE ON FUNCTION tenant_update_admin(uuid, text) TO {{connect}}`,
		"TenantsTable":   `GRANT USAGE ON SCHEMA {{active}} TO {{connect}}; GRANT SELECT ON {{active}}.users TO {{connect}}`,
		"Database":       `GRANT CREATE, TEMPORARY ON DATABASE {{database}} TO {{connect}}`,
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			b.asSuperuser(b.names().Replace(grant))
			b.wantChecks(b.check(), platform.ConnectRoleDrift)
			report, err := b.Platform.Repair(t.Context(), nil)
			b.Must(err)
			if len(report.Errors)+len(report.Remaining) > 0 {
				t.Errorf("%+v", report)
			}
			b.wantSound()
		})
	}
}

// TestRepair_OpenLoginsWorkAfterRolesWereMadeAgain: a login that the registry has as open works
// after a repair, or is ended. It must not stay open without the privileges to connect or to read.
func TestRepair_OpenLoginsWorkAfterRolesWereMadeAgain(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{
		"ConnectRole":       `REVOKE ALL ON DATABASE {{database}} FROM {{connect}}; DROP ROLE {{connect}}`,
		"TenantRole":        `DROP OWNED BY {{activeRole}}; DROP ROLE {{activeRole}}`,
		"ConnectMembership": `REVOKE {{connect}} FROM {{login}}`,
		"TenantMembership":  `REVOKE {{activeRole}} FROM {{login}}`,
		"Registry":          `GRANT SELECT ON tenants TO {{login}}`,
		"Group":             `CREATE ROLE {{login}}_group; GRANT USAGE ON SCHEMA public TO {{login}}_group; GRANT SELECT ON tenants TO {{login}}_group; GRANT {{login}}_group TO {{login}}`,
		"CreateRole":        `ALTER ROLE {{login}} CREATEROLE`,
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			c := b.wantLogin(b.active.ID)
			if strings.HasSuffix(damage, "FROM {{login}}") && b.version() >= 16 {
				damage += ` GRANTED BY {{owner}}`
			}
			b.asSuperuser(strings.ReplaceAll(b.names().Replace(damage), "{{login}}", c.Username))
			if len(b.check()) == 0 {
				t.Error("check sees nothing")
			}
			_, err := b.Platform.Repair(t.Context(), nil)
			b.Must(err)
			b.wantChecks(b.check())
			if postgrestest.Value[bool](b.Fixture, `SELECT NOT EXISTS (SELECT FROM tenant_credentials WHERE id = $1 AND closed_at IS NULL)`, c.ID) {
				return // Ended.
			}
			conn, err := b.connect(c)
			if err == nil {
				_, err = conn.Exec(t.Context(), `SELECT FROM users`)
			}
			if err != nil {
				t.Errorf("the login is open, and does not work: %v", err)
				return
			}
			if _, err := conn.Exec(t.Context(), `SELECT FROM public.tenants`); err == nil {
				t.Error("the login reads the registry")
			}
		})
	}
}

// TestCheck_StatementsLeaveOtherDatabases: what a DBA is to run after the database got another
// owner must not hand over the other databases of the old one.
func TestCheck_StatementsLeaveOtherDatabases(t *testing.T) {
	b := setup(t)
	other := "other_" + b.owner
	b.asSuperuser(`CREATE DATABASE ` + other)
	b.asSuperuser(`ALTER DATABASE ` + other + ` OWNER TO ` + b.owner)
	next := newOwner(t, b.superuser, "")
	replaced := open(t, b.superuser, next)
	for range 3 {
		for _, f := range replaced.check() {
			if !f.Repairable {
				conn := testenv.Connect(t, b.superuser)
				for _, statement := range f.Statements {
					if _, err := conn.Exec(t.Context(), statement, pgx.QueryExecModeSimpleProtocol); err != nil {
						t.Logf("%s: %v", statement, err)
					}
				}
			}
		}
	}
	if got := postgrestest.Value[string](b.Fixture, `SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = $1`, other); got != b.owner {
		t.Errorf("the database %s of %s belongs to %s", other, b.owner, got)
	}
}
