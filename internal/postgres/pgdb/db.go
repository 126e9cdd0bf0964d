// Package pgdb is the connection to PostgreSQL: pool and session settings, the classification
// of errors, and the migrations of the registry.
package pgdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/singleflight"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// Options are the settings of a database.
type Options struct {
	// URL is a connection string in pgx's format (URL or key=value). PG* variables set
	// what it omits.
	URL string
	// Role is the role that each session sets: the registry's owner, of which the login is a
	// member. Default: the login's own.
	Role string
	// MaxConnections is the size of the pool. Default 8.
	MaxConnections int
	// ManualMigrate disables the migration on first use. By default the registry is
	// migrated to the newest version.
	ManualMigrate bool
	// KeepMissing makes a missing registry an error, KindNotFound, unless the context is of
	// MakeRegistry. By default the first use makes it.
	KeepMissing bool
	// ApplicationName is what pg_stat_activity shows.
	ApplicationName string
	// Tracer is called for each statement. Default: none.
	Tracer pgx.QueryTracer
	// AnswerTimeout is how long the server may take to answer a ping; without an answer a
	// connection is replaced. Reading the registry's version may take three times as
	// long, and the first use waits twice as long for a server that is out of connections.
	// Default 5 s.
	AnswerTimeout time.Duration
	// StatementLimit is how long a statement may take, unless its context is of
	// WithoutStatementLimit. A server that stops answering holds nobody for longer. Default
	// 2 minutes.
	StatementLimit time.Duration
	// Logger logs that the first use waits. Nil is slog.Default().
	Logger *slog.Logger
	// Migrations are the registry's migrations. Default: those of this program.
	Migrations fs.FS
}

// DefaultMaxConnections is the pool size of a database.
const DefaultMaxConnections = 8

// reservedConnections is the size of the reserved pool: one connection each for readiness, for statistics, and
// for the end of revoked keys.
const reservedConnections = 3

// defaultAnswerTimeout is the default of Options.AnswerTimeout.
const defaultAnswerTimeout = 5 * time.Second

// MaxTenantsPerConnection is the number of new tenants after which a connection is
// replaced: its cached plans and relation entries grow with each tenant, and so does
// the time for the next one.
const MaxTenantsPerConnection = 300

// DB is a pool on a database with the registry. It is safe for concurrent use.
type DB struct {
	pool    *pgxpool.Pool
	reserve *pgxpool.Pool
	hosts   *resolved
	options Options

	attempts singleflight.Group // Attempts to migrate the registry.
	migrated atomic.Bool
	closing  context.Context // Ends with Close.
	cancel   context.CancelFunc
}

// Open reads the settings and prepares a pool. It does not connect: the first use
// connects and migrates. KindInvalid when the settings cannot be read.
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.MaxConnections <= 0 {
		o.MaxConnections = DefaultMaxConnections
	}
	if o.ApplicationName == "" {
		o.ApplicationName = "healthcare-provisioning"
	}
	if o.AnswerTimeout <= 0 {
		o.AnswerTimeout = defaultAnswerTimeout
	}
	if o.StatementLimit <= 0 {
		o.StatementLimit = defaultStatementLimit
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Migrations == nil {
		o.Migrations = Migrations()
	}
	hosts := &resolved{}
	options := PoolOptions{
		URL: o.URL, Role: o.Role, ApplicationName: o.ApplicationName, MaxConnections: o.MaxConnections, AnswerTimeout: o.AnswerTimeout,
		StatementLimit: o.StatementLimit, Tracer: o.Tracer, resolved: hosts,
		Retire: func(c *pgx.Conn) bool {
			created, _ := c.PgConn().CustomData()[tenantsCreatedKey].(int)
			return created >= MaxTenantsPerConnection
		},
	}
	pool, err := NewPool(ctx, options)
	if err != nil {
		return nil, err
	}
	options.MaxConnections = reservedConnections
	reserve, err := NewPool(ctx, options)
	if err != nil {
		pool.Close()
		return nil, err
	}
	db := &DB{pool: pool, reserve: reserve, hosts: hosts, options: o}
	db.closing, db.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return db, nil
}

// tenantsCreatedKey is the key under which a connection counts the tenants created
// with it.
const tenantsCreatedKey = "healthcare.tenants_created"

// CountCreatedTenant counts a new tenant for the connection, which is replaced after
// MaxTenantsPerConnection.
func CountCreatedTenant(c *pgx.Conn) {
	created, _ := c.PgConn().CustomData()[tenantsCreatedKey].(int)
	c.PgConn().CustomData()[tenantsCreatedKey] = created + 1
}

// Close closes all connections, after waiting for those in use. It cancels a migration
// that no caller waits for.
func (db *DB) Close() {
	db.cancel()
	db.pool.Close()
	db.reserve.Close()
}

// Pool returns the connection pool, for tests and tools that read the tables.
func (db *DB) Pool() *pgxpool.Pool { return db.pool }

// ReservedPool returns the pool for what must not wait until other callers give connections
// back: short reads that only one caller makes at a time. It connects on its first use.
func (db *DB) ReservedPool() *pgxpool.Pool { return db.reserve }

// ReadyPool returns the pool once the registry is at this program's version.
func (db *DB) ReadyPool(ctx context.Context) (*pgxpool.Pool, error) {
	if db.migrated.Load() {
		return db.pool, nil
	}
	key, attempt := "migrate", db.migrate
	if db.options.ManualMigrate {
		key, attempt = "check", db.checkRegistryVersion
	}
	if db.options.KeepMissing && ctx.Value(makeRegistryKey{}) == nil {
		key, attempt = key+" existing", existing(db, attempt)
	}
	if err := db.shared(ctx, key, attempt); err != nil {
		return nil, err
	}
	return db.pool, nil
}

type makeRegistryKey struct{}

// MakeRegistry returns a context whose statements may make a missing registry, in spite of
// Options.KeepMissing.
func MakeRegistry(ctx context.Context) context.Context {
	return context.WithValue(ctx, makeRegistryKey{}, true)
}

// existing makes an attempt only if the registry exists.
func existing(db *DB, attempt func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		limited, cancel := context.WithTimeout(ctx, 3*db.options.AnswerTimeout)
		defer cancel()
		switch current, err := db.existingVersion(limited); {
		case err != nil:
			return Classify(err, "read registry version")
		case current == 0:
			return errs.Errorf(errs.KindNotFound, "read registry version", "the database has no registry yet: check that the settings name the right database; the first tenant makes the registry, and so does tenant-api migrate up")
		}
		return attempt(ctx)
	}
}

// shared starts an attempt to prepare the registry, or waits for the current one: with
// the database down, callers do not each start an attempt. The attempt belongs to no
// single caller, so it continues when one of them stops waiting. It has limits of its own:
// otherwise a server that stopped answering would hold every later caller, too.
func (db *DB) shared(ctx context.Context, key string, attempt func(context.Context) error) error {
	result := db.attempts.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		defer context.AfterFunc(db.closing, cancel)()
		err := db.waitForConnection(ctx, attempt)
		if err == nil {
			db.migrated.Store(true)
		}
		return nil, err
	})
	select {
	case r := <-result:
		return r.Err
	case <-ctx.Done():
		return Classify(ctx.Err(), "wait for the registry")
	}
}

// connectionPause is the pause between two attempts on a server that is out of connections.
const connectionPause = 250 * time.Millisecond

// waitForConnection makes an attempt, and repeats it for a while as long as the server is
// out of connections: at a start many processes connect at once, and old ones still end.
func (db *DB) waitForConnection(ctx context.Context, attempt func(context.Context) error) error {
	wait := 2 * db.options.AnswerTimeout
	deadline := time.Now().Add(wait)
	for first := true; ; first = false {
		err := attempt(ctx)
		var pgErr *pgconn.PgError
		if !errors.As(err, &pgErr) || pgErr.Code != tooManyConnections {
			return err
		}
		if first {
			db.options.Logger.WarnContext(ctx, errs.SafeMessage(err), slog.Int64("wait_limit_ms", wait.Milliseconds()))
		}
		if time.Now().After(deadline) {
			return errs.Wrap(err, errs.KindTransient, "connect to the database", "%s; none became free in %v", transientMessage(pgErr), wait)
		}
		if (clock.System{}).Sleep(ctx, connectionPause) != nil {
			return err
		}
	}
}

// InTx runs f in a new transaction.
func (db *DB) InTx(ctx context.Context, op string, f func(pgx.Tx) error) error {
	pool, err := db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	if err := pgx.BeginFunc(ctx, pool, f); err != nil {
		return Classify(err, op)
	}
	return nil
}

// Secrets are the passwords in a connection string and in the PG* variables that
// fill it up, each as it is and as URLs spell it, for logs to mask.
func Secrets(connection string) []string {
	config, err := pgx.ParseConfig(connection)
	if err != nil || config.Password == "" {
		return nil
	}
	secrets := []string{config.Password}
	if _, escaped, _ := strings.Cut(url.UserPassword("", config.Password).String(), ":"); escaped != config.Password {
		secrets = append(secrets, escaped)
	}
	return secrets
}

// String keeps the settings, which hold a password, out of logs.
func (o Options) String() string {
	return fmt.Sprintf("pgdb.Options{MaxConnections: %d}", o.MaxConnections)
}

// GoString keeps the settings out of %#v.
func (o Options) GoString() string { return o.String() }

// ServerVersion is the major version of a connection's server; 0 if the server does not
// say it.
func ServerVersion(c *pgx.Conn) int {
	return majorVersion(c.PgConn().ParameterStatus("server_version"))
}

func majorVersion(text string) int {
	digits := strings.IndexFunc(text+" ", func(r rune) bool { return r < '0' || r > '9' })
	major, _ := strconv.Atoi(text[:digits]) // 0 without digits.
	return major
}
