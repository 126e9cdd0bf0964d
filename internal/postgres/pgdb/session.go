package pgdb

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// lockTimeout limits a wait for a lock. A waiting transaction holds its tenant's row
// and blocks the renewals of the lease, so it must fail, and be tried again, before
// provisioning.DefaultLeaseTTL has passed.
const lockTimeout = 2 * time.Second

// idleInTransactionTimeout ends a transaction that nobody continues, as of a process that
// was suspended: it would keep its locks. It is longer than migrationTimeout, because a
// transaction may hold a lock while another connection migrates.
const idleInTransactionTimeout = migrationTimeout + 5*time.Minute

// setting is a setting of a session, which its server may not know yet.
type setting struct {
	value string
	since int // The first major version that has it; 0: all.
}

// commonSettings are what the code relies on, so no setting of server, database or user
// may change it. Not among them is default_transaction_read_only: who sets it wants that
// nothing is written, and nothing is.
var commonSettings = map[string]setting{
	// Text and literals.
	"client_encoding":             {value: "UTF8"},
	"standard_conforming_strings": {value: "on"},
	"bytea_output":                {value: "hex"},
	"array_nulls":                 {value: "on"},
	"transform_null_equals":       {value: "off"},
	"quote_all_identifiers":       {value: "off"}, // The catalog's definitions are compared.
	"extra_float_digits":          {value: "1"},
	"xmloption":                   {value: "content"},
	// Time.
	"timezone":      {value: "UTC"},
	"datestyle":     {value: "ISO, MDY"},
	"intervalstyle": {value: "postgres"},
	// Transactions, and what would end them. The program limits its statements itself.
	"default_transaction_isolation":       {value: "read committed"},
	"default_transaction_deferrable":      {value: "off"},
	"statement_timeout":                   {value: "0"},
	"lock_timeout":                        {value: milliseconds(lockTimeout)},
	"idle_in_transaction_session_timeout": {value: milliseconds(idleInTransactionTimeout)},
	"idle_session_timeout":                {value: "0", since: 14},
	"transaction_timeout":                 {value: "0", since: 17},
	// Names and privileges.
	"search_path":           {value: "public"},
	"row_security":          {value: "on"},
	"check_function_bodies": {value: "on"},
	"createrole_self_grant": {value: "", since: 16}, // Else the user becomes a member of each role it makes.
	// Statements are few and simple; planning them again for each tenant has no benefit.
	"plan_cache_mode": {value: "force_generic_plan"},
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// session prepares a new connection: it sets the settings and checks the server. It does so
// in statements after the connection is made, because a pooler rejects or drops most
// parameters of the start-up message.
type session struct {
	settings map[string]setting
	role     string                     // Set by each session, as one of the settings; "": the login's own.
	next     pgconn.ValidateConnectFunc // Of the URL's target_session_attrs; nil: none.
	probe    *pgx.ConnConfig            // Of a connection that finds out how a pooler works.
	writable bool                       // A server that is read-only is not used.
	pooled   atomic.Bool                // There is a pooler, and it gives each connection a session.
}

func newSession(o PoolOptions) *session {
	s := &session{settings: maps.Clone(commonSettings), role: o.Role}
	if o.Role != "" {
		s.settings[roleSetting] = setting{value: o.Role}
	}
	for name, value := range o.Settings {
		s.settings[name] = setting{value: value}
	}
	return s
}

// prepare is pgx's ValidateConnect: after an error pgx tries the next host.
func (s *session) prepare(ctx context.Context, c *pgconn.PgConn) error {
	start := startOf(ctx)
	statement := s.statement(majorVersion(c.ParameterStatus("server_version")), start.parameters)
	results, err := c.Exec(ctx, statement+" WHERE pg_backend_pid() = "+strconv.FormatUint(uint64(c.PID()), 10)).ReadAll()
	if err == nil && len(results) == 1 && len(results[0].Rows) == 0 {
		// The server has another process than it was said at the start: there is a pooler.
		// Nothing was set, because settings would stay with a session that others get.
		if err = s.checkPooler(ctx, c); err == nil {
			results, err = c.Exec(ctx, statement).ReadAll()
		}
	}
	if err != nil {
		return s.roleError(ctx, c, err)
	}
	if err := s.checkServer(c, results, start.database == s.probe.Database); err != nil {
		return err
	}
	if s.next != nil {
		return s.next(ctx, c)
	}
	return nil
}

// checkedValues are what statement reads for checkServer.
const checkedValues = `SELECT current_setting('server_encoding'), current_setting('session_replication_role'), current_setting('transaction_read_only'),
	coalesce((SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'citus'), '')`

// statement sets the settings and reads checkedValues. Parameters that were added to a
// connection's configuration after the pool was made have precedence.
func (s *session) statement(version int, start map[string]string) string {
	var b strings.Builder
	b.WriteString(checkedValues)
	for _, name := range slices.Sorted(maps.Keys(s.settings)) {
		setting := s.settings[name]
		if version < setting.since {
			continue
		}
		value := setting.value
		if v, ok := start[name]; ok {
			value = v
		}
		b.WriteString(", set_config('" + name + "', " + literal(value) + ", false)")
	}
	if _, ok := s.settings["synchronous_commit"]; !ok {
		// What a commit says was stored must be: off is not allowed. Anything else is the
		// choice of who runs the server.
		b.WriteString(`, set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), false)`)
	}
	b.WriteString(citusExpressions())
	return b.String()
}

// checkServer checks the server and, if it is the registry's, the database.
func (s *session) checkServer(c *pgconn.PgConn, results []*pgconn.Result, registry bool) error {
	const op = "connect to the database"
	if len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) < 4 {
		return errs.Errorf(errs.KindPermanent, op, "the database returned an unexpected response; see the log")
	}
	row := results[0].Rows[0]
	if registry {
		if err := noteCitus(c, string(row[3])); err != nil {
			return err
		}
	}
	if encoding := string(row[0]); registry && encoding != "UTF8" {
		return errs.Errorf(errs.KindPermanent, op,
			"the encoding of the database is %s, which cannot store every name; create the database with ENCODING 'UTF8' TEMPLATE template0", encoding)
	}
	if role := string(row[1]); role != "origin" {
		return errs.Errorf(errs.KindPermanent, op,
			"session_replication_role is %s for this user or database, which disables the registry's triggers; a superuser must reset it: ALTER ROLE ... RESET session_replication_role, or ALTER DATABASE ... RESET session_replication_role",
			role)
	}
	if s.writable && string(row[2]) == "on" {
		return errs.Errorf(errs.KindTransient, op, "no host of the settings can be written: those that answer are read-only (standbys, or default_transaction_read_only is on); promote one, or correct the hosts")
	}
	return nil
}
