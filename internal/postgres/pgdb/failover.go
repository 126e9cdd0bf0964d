package pgdb

import (
	"context"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// readOnlyState is the SQLSTATE of a write on a server that is read-only.
const readOnlyState = "25006"

// replaceReadOnly closes a connection on which a write found the server read-only, as after
// a failover behind one address, and lets all others be replaced.
func replaceReadOnly(config *pgx.ConnConfig, reset func()) {
	next := config.OnPgError
	config.OnPgError = func(c *pgconn.PgConn, e *pgconn.PgError) bool {
		if e.Code == readOnlyState {
			reset()
			return false
		}
		return next == nil || next(c, e)
	}
}

// idleBeforePing is the time after which an idle connection is pinged before its use.
const idleBeforePing = time.Second

// pingIdle is a pool's ShouldPing. It pings by itself and closes a connection without an
// answer, which the pool then replaces. All other connections to a server that vanished
// without a word are replaced, too: one timeout after the other would take too long.
func pingIdle(timeout time.Duration, reset func()) func(context.Context, pgxpool.ShouldPingParams) bool {
	return func(ctx context.Context, p pgxpool.ShouldPingParams) bool {
		if p.IdleDuration <= idleBeforePing {
			return false
		}
		pingCtx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		if p.Conn.Ping(pingCtx) == nil {
			return false
		}
		if pingCtx.Err() != nil && ctx.Err() == nil {
			reset()
		}
		_ = p.Conn.Close(pingCtx) // It is unusable; the pool's own ping finds it closed.
		return true
	}
}

func hasSeveralHosts(config *pgx.ConnConfig) bool {
	return slices.ContainsFunc(config.Fallbacks, func(f *pgconn.FallbackConfig) bool {
		return f.Host != config.Host || f.Port != config.Port
	})
}

// choosesServers reports whether the settings say which servers may be used. The driver
// does not tell "any" from nothing.
func choosesServers(connection string) bool {
	return strings.Contains(connection, "target_session_attrs") || os.Getenv("PGTARGETSESSIONATTRS") != ""
}

// CheckWritable checks whether the registry can be written, on a reserved connection.
// KindTransient when the database does not answer, or is read-only. When the server is lost,
// all connections to it are replaced.
func (db *DB) CheckWritable(ctx context.Context) error {
	const op = "check database"
	var readOnly string
	if err := db.reserve.QueryRow(ctx, `SELECT current_setting('transaction_read_only')`).Scan(&readOnly); err != nil {
		if ctx.Err() == nil { // Otherwise the server may only be slow.
			db.resetPools()
		}
		return Classify(err, op)
	}
	if readOnly == "on" {
		db.resetPools() // Another connection may reach another server.
		return errs.Errorf(errs.KindTransient, op, "%s", readOnlyMessage)
	}
	return nil
}

func (db *DB) resetPools() {
	db.pool.Reset()
	db.reserve.Reset()
}

// resolved are the addresses of hosts, as they were looked up last.
type resolved struct{ addresses sync.Map }

// lookup looks a host up and records its addresses.
func (r *resolved) lookup(next pgconn.LookupFunc) pgconn.LookupFunc {
	return func(ctx context.Context, host string) ([]string, error) {
		addresses, err := next(ctx, host)
		if err == nil {
			r.addresses.Store(host, addresses)
		}
		return addresses, err
	}
}

func (r *resolved) has(host, address string) bool {
	addresses, _ := r.addresses.Load(host)
	list, _ := addresses.([]string)
	return host == address || slices.Contains(list, address)
}

// Address is the host and port, as the settings name them, of the server that a connection
// has reached: not always the first of the settings.
func (db *DB) Address(c *pgx.Conn) (host string, port int) {
	config := c.Config()
	if remote, ok := c.PgConn().Conn().RemoteAddr().(*net.TCPAddr); ok {
		for _, f := range append([]*pgconn.FallbackConfig{{Host: config.Host, Port: config.Port}}, config.Fallbacks...) {
			if int(f.Port) == remote.Port && db.hosts.has(f.Host, remote.IP.String()) {
				return f.Host, int(f.Port)
			}
		}
	}
	return config.Host, int(config.Port)
}
