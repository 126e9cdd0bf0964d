//go:build unix

package testenv

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
)

// RoleVariable is the environment variable that chooses the login of the tests: RoleOwner
// or RoleSuperuser. Default: defaultRole.
const RoleVariable = "TEST_DATABASE_ROLE"

// IsSuperuser reports whether the login of the tests is the server's superuser.
func IsSuperuser() bool { return cmp.Or(os.Getenv(RoleVariable), defaultRole) == RoleSuperuser }

// VersionVariable is the environment variable that chooses the major version of the tests'
// PostgreSQL server. Default: the installed one.
const VersionVariable = "TEST_POSTGRES_VERSION"

// The logins of tests.
const (
	RoleOwner     = "owner"     // Owns its databases and has CREATEROLE, as users have it.
	RoleSuperuser = "superuser" // May do everything.
)

const defaultRole = RoleOwner

// The databases that are copied for tests.
const (
	registryTemplate = "test_registry" // With the tables of the registry and the queue.
	emptyTemplate    = "test_empty"
)

// cluster is the PostgreSQL server of the test binary.
type cluster struct {
	*pgserver.Server
	login    string // Of the tests: a role.
	connect  string // The connect role of registryTemplate.
	counter  atomic.Int64
	creating sync.Mutex    // A template can be copied by one session at a time.
	admin    *pgxpool.Pool // As superuser. A login costs as much as a small database.
	strategy string        // How CREATE DATABASE copies.
}

var postgresServer = once[*cluster]{make: startCluster}

func startCluster() (*cluster, error) {
	ctx := context.Background()
	version, err := wantedVersion()
	if err != nil {
		return nil, err
	}
	server, err := pgserver.Start(ctx, pgserver.Options{Version: version, InMemory: true, Settings: []string{"max_wal_size=256MB"}})
	if err != nil {
		return nil, err
	}
	addCleanup(server.Stop)
	c := &cluster{Server: server}
	if c.admin, err = pgxpool.New(ctx, server.URL("postgres")); err != nil {
		return nil, err
	}
	addCleanup(func() error { c.admin.Close(); return nil })
	// Before version 15 there is no other one. Here it takes half the time of the default.
	err = c.admin.QueryRow(ctx, `SELECT CASE WHEN current_setting('server_version_num')::integer >= 150000 THEN ' STRATEGY FILE_COPY' ELSE '' END`).Scan(&c.strategy)
	if err != nil {
		return nil, err
	}
	switch role := cmp.Or(os.Getenv(RoleVariable), defaultRole); role {
	case RoleSuperuser:
		c.login = pgserver.User
	case RoleOwner:
		c.login = pgserver.Owner
	default:
		return nil, fmt.Errorf("%s is %q; give %s or %s", RoleVariable, role, RoleOwner, RoleSuperuser)
	}
	if err := server.CreateDatabase(ctx, emptyTemplate); err != nil {
		return nil, err
	}
	if err = c.create(ctx, registryTemplate, emptyTemplate); err == nil {
		err = Migrate(ctx, c.loginURL(registryTemplate))
	}
	if err == nil {
		c.connect, err = connectRole(ctx, c.loginURL(registryTemplate))
	}
	return c, err
}

// connectRole reads the name of a registry's connect role.
func connectRole(ctx context.Context, url string) (name string, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	err = conn.QueryRow(ctx, `SELECT quote_ident(connect_role) FROM registry`).Scan(&name)
	return name, err
}

// wantedVersion is the major version in VersionVariable, 0 without one.
func wantedVersion() (int, error) {
	text := os.Getenv(VersionVariable)
	if text == "" {
		return 0, nil
	}
	version, err := strconv.Atoi(text)
	if err != nil || version <= 0 {
		return 0, fmt.Errorf("%s is %q; give a major version, such as 16", VersionVariable, text)
	}
	return version, nil
}

// Migrate makes the tables of the registry and the queue in a database.
func Migrate(ctx context.Context, url string) error {
	db, err := postgres.Open(ctx, pgdb.Options{URL: url})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	q, err := queue.Open(ctx, queue.Options{URL: url})
	if err != nil {
		return err
	}
	defer q.Close()
	if err := q.Migrate(ctx); err != nil {
		return err
	}
	// Copies of the database have it then: it is made once, and not by the first check in each.
	_, err = db.Blueprints.Fingerprint(ctx, blueprint.Standard(), blueprint.Standard().SchemaVersion())
	return err
}

// PostgreSQL is the server of the databases.
func PostgreSQL(t testing.TB) *pgserver.Server {
	t.Helper()
	return postgresServer.get(t).Server
}

// Database makes a database with the tables of the registry and the queue, and returns its
// URL. It is dropped when the test ends, even with open connections. All of them have the
// same connect role.
func Database(t testing.TB) string {
	t.Helper()
	url := newDatabase(t, registryTemplate)
	c := postgresServer.get(t)
	// Grants on a database are not copied with it.
	must(t, c.execAdmin(t.Context(), strings.NewReplacer("{{database}}", databaseName(t, url), "{{connect}}", c.connect, "{{login}}", c.login).Replace(
		`REVOKE ALL ON DATABASE {{database}} FROM PUBLIC; GRANT CONNECT ON DATABASE {{database}} TO {{connect}}; GRANT CONNECT, TEMPORARY ON DATABASE {{database}} TO {{login}}`)))
	return url
}

func databaseName(t testing.TB, connection string) string {
	t.Helper()
	u, err := url.Parse(connection)
	must(t, err)
	return strings.TrimPrefix(u.Path, "/")
}

// EmptyDatabase makes a database without tables. Tests of roles and grants start here: each
// registry that is made in one has a connect role of its own.
func EmptyDatabase(t testing.TB) string {
	t.Helper()
	return newDatabase(t, emptyTemplate)
}

// SuperuserURL is the URL of a test's database for the server's superuser, for what a
// platform's own login may not do.
func SuperuserURL(t testing.TB, database string) string {
	t.Helper()
	return WithLogin(t, database, pgserver.User, PostgreSQL(t).Password())
}

// WithLogin is the URL of a database for another login.
func WithLogin(t testing.TB, database, user, password string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, password)
	return u.String()
}

// ListenBefore listens, until the test ends, for a proxy before a database's server. It
// returns the database's URL through the proxy, and the server's address.
func ListenBefore(t testing.TB, database string) (listener net.Listener, through *url.URL, server string) {
	t.Helper()
	through, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	if listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	server, through.Host = through.Host, listener.Addr().String()
	return listener, through, server
}

// OpenDatabase makes a database of the superuser to which every role may connect, as every
// server has some. Its URL is the superuser's.
func OpenDatabase(t testing.TB) string {
	t.Helper()
	c := postgresServer.get(t)
	name := fmt.Sprintf("test_%d", c.counter.Add(1))
	if err := c.execAdmin(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatalf("create test database: %v", err)
	}
	t.Cleanup(func() { c.drop(t, name) })
	return c.URL(name)
}

// Connect connects to a database until the test ends.
func Connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func newDatabase(t testing.TB, template string) string {
	t.Helper()
	c := postgresServer.get(t)
	name := fmt.Sprintf("test_%d", c.counter.Add(1))
	if err := c.create(t.Context(), name, template); err != nil {
		t.Fatalf("create test database: %v", err)
	}
	t.Cleanup(func() { c.drop(t, name) })
	return c.loginURL(name)
}

// drop drops a test's database, even with open connections.
func (c *cluster) drop(t testing.TB, name string) {
	if err := c.execAdmin(context.Background(), "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
		t.Errorf("drop test database: %v", err)
	}
}

func (c *cluster) create(ctx context.Context, name, template string) error {
	c.creating.Lock()
	defer c.creating.Unlock()
	return c.execAdmin(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template+" OWNER "+c.login+c.strategy)
}

// loginURL is the URL of a database for the tests' login.
func (c *cluster) loginURL(database string) string {
	if c.login == pgserver.Owner {
		return c.OwnerURL(database)
	}
	return c.URL(database)
}

// execAdmin executes statements as superuser.
func (c *cluster) execAdmin(ctx context.Context, statements string) error {
	_, err := c.admin.Exec(ctx, statements, pgx.QueryExecModeSimpleProtocol)
	return err
}
