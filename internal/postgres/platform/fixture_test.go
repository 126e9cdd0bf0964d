package platform_test

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/platform"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// fixture is a platform with an owner of its own, an ordinary role whatever the login of the
// tests is, so that a test can take privileges from it.
type fixture struct {
	postgrestest.Fixture
	owner                       string
	superuser                   string // URL.
	active, archived, suspended tenant.Tenant
	unfinished                  tenant.Tenant // It has a schema.
}

// setup makes a platform with tenants in all states that have a schema, and one in each that
// has none.
func setup(t *testing.T) fixture {
	t.Helper()
	t.Parallel()
	database := testenv.EmptyDatabase(t)
	b := open(t, database, newOwner(t, database, ""))
	b.Must(testenv.Migrate(t.Context(), b.url()))
	b.fill()
	return b
}

// fill makes the tenants.
func (b *fixture) fill() {
	b.T.Helper()
	b.active, b.archived, b.suspended = b.ActiveTenant(postgrestest.Inputs("Active")), b.ActiveTenant(postgrestest.Inputs("Archived")), b.ActiveTenant(postgrestest.Inputs("Suspended"))
	_, err := b.Archive(b.T.Context(), b.archived.ID)
	b.Must(err)
	b.suspended, _, err = b.Suspend(b.T.Context(), b.suspended.ID)
	b.Must(err)
	run := b.ClaimNew(postgrestest.Inputs("Unfinished"))
	b.Must(b.PrepareSchema(b.T.Context(), run, b.Seed()))
	b.unfinished = run.Tenant
	purged := b.ActiveTenant(postgrestest.Inputs("Purged"))
	_, err = b.Archive(b.T.Context(), purged.ID)
	b.Must(err)
	_, err = b.Purge(b.T.Context(), purged.ID, 0)
	b.Must(err)
	b.FailTenant(b.ClaimNew(postgrestest.Inputs("Failed")))
	b.ClaimNew(postgrestest.Inputs("Begun"))
}

// newOwner makes an ordinary role with CREATEROLE that owns a database.
func newOwner(t *testing.T, database, options string) string {
	t.Helper()
	name := "owner_" + strings.ReplaceAll(uuid.NewString(), "-", "")
	conn := testenv.Connect(t, testenv.SuperuserURL(t, database))
	statements := `CREATE ROLE ` + name + ` LOGIN CREATEROLE PASSWORD 's3cret' ` + options + `; ALTER DATABASE ` + conn.Config().Database + ` OWNER TO ` + name
	if pgdb.ServerVersion(conn) < 15 { // Later, the schema belongs to the database's owner.
		statements += `; ALTER SCHEMA public OWNER TO ` + name
	}
	if _, err := conn.Exec(t.Context(), statements, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	return name
}

// open opens a database as a role of newOwner.
func open(t *testing.T, database, owner string) fixture {
	t.Helper()
	return fixture{Fixture: postgrestest.Open(t, pgdb.Options{URL: testenv.WithLogin(t, database, owner, "s3cret")}), owner: owner, superuser: testenv.SuperuserURL(t, database)}
}

// asSuperuser runs statements as the superuser of the fixture's server.
func (b fixture) asSuperuser(statements string) {
	b.T.Helper()
	conn := testenv.Connect(b.T, b.superuser)
	if _, err := conn.Exec(b.T.Context(), statements, pgx.QueryExecModeSimpleProtocol); err != nil {
		b.T.Fatalf("%s: %v", statements, err)
	}
}

func (b fixture) url() string { return b.Pool().Config().ConnString() }

func (b fixture) version() int {
	b.T.Helper()
	return postgrestest.Value[int](b.Fixture, `SELECT current_setting('server_version_num')::int / 10000`)
}

func (b fixture) connectRole() string {
	b.T.Helper()
	return postgrestest.Value[string](b.Fixture, `SELECT connect_role::text FROM registry`)
}

// names replaces {{owner}}, {{database}} and {{connect}}, and {{active}} and {{activeRole}} by
// schema and role of that tenant, and so on.
func (b fixture) names() *strings.Replacer {
	b.T.Helper()
	pairs := []string{"{{owner}}", b.owner, "{{database}}", b.Pool().Config().ConnConfig.Database, "{{connect}}", b.connectRole()}
	for name, t := range map[string]tenant.Tenant{"active": b.active, "archived": b.archived, "suspended": b.suspended, "unfinished": b.unfinished} {
		pairs = append(pairs, "{{"+name+"}}", t.SchemaName, "{{"+name+"Role}}", t.DatabaseRole)
	}
	return strings.NewReplacer(pairs...)
}

func (b fixture) check() []platform.Finding {
	b.T.Helper()
	found, err := b.Platform.Check(b.T.Context(), nil)
	b.Must(err)
	return found.Findings
}

// wantChecks fails the test unless the findings are of these checks, each as often as it is
// given. Each finding names its object.
func (b fixture) wantChecks(findings []platform.Finding, want ...platform.Check) {
	b.T.Helper()
	var got []platform.Check
	for _, f := range findings {
		got = append(got, f.Check)
		if kind, name, _ := strings.Cut(f.Object, " "); f.Message == "" || name == "" || !slices.Contains([]string{"role", "database", "schema", "table", "function", "sequence"}, kind) {
			b.T.Errorf("%+v names no object", f)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		b.T.Errorf("checks %q, want %q: %+v", got, want, findings)
	}
}

// asDBA runs the statements of the findings that the owner may not repair.
func (b fixture) asDBA(findings []platform.Finding) {
	b.T.Helper()
	for _, f := range findings {
		if f.Repairable || len(f.Statements) == 0 {
			b.T.Errorf("%+v is not for a DBA", f)
		}
		b.asSuperuser(strings.Join(f.Statements, "; "))
	}
}

// wantSound fails the test unless nothing is wrong with the platform: check and verify find nothing,
// and everything that needs privileges works.
func (b fixture) wantSound() {
	b.T.Helper()
	b.wantChecks(b.check())
	b.Must(b.Platform.CheckPrivileges(b.T.Context()))
	for _, id := range []uuid.UUID{uuid.Nil, b.active.ID, b.archived.ID} {
		findings, err := b.Verify(b.T.Context(), id)
		findings = slices.DeleteFunc(findings, func(f verification.Finding) bool { return f.Unmanaged })
		if err != nil || len(findings) > 0 {
			b.T.Errorf("verify of %s: %+v, %v", id, findings, err)
		}
	}
	c := b.wantLogin(b.active.ID)
	b.Must(b.CloseCredential(b.T.Context(), b.active.ID, c.ID))
	if _, err := b.connect(c); err == nil {
		b.T.Error("a closed login works")
	}
	_, err := b.Unarchive(b.T.Context(), b.archived.ID)
	b.Must(err)
	b.wantLogin(b.archived.ID)
	_, err = b.Archive(b.T.Context(), b.archived.ID)
	b.Must(err)
	_, err = b.Purge(b.T.Context(), b.archived.ID, 0)
	b.Must(err)
	b.ActiveTenant(postgrestest.Inputs("Another"))
}

// wantLogin opens a login of a tenant and works with it.
func (b fixture) wantLogin(id uuid.UUID) credentials.Credential {
	b.T.Helper()
	c, err := b.OpenCredential(b.T.Context(), id, credentials.Request{TTL: time.Hour})
	b.Must(err)
	conn, err := b.connect(c)
	b.Must(err)
	_, err = conn.Exec(b.T.Context(), `INSERT INTO audit_logs (action, entity_type) VALUES ('login', 'user')`)
	b.Must(err)
	return c
}

func (b fixture) connect(c credentials.Credential) (*pgx.Conn, error) {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(c.Username, c.Password.Reveal()), Host: net.JoinHostPort(c.Host, strconv.Itoa(c.Port)), Path: "/" + c.Database}
	conn, err := pgx.Connect(b.T.Context(), u.String())
	if err == nil {
		b.T.Cleanup(func() { _ = conn.Close(b.T.Context()) })
	}
	return conn, err
}

func repeat(check platform.Check, n int) []platform.Check {
	return slices.Repeat([]platform.Check{check}, n)
}

// repairAll repairs, and has a DBA run what is left, until nothing is: what cannot be read
// at first shows later. It returns all checks that had findings.
func (b fixture) repairAll() (checks []platform.Check) {
	b.T.Helper()
	for range 4 {
		for _, f := range b.check() {
			if !slices.Contains(checks, f.Check) {
				checks = append(checks, f.Check)
			}
		}
		report, err := b.Platform.Repair(b.T.Context(), nil)
		b.Must(err)
		if len(report.Errors) > 0 {
			b.T.Errorf("%+v", report.Errors)
		}
		if len(report.Remaining) == 0 {
			break
		}
		b.asDBA(report.Remaining)
	}
	slices.Sort(checks)
	return checks
}
