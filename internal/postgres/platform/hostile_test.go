package platform_test

import (
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/platform"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
)

// TestCheckPrivileges_TenantsLoginCannotPreventStarts: serve, worker and the provider refuse to start
// with a fault of the connect role. What a tenant's login may do must not be one, nor have
// platform repair end a login of another tenant.
func TestCheckPrivileges_TenantsLoginCannotPreventStarts(t *testing.T) {
	b := setup(t)
	another := b.ActiveTenant(postgrestest.Inputs("Second"))
	victim := b.wantLogin(another.ID)
	c := b.wantLogin(b.active.ID)
	conn, err := b.connect(c)
	b.Must(err)
	connect := b.connectRole()
	for _, role := range []string{c.Username, b.active.DatabaseRole, connect} {
		if _, err := conn.Exec(t.Context(), `SET ROLE `+role); err != nil {
			continue
		}
		for _, statement := range []string{
			`GRANT ` + c.Username + ` TO ` + connect, `GRANT ` + c.Username + ` TO ` + victim.Username, `GRANT ` + c.Username + ` TO ` + another.DatabaseRole, `GRANT ` + c.Username + ` TO ` + b.owner,
			`GRANT ` + b.active.DatabaseRole + ` TO ` + connect, `GRANT ` + b.active.DatabaseRole + ` TO ` + victim.Username,
			`DO $$ DECLARE o oid := lo_create(0); BEGIN EXECUTE format('GRANT ALL ON LARGE OBJECT %s TO ` + connect + `, ` + victim.Username + `, ` + another.DatabaseRole + `', o); END $$`,
			`ALTER ROLE ` + connect + ` PASSWORD 'x'`, `ALTER ROLE ` + connect + ` SET statement_timeout = 1`,
			`ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO ` + connect, `ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO PUBLIC`,
			`GRANT USAGE ON SCHEMA ` + b.active.SchemaName + ` TO ` + connect, `GRANT SELECT ON ` + b.active.SchemaName + `.users TO PUBLIC`,
		} {
			_, err := conn.Exec(t.Context(), statement)
			t.Logf("as %s: %s: %v", role, statement, err)
		}
		_, err = conn.Exec(t.Context(), `RESET ROLE`)
		b.Must(err)
	}
	if err := b.Platform.CheckPrivileges(t.Context()); err != nil {
		t.Errorf("no process starts: %v", err)
	}
	for _, f := range b.check() {
		t.Logf("%+v", f)
	}
	report, err := b.Platform.Repair(t.Context(), nil)
	b.Must(err)
	for _, f := range report.Remaining {
		// Before PostgreSQL 16 the login can become its tenant's role. What that role owns is for
		// a person to look at.
		if b.version() >= 16 || f.Check != platform.RoleManual || f.TenantID != b.active.ID {
			t.Errorf("%+v", f)
		}
	}
	for _, f := range report.Errors {
		t.Errorf("%v", f.Err)
	}
	if conn, err := b.connect(victim); err != nil {
		t.Errorf("the login of another tenant was ended: %v", err)
	} else if _, err := conn.Exec(t.Context(), `SELECT FROM users`); err != nil {
		t.Error(err)
	}
	if b.version() >= 16 {
		b.wantSound()
	}
}
