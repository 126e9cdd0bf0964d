package postgres_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// giveLargeObjects has a login give a right on a large object of its own to another role, in
// the registry's database and another one.
func (b fixture) giveLargeObjects(role string) {
	b.T.Helper()
	c, conn := b.openCredential(b.ActiveTenant(postgrestest.Inputs("Hostile")).ID)
	elsewhere, err := pgx.Connect(b.T.Context(), testenv.WithLogin(b.T, testenv.OpenDatabase(b.T), c.Username, c.Password.Reveal()))
	b.Must(err)
	for _, conn := range []*pgx.Conn{conn, elsewhere} {
		_, err := conn.Exec(b.T.Context(), `DO $$ BEGIN EXECUTE format('GRANT ALL ON LARGE OBJECT %s TO `+pgx.Identifier{role}.Sanitize()+`', lo_create(0)); END $$`)
		b.Must(err)
	}
	b.Must(elsewhere.Close(b.T.Context()))
}

// TestHostileLogin_LargeObjectIsNoDriftOfAnotherTenant: a login gives the role of another tenant
// a right on its own large object. That is harmless, and neither drift of the other tenant
// nor something that prevents its repair or purge.
func TestHostileLogin_LargeObjectIsNoDriftOfAnotherTenant(t *testing.T) {
	b := setupOwnDatabase(t)
	victim := b.ActiveTenant(postgrestest.Inputs("Victim"))
	b.giveLargeObjects(victim.DatabaseRole)
	for _, f := range b.verify(victim.ID) {
		t.Errorf("verify: %+v", f)
	}
	findings, err := b.Platform.Check(t.Context(), nil)
	b.Must(err)
	for _, f := range findings.Findings {
		t.Errorf("check: %s %s", f.Check, f.Message)
	}
	b.Exec(`REVOKE SELECT ON ` + victim.SchemaName + `.users FROM ` + victim.DatabaseRole)
	report, err := b.Platform.Repair(t.Context(), nil)
	b.Must(err)
	for _, f := range report.Remaining {
		t.Errorf("not repaired: %s %s", f.Check, f.Message)
	}
	_, err = b.Archive(t.Context(), victim.ID)
	b.Must(err)
	if _, err := b.Purge(t.Context(), victim.ID, 0); err != nil {
		t.Errorf("purge: %v", err)
	}
}

// TestHostileLogin_LargeObjectBlocksNoRollback: the same for a tenant that is being
// provisioned, whose role every login can see.
func TestHostileLogin_LargeObjectBlocksNoRollback(t *testing.T) {
	b := setupOwnDatabase(t)
	run := b.ClaimNew(postgrestest.Inputs("Victim"))
	b.Must(b.PrepareSchema(t.Context(), run, b.Seed()))
	b.giveLargeObjects(run.Tenant.DatabaseRole)
	b.FailTenant(run)
	if value[bool](b, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, run.Tenant.DatabaseRole) {
		t.Error("the role still exists")
	}
}
