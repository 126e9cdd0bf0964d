package postgres_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// TestDB_NologinOwnerWithQuotes: names of owner, login and database need quotes.
func TestDB_NologinOwnerWithQuotes(t *testing.T) {
	t.Parallel()
	o := newNologinOwner(t)
	suffix := fmt.Sprint(time.Now().UnixNano())
	quoted := func(s string) string { return pgx.Identifier{s}.Sanitize() }
	owner, database, login := `Ow"ner's `+suffix, `My "DB" $$ % `+suffix, `Lo"gin\ `+suffix
	o.exec(`ALTER ROLE ` + o.owner + ` RENAME TO ` + quoted(owner))
	o.owner = owner
	u, err := url.Parse(o.database)
	if err != nil {
		t.Fatal(err)
	}
	before := u.Path[1:]
	u2, _ := url.Parse(testenv.SuperuserURL(t, o.database))
	_ = o.dba.Close(t.Context())
	u2.Path = "/postgres"
	o.dba = testenv.Connect(t, u2.String())
	o.exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '` + u.Path[1:] + `'`)
	o.exec(`ALTER DATABASE ` + quoted(u.Path[1:]) + ` RENAME TO ` + quoted(database))
	u.Path = "/" + database
	o.database = u.String()
	o.dba = testenv.Connect(t, testenv.SuperuserURL(t, o.database))
	t.Cleanup(func() { // For the one that drops it.
		conn, err := pgx.Connect(context.Background(), u2.String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(context.Background()) }()
		for _, s := range []string{`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ` + "'" + strings.ReplaceAll(database, "'", "''") + "'", `ALTER DATABASE ` + quoted(database) + ` RENAME TO ` + quoted(before)} {
			if _, err := conn.Exec(context.Background(), s); err != nil {
				t.Error(err)
			}
		}
	})
	o.exec(`CREATE ROLE ` + quoted(login) + ` LOGIN PASSWORD 's3cret' IN ROLE ` + quoted(owner))
	b, jobs := o.open(login, owner)
	b.Must(b.Migrate(t.Context()))
	b.Must(jobs.Migrate(t.Context()))
	active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
	c, err := b.OpenCredential(t.Context(), active.ID, credentials.Request{TTL: time.Hour})
	b.Must(err)
	session := testenv.Connect(t, testenv.WithLogin(t, o.database, c.Username, string(c.Password)))
	findings, err := b.Platform.Check(t.Context(), nil)
	b.Must(err)
	for _, f := range findings.Findings {
		t.Errorf("%+v", f)
	}
	for _, damage := range []string{
		`GRANT CONNECT, TEMPORARY ON DATABASE ` + quoted(database) + ` TO PUBLIC`,
		`ALTER ROLE ` + quoted(owner) + ` NOCREATEROLE`,
		`ALTER TABLE tenants OWNER TO CURRENT_USER; ALTER TABLE ` + active.SchemaName + `.users OWNER TO CURRENT_USER; ALTER FUNCTION audit_append(uuid, text, text, jsonb, jsonb) OWNER TO CURRENT_USER`,
		`REVOKE ` + active.DatabaseRole + ` FROM ` + quoted(owner) + ` CASCADE`,
	} {
		if _, err := o.dba.Exec(t.Context(), damage, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			report, err := b.Platform.Repair(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range report.Errors {
				t.Error(f.Err)
			}
			for _, f := range report.Remaining {
				for _, s := range f.Statements {
					o.exec(s)
				}
			}
		}
		findings, err := b.Platform.Check(t.Context(), nil)
		b.Must(err)
		for _, f := range findings.Findings {
			t.Errorf("%s: %+v", damage, f)
		}
	}
	continuesAsOtherLogin(t, b, active, session)
}
