package postgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// setupOwnDatabase is setup with a database that was migrated itself: grants on a database
// are not copied with it.
func setupOwnDatabase(t *testing.T) fixture {
	t.Helper()
	t.Parallel()
	return fixture{postgrestest.Open(t, pgdb.Options{URL: testenv.EmptyDatabase(t)})}
}

// wantRefused fails the test if a statement of a tenant's login succeeds.
func (b fixture) wantRefused(conn *pgx.Conn, t tenant.Tenant, statements ...string) {
	b.T.Helper()
	for _, statement := range statements {
		if b.try(conn, t, statement) == nil {
			b.T.Errorf("%s: allowed", statement)
		}
	}
}

// TestHostileLogin_Roles: what a tenant's login may not do with roles: make one, become one
// of another tenant, leave one that can log in, or let others have its own.
func TestHostileLogin_Roles(t *testing.T) {
	b := setupOwnDatabase(t)
	own, other := b.ActiveTenant(postgrestest.Inputs("Mine")), b.ActiveTenant(postgrestest.Inputs("Other"))
	otherLogin, _ := b.openCredential(other.ID)
	c, conn := b.openCredential(own.ID)

	b.wantRefused(conn, own,
		`CREATE ROLE mischief`, `CREATE DATABASE mischief`, `CREATE SCHEMA mischief`, `CREATE TEMPORARY TABLE t (id int)`, `CREATE TABLE public.t (id int)`,
		`CREATE TABLE {{schema}}.t (id int)`, `CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
		`SET ROLE `+other.DatabaseRole, `SET ROLE `+otherLogin.Username, `SET SESSION AUTHORIZATION `+otherLogin.Username,
		`GRANT `+other.DatabaseRole+` TO `+c.Username, `ALTER ROLE `+c.Username+` CONNECTION LIMIT -1`, `ALTER ROLE `+c.Username+` VALID UNTIL 'infinity'`,
		`ALTER ROLE `+otherLogin.Username+` NOLOGIN`, `ALTER ROLE {{role}} LOGIN`, `REVOKE {{role}} FROM `+c.Username)

	// On PostgreSQL 13 to 15 it can become the tenant's role, and the connect role.
	if b.try(conn, own, `SET ROLE {{role}}`) == nil {
		if b.serverVersion() >= 16 {
			t.Error("the login becomes the tenant's role")
		}
		_ = b.try(conn, own, `ALTER ROLE {{role}} PASSWORD 's3cret'`)
		_ = b.try(conn, own, `ALTER ROLE {{role}} SET search_path = '`+other.SchemaName+`'`)
		_ = b.try(conn, own, `GRANT {{role}} TO `+otherLogin.Username)
		b.wantRefused(conn, own, `ALTER ROLE {{role}} LOGIN`, `CREATE TABLE public.t (id int)`, `CREATE TABLE {{schema}}.t (id int)`)
		_ = b.try(conn, own, `RESET ROLE`)
	}
	if b.try(conn, own, `SET ROLE {{connect}}`) == nil {
		if b.serverVersion() >= 16 {
			t.Error("the login becomes the connect role")
		}
		_ = b.try(conn, own, `ALTER ROLE {{connect}} PASSWORD 's3cret'`)
		b.wantRefused(conn, own, `ALTER ROLE {{connect}} LOGIN`, `GRANT {{connect}} TO {{role}}`)
		_ = b.try(conn, own, `RESET ROLE`)
	}
	_ = b.try(conn, own, `GRANT `+c.Username+` TO `+otherLogin.Username)

	for _, role := range []string{own.DatabaseRole, b.connectRole()} {
		for _, database := range []string{"postgres", b.Pool().Config().ConnConfig.Database} {
			if b.canLogIn(role, "s3cret", database) {
				t.Errorf("%s logs in to the database %s", role, database)
			}
		}
	}
	b.Must(b.CloseCredential(t.Context(), own.ID, c.ID))
	fresh, err := connectAs(t, otherLogin)
	b.Must(err)
	b.wantRefused(fresh, own, `SELECT * FROM {{schema}}.users`)
	if b.loginCount(c) != 0 {
		t.Error("the login's role still exists")
	}
	// What is left of it on the tenant's role is drift, which a repair removes.
	if _, _, err := b.Repair(t.Context(), own.ID); err != nil {
		t.Error(err)
	}
	for _, id := range []tenant.Tenant{own, other} {
		if drift := b.verify(id.ID); len(drift) != 0 {
			t.Errorf("%+v", drift)
		}
	}
	if n := value[int](b, `SELECT count(*) FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole WHERE r.rolname = $1`, own.DatabaseRole); n != 0 {
		t.Error("the tenant's role still has settings")
	}
}

// TestHostileLogin_Connections: one login cannot take the server's connections.
func TestHostileLogin_Connections(t *testing.T) {
	b := setupOwnDatabase(t)
	c, _ := b.openCredential(b.ActiveTenant(postgrestest.Inputs("Mine")).ID)
	opened := 1
	for range 30 {
		if _, err := connectAs(t, c); err != nil {
			break
		}
		opened++
	}
	if opened != 20 {
		t.Errorf("%d connections", opened)
	}
}

// TestHostileLogin_Remains: what a login makes outside of its tenant's schema, in this
// database and others, ends with it, and blocks no purge.
func TestHostileLogin_Remains(t *testing.T) {
	b := setupOwnDatabase(t)
	own := b.ActiveTenant(postgrestest.Inputs("Mine"))
	c, conn := b.openCredential(own.ID)
	elsewhere, err := pgx.Connect(t.Context(), testenv.WithLogin(t, testenv.OpenDatabase(t), c.Username, c.Password.Reveal()))
	b.Must(err)
	defer func() { _ = elsewhere.Close(t.Context()) }()
	made := 0
	for _, conn := range []*pgx.Conn{conn, elsewhere} {
		for _, role := range []string{c.Username, own.DatabaseRole, b.connectRole()} {
			if b.try(conn, own, `SET ROLE `+role) != nil {
				continue
			}
			for _, statement := range []string{`SELECT count(lo_create(0)) FROM generate_series(1, 3000)`, `CREATE TABLE public.t_` + role[:8] + ` (id serial)`,
				`CREATE FUNCTION public.f_` + role[:8] + `() RETURNS int LANGUAGE sql AS 'SELECT 1'`, `CREATE TYPE public.y_` + role[:8] + ` AS (id int)`} {
				if b.try(conn, own, statement) == nil {
					made++
				}
			}
			b.Must(b.try(conn, own, `RESET ROLE`))
		}
	}
	if made < 2 {
		t.Errorf("only %d objects were made", made)
	}
	if b.serverVersion() < 15 {
		if drift := b.verify(own.ID); len(drift) == 0 {
			t.Error("verify does not name what the tenant's role owns")
		}
	}
	b.Must(b.CloseCredential(t.Context(), own.ID, c.ID))
	if b.loginCount(c) != 0 {
		t.Error("the login's role still exists")
	}
	if n := value[int](b, `SELECT count(*) FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid AND s.refclassid = 'pg_authid'::regclass
		WHERE s.deptype = 'o' AND r.rolname = ANY($1)`, []string{own.DatabaseRole, b.connectRole()}); n != 0 {
		t.Errorf("%d objects are left", n)
	}
	b.wantConnect()
	_, err = b.Archive(t.Context(), own.ID)
	b.Must(err)
	_, err = b.Purge(t.Context(), own.ID, 0)
	b.Must(err)
}

// TestPurge_ObjectsOfTenantRole: what the tenant's role owns in this database and in others
// blocks no purge.
func TestPurge_ObjectsOfTenantRole(t *testing.T) {
	b := setupOwnDatabase(t)
	own := b.ActiveTenant(postgrestest.Inputs("Mine"))
	elsewhere := testenv.OpenDatabase(t)
	for _, url := range []string{testenv.SuperuserURL(t, elsewhere), testenv.SuperuserURL(t, b.Pool().Config().ConnString())} {
		conn := testenv.Connect(t, url)
		for _, statement := range []string{`SET ROLE ` + own.DatabaseRole, `SELECT lo_create(0)`} {
			if _, err := conn.Exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, err := b.Archive(t.Context(), own.ID)
	b.Must(err)
	_, err = b.Purge(t.Context(), own.ID, 0)
	b.Must(err)
	if n := value[int](b, `SELECT count(*) FROM pg_roles WHERE rolname = $1`, own.DatabaseRole); n != 0 {
		t.Error("the tenant's role still exists")
	}
}

// TestConnectRole_OnePerRegistry: two registries on one server do not let each other's
// logins connect.
func TestConnectRole_OnePerRegistry(t *testing.T) {
	one := setupOwnDatabase(t)
	two, err := postgres.Open(t.Context(), pgdb.Options{URL: testenv.EmptyDatabase(t)})
	one.Must(err)
	t.Cleanup(two.Close)
	second := fixture{postgrestest.Fixture{DB: two, T: t}}
	c, _ := one.openCredential(one.ActiveTenant(postgrestest.Inputs("Mine")).ID)
	second.ActiveTenant(postgrestest.Inputs("Mine"))
	if one.connectRole() == second.connectRole() {
		t.Error("both registries have the same connect role")
	}
	if one.canLogIn(c.Username, c.Password.Reveal(), second.Pool().Config().ConnConfig.Database) {
		t.Error("a login of one registry connects to the other")
	}
	one.wantConnect()
}

func (b fixture) connectRole() string {
	b.T.Helper()
	return value[string](b, `SELECT connect_role::text FROM registry`)
}

// wantConnect checks that the connect role has CONNECT on the database, and nothing else
// anywhere.
func (b fixture) wantConnect() {
	b.T.Helper()
	got := value[string](b, `SELECT string_agg(a.privilege_type, ',') FROM pg_database d, aclexplode(d.datacl) a
		WHERE d.datname = current_database() AND a.grantee = $1::regrole`, b.connectRole())
	objects := value[int](b, `SELECT count(*) FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = $1::regrole`, b.connectRole())
	if got != "CONNECT" || objects != 1 {
		b.T.Errorf("the connect role has %s on the database, and %d objects depend on it", got, objects)
	}
}

func (b fixture) serverVersion() int {
	b.T.Helper()
	return value[int](b, `SELECT current_setting('server_version_num')::int / 10000`)
}

// canLogIn reports whether a role connects with a password.
func (b fixture) canLogIn(role, password, database string) bool {
	b.T.Helper()
	url := testenv.WithLogin(b.T, strings.Replace(testenv.SuperuserURL(b.T, testenv.PostgreSQL(b.T).URL("postgres")), "/postgres?", "/"+database+"?", 1), role, password)
	config, err := pgx.ParseConfig(url)
	b.Must(err)
	config.ConnectTimeout = 5 * time.Second
	conn, err := pgx.ConnectConfig(b.T.Context(), config)
	if err == nil {
		_ = conn.Close(b.T.Context())
	}
	return err == nil
}

// TestDefaultPrivileges: default privileges that others have set open no tenant and no table
// of the registry to anybody.
func TestDefaultPrivileges(t *testing.T) {
	t.Parallel()
	database := testenv.EmptyDatabase(t)
	third := createLoginRole(t, "")
	conn := testenv.Connect(t, database)
	for _, objects := range []string{"TABLES", "SEQUENCES", "FUNCTIONS", "SCHEMAS"} {
		if _, err := conn.Exec(t.Context(), `ALTER DEFAULT PRIVILEGES GRANT ALL ON `+objects+` TO PUBLIC, `+third); err != nil {
			t.Fatal(err)
		}
	}
	if err := testenv.Migrate(t.Context(), database); err != nil { // The queue's tables, too.
		t.Fatal(err)
	}
	b := fixture{postgrestest.Open(t, pgdb.Options{URL: database})}
	own, other := b.ActiveTenant(postgrestest.Inputs("Mine")), b.ActiveTenant(postgrestest.Inputs("Other"))
	_, login := b.openCredential(other.ID)
	b.wantRefused(login, own, `SELECT * FROM {{schema}}.users`, `SELECT * FROM {{schema}}.audit_head`, `DELETE FROM {{schema}}.audit_logs`, `SELECT * FROM public.tenants`,
		`DELETE FROM public.audit_events`, `SELECT nextval('public.provisioning_log_seq')`, `DELETE FROM public.river_job`, `SELECT public.revoke_defaults('{{schema}}', '{%}')`)
	if n := value[int](b, `SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
		WHERE n.nspname IN ('public', $1) AND a.grantee IN (0, $2::regrole)`, own.SchemaName, third); n != 0 {
		t.Errorf("%d privileges of PUBLIC and of another role", n)
	}
	for _, id := range []tenant.Tenant{own, other} {
		if drift := b.verify(id.ID); len(drift) != 0 {
			t.Errorf("%+v", drift)
		}
	}
	// The platform's own grants are kept: they are neither drift nor repaired.
	b.Exec(`GRANT SELECT ON ` + own.SchemaName + `.users TO ` + third)
	b.Exec(`GRANT SELECT ON ` + own.SchemaName + `.users TO PUBLIC`)
	_, _, err := b.Repair(t.Context(), own.ID)
	b.Must(err)
	if !value[bool](b, `SELECT has_table_privilege($1, $2, 'SELECT')`, third, own.SchemaName+".users") {
		t.Error("the repair revoked what the platform granted to its own role")
	}
}
