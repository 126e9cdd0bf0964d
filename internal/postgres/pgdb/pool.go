package pgdb

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// PoolOptions are what differs between the pools of this program.
type PoolOptions struct {
	// URL is a connection string in pgx's format (URL or key=value). PG* variables set
	// what it omits. What it says about the settings of session.go is ignored.
	URL string
	// Role is the role that each session sets. "": the login's own.
	Role string
	// ApplicationName is what pg_stat_activity shows.
	ApplicationName string
	// MaxConnections is the size of the pool, 1 to 1000.
	MaxConnections int
	// AnswerTimeout is how long the server may take to answer the ping that precedes the
	// use of an idle connection, which is replaced without an answer. A server that vanished
	// without a word, as in a failover, is found by it. 0 is 5 s.
	AnswerTimeout time.Duration
	// Settings are the session's settings in addition to those that all pools have.
	Settings map[string]string
	// StatementLimit limits each statement, see WithoutStatementLimit. 0 is no limit.
	StatementLimit time.Duration
	// Tracer is called for each statement. Nil: none.
	Tracer pgx.QueryTracer
	// resolved records the addresses of hosts. Nil: nothing does.
	resolved *resolved
	// Retire reports whether a connection that was used is replaced before its next use.
	// Nil: none is.
	Retire func(*pgx.Conn) bool
}

// NewPool prepares a pool; the first use connects. It is the one way to make a pool:
// whatever the settings of server, database, user and URL are, its sessions have those that
// the code relies on. KindInvalid when the URL cannot be read.
func NewPool(ctx context.Context, o PoolOptions) (*pgxpool.Pool, error) {
	// Connections to a server that cannot be used any more are all replaced, not one with
	// each failed call.
	var made atomic.Pointer[pgxpool.Pool]
	reset := func() {
		if pool := made.Load(); pool != nil {
			pool.Reset()
		}
	}
	config, err := poolConfig(o, reset)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, Classify(err, "open pool")
	}
	made.Store(pool)
	return pool, nil
}

func poolConfig(o PoolOptions, reset func()) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(o.URL)
	if err != nil {
		return nil, unreadableURL(err)
	}
	// With these two, parameters have no types.
	if mode := config.ConnConfig.DefaultQueryExecMode; mode == pgx.QueryExecModeExec || mode == pgx.QueryExecModeSimpleProtocol {
		return nil, errs.Errorf(errs.KindInvalid, "read database settings",
			"default_query_exec_mode in the connection string is exec or simple_protocol, with which this program does not work; remove it, or give cache_statement, cache_describe or describe_exec")
	}
	if o.AnswerTimeout <= 0 {
		o.AnswerTimeout = defaultAnswerTimeout
	}
	config.MaxConns = int32(max(1, min(o.MaxConnections, 1000)))
	config.MinConns, config.MinIdleConns = 0, 0
	config.MaxConnIdleTime = time.Minute
	config.ShouldPing = pingIdle(o.AnswerTimeout, reset)
	if o.Retire != nil {
		// Not AfterRelease: with that the pool releases in the background, and the next
		// statement finds no idle connection and opens another.
		config.PrepareConn = func(_ context.Context, c *pgx.Conn) (bool, error) { return !o.Retire(c), nil }
	}
	conn := config.ConnConfig
	conn.ConnectTimeout = connectTimeout
	conn.Tracer = tracer{limit: o.StatementLimit, next: o.Tracer}
	replaceReadOnly(conn, reset)
	if o.resolved != nil {
		conn.LookupFunc = o.resolved.lookup(conn.LookupFunc)
	}
	s := newSession(o)
	s.writable = hasSeveralHosts(conn) && !choosesServers(o.URL)
	maps.DeleteFunc(conn.RuntimeParams, func(name, _ string) bool {
		_, ours := s.settings[strings.ToLower(name)]
		return ours || name == "synchronous_commit"
	})
	// Parameters of the start-up message have to be known to a pooler. These are.
	conn.RuntimeParams["application_name"] = o.ApplicationName
	conn.RuntimeParams["client_encoding"] = "UTF8"
	s.next = conn.ValidateConnect
	conn.ValidateConnect = s.prepare
	s.probe = conn.Copy()
	return config, nil
}

// connectTimeout limits the attempt to connect to one host.
const connectTimeout = 5 * time.Second

// unreadableURL says why a connection string was rejected. The parser's own message can
// quote the password.
func unreadableURL(err error) error {
	const op = "read database settings"
	var file *fs.PathError
	if errors.As(err, &file) {
		return errs.Errorf(errs.KindInvalid, op,
			"the file %s, which the connection string or a PGSSL variable names for TLS, cannot be read (%v); correct sslrootcert, sslcert or sslkey, or make the file readable",
			file.Path, file.Err)
	}
	return errs.Errorf(errs.KindInvalid, op,
		"the database settings cannot be read; give DATABASE_URL as postgres://user:password@host:5432/name?sslmode=require, or DB_HOST and the other DB_ variables")
}
