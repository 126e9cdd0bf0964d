package postgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// nologinOwner is an empty database of a role that cannot log in, and its DBA.
type nologinOwner struct {
	t        *testing.T
	database string
	owner    string
	dba      *pgx.Conn
}

func newNologinOwner(t *testing.T) *nologinOwner {
	t.Helper()
	o := &nologinOwner{t: t, database: testenv.EmptyDatabase(t)}
	o.owner = createLoginRole(t, "CREATEROLE", o.database)
	o.dba = testenv.Connect(t, testenv.SuperuserURL(t, o.database))
	o.exec(`ALTER ROLE ` + o.owner + ` NOLOGIN PASSWORD NULL`)
	return o
}

func (o *nologinOwner) exec(statement string) {
	o.t.Helper()
	if _, err := o.dba.Exec(o.t.Context(), statement); err != nil {
		o.t.Fatalf("%s: %v", statement, err)
	}
}

// login makes a login and runs statements for it, with {{login}}, {{owner}} and {{database}}.
func (o *nologinOwner) login(statements ...string) string {
	o.t.Helper()
	name := createLoginRole(o.t, "")
	for _, s := range statements {
		o.exec(strings.NewReplacer("{{login}}", name, "{{owner}}", o.owner, "{{database}}", o.dba.Config().Database).Replace(s))
	}
	return name
}

// open opens the registry and its queue as a login, with DATABASE_ROLE.
func (o *nologinOwner) open(login, role string) (fixture, *queue.Queue) {
	o.t.Helper()
	url := testenv.WithLogin(o.t, o.database, login, "s3cret")
	db, err := postgres.Open(o.t.Context(), pgdb.Options{URL: url, Role: role})
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(db.Close)
	jobs, err := queue.Open(o.t.Context(), queue.Options{URL: url, Role: role})
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(jobs.Close)
	db.UseQueue(jobs)
	return fixture{postgrestest.Fixture{DB: db, T: o.t}}, jobs
}

// TestDB_LoginsRotate: an owner that cannot log in keeps everything, when the login that made
// it is dropped and another one goes on.
func TestDB_LoginsRotate(t *testing.T) {
	t.Parallel()
	noInherit := func(t *testing.T, o *nologinOwner) string {
		t.Helper()
		grant := `GRANT {{owner}} TO {{login}}`
		if pgdb.ServerVersion(o.dba) >= 16 {
			grant += ` WITH INHERIT FALSE, SET TRUE`
		}
		return o.login(`ALTER ROLE {{login}} NOINHERIT`, grant, `GRANT CONNECT ON DATABASE {{database}} TO {{login}}`)
	}
	for name, c := range map[string]struct {
		login   func(t *testing.T, o *nologinOwner) string
		setRole bool // With DATABASE_ROLE.
	}{
		"DatabaseRole": {func(_ *testing.T, o *nologinOwner) string { return o.login(`GRANT {{owner}} TO {{login}}`) }, true},
		"NoInherit":    {noInherit, true},
		"SetByDBA": {func(_ *testing.T, o *nologinOwner) string {
			return o.login(`GRANT {{owner}} TO {{login}}`, `ALTER ROLE {{login}} SET role = {{owner}}`)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newNologinOwner(t)
			role := ""
			if c.setRole {
				role = o.owner
			}
			first := c.login(t, o)
			a, jobs := o.open(first, role)
			a.Must(a.Migrate(t.Context()))
			a.Must(jobs.Migrate(t.Context()))
			active := a.ActiveTenant(postgrestest.Inputs("Clinic"))
			open, err := a.OpenCredential(t.Context(), active.ID, credentials.Request{TTL: time.Hour})
			a.Must(err)
			session := testenv.Connect(t, testenv.WithLogin(t, o.database, open.Username, string(open.Password)))
			a.Close()
			jobs.Close()
			o.exec(`DROP OWNED BY ` + first) // Privileges: it owns nothing.
			o.exec(`DROP ROLE ` + first)

			b, jobs := o.open(c.login(t, o), role)
			continuesAsOtherLogin(t, b, active, session)
			submitted, err := b.Submit(t.Context(), b.Draft(postgrestest.Inputs("Later")), nil)
			b.Must(err)
			if _, err := jobs.Job(t.Context(), submitted.JobID); err != nil {
				t.Error(err)
			}
			var owned int
			if err := o.dba.QueryRow(t.Context(), `SELECT count(*) FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
				WHERE c.relnamespace <> 'pg_toast'::regnamespace AND r.rolname <> $1 AND NOT starts_with(r.rolname, 'healthcare_schemas_') AND NOT r.rolsuper`, o.owner).Scan(&owned); err != nil || owned != 0 {
				t.Errorf("%d tables of others than registry and schema owner, %v", owned, err)
			}
		})
	}
}

// continuesAsOtherLogin goes on with a tenant, whose login has a session, and makes another one.
func continuesAsOtherLogin(t *testing.T, b fixture, active tenant.Tenant, session *pgx.Conn) {
	t.Helper()
	verify := func(ids ...uuid.UUID) {
		t.Helper()
		for _, id := range ids {
			findings, err := b.Verify(t.Context(), id)
			b.Must(err)
			for _, f := range findings {
				t.Errorf("verify: %s: %s", f.Subject, f.Message)
			}
		}
	}
	verify(uuid.Nil, active.ID)
	another := b.ActiveTenant(postgrestest.Inputs("Hospice"))
	c, err := b.OpenCredential(t.Context(), another.ID, credentials.Request{TTL: time.Hour})
	b.Must(err)
	own := testenv.Connect(t, testenv.WithLogin(t, b.Pool().Config().ConnString(), c.Username, string(c.Password)))
	if _, err := own.Exec(t.Context(), `SELECT FROM users`); err != nil {
		t.Errorf("the login reads its tenant: %v", err)
	}
	b.Must(b.CloseCredential(t.Context(), another.ID, c.ID))
	_, err = b.Archive(t.Context(), active.ID)
	b.Must(err)
	if _, err := session.Exec(t.Context(), `SELECT 1`); err == nil {
		t.Error("the archived tenant's login has a session")
	}
	verify(active.ID)
	_, err = b.Unarchive(t.Context(), active.ID)
	b.Must(err)
	_, _, err = b.Repair(t.Context(), active.ID)
	b.Must(err)
	_, err = b.Archive(t.Context(), active.ID)
	b.Must(err)
	_, err = b.Purge(t.Context(), active.ID, 0)
	b.Must(err)
	verify(uuid.Nil, active.ID, another.ID)
}

// TestDB_Role: the role is set wherever a session begins; one that cannot be set is an error
// that names role, login and remedy.
func TestDB_Role(t *testing.T) {
	t.Parallel()
	o := newNologinOwner(t)
	connect := `GRANT CONNECT ON DATABASE {{database}} TO {{login}}`
	withSet := ""
	if pgdb.ServerVersion(o.dba) >= 16 {
		withSet = " WITH SET TRUE"
	}
	refused := func(t *testing.T, login string) {
		t.Helper()
		b, jobs := o.open(login, o.owner)
		message := `the database user ` + login + ` may not set the role ` + o.owner + ` of DATABASE_ROLE; have a DBA run: GRANT "` + o.owner + `" TO "` + login + `"` + withSet
		_, err := b.List(t.Context(), tenant.ListQuery{Limit: 1})
		wantMessage(t, err, errs.KindPermanent, message)
		wantMessage(t, jobs.Migrate(t.Context()), errs.KindPermanent, message)
	}
	t.Run("NoMember", func(t *testing.T) { refused(t, o.login(connect)) })
	if withSet != "" {
		t.Run("MemberWithoutSet", func(t *testing.T) { refused(t, o.login(connect, `GRANT {{owner}} TO {{login}} WITH SET FALSE`)) })
	}
	t.Run("Missing", func(t *testing.T) {
		for _, role := range []string{"no_such_role", `it's "no" \ role`} {
			b, _ := o.open(o.login(connect), role)
			_, err := b.List(t.Context(), tenant.ListQuery{Limit: 1})
			wantMessage(t, err, errs.KindPermanent, `the role `+role+` of DATABASE_ROLE does not exist; correct the name`)
		}
	})
	t.Run("PoolerInSessionMode", func(t *testing.T) { // It resets the role of a session for the next client.
		url := testenv.WithLogin(t, o.database, o.login(`GRANT {{owner}} TO {{login}}`), "s3cret")
		lifeCycle(t, pgdb.Options{URL: testenv.PgBouncer(t, url, testenv.SessionMode), Role: o.owner})
	})
	t.Run("OtherDatabasesToo", func(t *testing.T) {
		b, _ := o.open(o.login(`GRANT {{owner}} TO {{login}}`), o.owner)
		config := b.Pool().Config().ConnConfig
		config.Database = "postgres"
		conn, err := pgx.ConnectConfig(t.Context(), config)
		b.Must(err)
		t.Cleanup(func() { _ = conn.Close(t.Context()) })
		var user string
		if err := conn.QueryRow(t.Context(), `SELECT current_user`).Scan(&user); err != nil || user != o.owner {
			t.Errorf("%s, %v", user, err)
		}
	})
}
