//go:build unix

package postgres_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestDB_Purge_HeldTables: an open transaction in the way is named, and after it the purge works.
func TestDB_Purge_HeldTables(t *testing.T) {
	b := setup(t)
	archived := b.archivedTenant(postgrestest.Inputs("Clinic"))
	report := testenv.Connect(t, testenv.SuperuserURL(t, b.Pool().Config().ConnString()))
	for _, statement := range []string{`SET application_name = 'nightly report'`, `BEGIN`, `SELECT FROM ` + archived.SchemaName + `.users`} {
		if _, err := report.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	_, err := b.Purge(t.Context(), archived.ID, 0)
	wantMessage(t, err, errs.KindTransient, "the session "+strconv.FormatUint(uint64(report.PgConn().PID()), 10)+" of ", `("nightly report")`, "in a transaction", "pg_terminate_backend")
	if _, err := report.Exec(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Purge(t.Context(), archived.ID, 0); err != nil {
		t.Error(err)
	}
}

// TestDB_Purge_PrivilegesElsewhere: privileges that a third role gave in another database are named,
// and after the statement in the error the purge works.
func TestDB_Purge_PrivilegesElsewhere(t *testing.T) {
	b := setup(t)
	archived := b.archivedTenant(postgrestest.Inputs("Clinic"))
	elsewhere := testenv.Connect(t, testenv.OpenDatabase(t))
	role, grantor := pgx.Identifier{archived.DatabaseRole}.Sanitize(), pgx.Identifier{"grantor_" + archived.DatabaseRole[len(archived.DatabaseRole)-8:]}.Sanitize()
	run := func(statements ...string) {
		t.Helper()
		for _, statement := range statements {
			if _, err := elsewhere.Exec(t.Context(), statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
	}
	run(`CREATE ROLE `+grantor, `CREATE TABLE invoices ()`, `GRANT SELECT ON invoices TO `+grantor+` WITH GRANT OPTION`,
		`SET ROLE `+grantor, `GRANT SELECT ON invoices TO `+role, `RESET ROLE`)
	_, err := b.Purge(t.Context(), archived.ID, 0)
	wantMessage(t, err, errs.KindPermanent, archived.DatabaseRole, "in the database "+elsewhere.Config().Database, "table public.invoices", "by the roles that gave them")
	run(`SET ROLE `+grantor, `REVOKE ALL ON invoices FROM `+role, `RESET ROLE`)

	here := testenv.Connect(t, testenv.SuperuserURL(t, b.Pool().Config().ConnString()))
	for _, statement := range []string{`CREATE SCHEMA billing`, `GRANT USAGE ON SCHEMA billing TO ` + grantor, `CREATE TABLE billing.payments ()`,
		`GRANT SELECT ON billing.payments TO ` + grantor + ` WITH GRANT OPTION`, `SET ROLE ` + grantor, `GRANT SELECT ON billing.payments TO ` + role, `RESET ROLE`} {
		if _, err := here.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	_, err = b.Purge(t.Context(), archived.ID, 0)
	wantMessage(t, err, errs.KindPermanent, archived.DatabaseRole, "table billing.payments", "by the roles that gave them")
	if _, err := here.Exec(t.Context(), `DROP SCHEMA billing CASCADE`); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Purge(t.Context(), archived.ID, 0); err != nil {
		t.Error(err)
	}
	run(`DROP TABLE invoices`, `DROP ROLE `+grantor)
}

// TestDB_Purge_ForeignObjects: what others made on a tenant's tables refuses the purge, with the
// statements that remove it.
func TestDB_Purge_ForeignObjects(t *testing.T) {
	b := setup(t)
	archived := b.archivedTenant(postgrestest.Inputs("Clinic"))
	dba := testenv.Connect(t, testenv.SuperuserURL(t, b.Pool().Config().ConnString()))
	run := func(statements ...string) {
		t.Helper()
		for _, statement := range statements {
			if _, err := dba.Exec(t.Context(), strings.NewReplacer("TENANT", archived.SchemaName, "ROLE", archived.DatabaseRole).Replace(statement)); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
	}
	run(`CREATE SCHEMA reporting`, `CREATE TABLE reporting.own (id int)`)
	for _, c := range []struct{ made, object, drop string }{
		{`CREATE POLICY visible ON reporting.own TO "ROLE" USING (true)`, "policy visible on reporting.own", "DROP POLICY visible ON reporting.own"},
		{`CREATE VIEW reporting.people AS SELECT email FROM TENANT.users`, "view reporting.people", "DROP VIEW reporting.people"},
		{`CREATE MATERIALIZED VIEW reporting.counted AS SELECT count(*) FROM TENANT.users`, "materialized view reporting.counted", "DROP MATERIALIZED VIEW reporting.counted"},
		{`CREATE FUNCTION reporting.one() RETURNS SETOF TENANT.users LANGUAGE sql AS 'SELECT * FROM TENANT.users'`, "function reporting.one()", "DROP FUNCTION reporting.one()"},
		{`CREATE TABLE reporting.notes (user_id uuid CONSTRAINT notes_user REFERENCES TENANT.users)`, "table constraint notes_user on reporting.notes", "ALTER TABLE reporting.notes DROP CONSTRAINT notes_user"},
	} {
		run(c.made)
		tables := value[int](b, `SELECT count(*) FROM pg_tables WHERE schemaname = $1`, archived.SchemaName)
		for _, purge := range []func() error{
			func() error { return b.CheckPurge(t.Context(), archived.ID, 0, false) },
			func() error { _, err := b.Purge(t.Context(), archived.ID, 0); return err },
		} {
			wantMessage(t, purge(), errs.KindConflict, "others made objects", c.object+" of ", c.drop, "nothing was purged")
		}
		if n := value[int](b, `SELECT count(*) FROM pg_tables WHERE schemaname = $1`, archived.SchemaName); n != tables {
			t.Errorf("%d tables of %d are left", n, tables)
		}
		run(c.drop)
	}
	run(`CREATE VIEW reporting.people AS SELECT email FROM TENANT.users`, `CREATE VIEW reporting.names AS SELECT * FROM reporting.people`)
	wantMessage(t, b.CheckPurge(t.Context(), archived.ID, 0, false), errs.KindConflict, "view reporting.names of ", "view reporting.people of ")
	var views []string
	for i := range 12 {
		views = append(views, fmt.Sprintf("reporting.view_%02d", i))
		run(`CREATE VIEW ` + views[i] + ` AS SELECT email, first_name, last_name FROM TENANT.users`)
	}
	err := b.CheckPurge(t.Context(), archived.ID, 0, false)
	for _, view := range views { // The whole list, with every remedy.
		wantMessage(t, err, errs.KindConflict, "view "+view+" of ", "DROP VIEW "+view)
	}
	run(`DROP SCHEMA reporting CASCADE`)
	c, err := b.Purge(t.Context(), archived.ID, 0)
	if err != nil || len(c.OtherObjects) != 0 {
		t.Errorf("%v, %v", c.OtherObjects, err)
	}
}

// TestDB_Purge_CertifiesOtherObjects: what the tenant's role owns elsewhere is dropped, and in the
// certificate.
func TestDB_Purge_CertifiesOtherObjects(t *testing.T) {
	b := setup(t)
	archived := b.archivedTenant(postgrestest.Inputs("Clinic"))
	dba := testenv.Connect(t, testenv.SuperuserURL(t, b.Pool().Config().ConnString()))
	role := pgx.Identifier{archived.DatabaseRole}.Sanitize()
	for _, statement := range []string{`CREATE SCHEMA exchange`, `CREATE TABLE exchange.letters (id int PRIMARY KEY)`, `ALTER TABLE exchange.letters OWNER TO ` + role,
		`CREATE VIEW exchange.people AS SELECT email FROM ` + archived.SchemaName + `.users`, `ALTER VIEW exchange.people OWNER TO ` + role} {
		if _, err := dba.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	c, err := b.Purge(t.Context(), archived.ID, 0)
	if err != nil || strings.Join(c.OtherObjects, ", ") != "table exchange.letters, view exchange.people" {
		t.Errorf("%q, %v", c.OtherObjects, err)
	}
	if n := value[int](b, `SELECT count(*) FROM pg_class WHERE relname IN ('letters', 'people')`); n != 0 {
		t.Errorf("%d are left", n)
	}
}
