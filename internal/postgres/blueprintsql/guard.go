package blueprintsql

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// A blueprint's SQL runs as the schema owner, with the tenant's schema as search_path. The
// parser refuses what would change that; the guard finds what the parser cannot see, such as
// dynamic SQL in a DO block. After each statement, role and search_path must be as they were.
// After the last one, the transaction may have locked and changed nothing outside of the
// tenant's schema: every use of a table takes a lock on it that lasts until the commit.

// becomeOwnerSQL begins a part of a transaction in which a blueprint's SQL runs. {{more}} are
// other expressions of the same statement. The functions of a new tenant were checked when the
// blueprint was published.
const becomeOwnerSQL = `SELECT set_config('healthcare.role', current_user, true), set_config('healthcare.search_path', current_setting('search_path'), true),
	set_config('search_path', $1::text, true), set_config('role', $2::text, true){{more}}`

// becomeRegistrySQL ends it.
const becomeRegistrySQL = `SELECT set_config('role', current_setting('healthcare.role'), true), set_config('search_path', current_setting('healthcare.search_path'), true){{more}}`

// statementGuardSQL fails with a division by zero when the last statement has changed role or
// search_path.
const statementGuardSQL = `SELECT 1 / (CASE WHEN current_user = $2::text AND current_setting('search_path') = $1::text THEN 1 ELSE 0 END)`

// outsideSQL lists what this transaction has locked outside of the schema in parameter 1, with
// the number of rows that it has changed there.
const outsideSQL = `(SELECT coalesce(string_agg(DISTINCT CASE WHEN l.database = 0 THEN 'the server''s ' ELSE '' END || l.relation::regclass || ' (' || l.mode
		|| CASE WHEN n.changed > 0 THEN ', ' || n.changed || ' rows changed' ELSE '' END || ')', E'\n'), '')
	FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_class c ON c.oid = l.relation AND l.database <> 0,
	LATERAL (SELECT pg_stat_get_xact_tuples_inserted(l.relation) + pg_stat_get_xact_tuples_updated(l.relation) + pg_stat_get_xact_tuples_deleted(l.relation) AS changed) n
	WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND CASE
		WHEN l.database = 0 THEN l.mode NOT IN ('AccessShareLock', 'RowShareLock')
		ELSE c.relnamespace <> ALL (ARRAY(SELECT oid FROM pg_catalog.pg_namespace
			WHERE nspname IN ($1::name, 'pg_catalog', 'pg_toast', 'information_schema') OR oid = pg_my_temp_schema())) END)`

// noteOutside is an expression that keeps outsideSQL for lockGuardSQL.
const noteOutside = `set_config('healthcare.outside', ` + outsideSQL + `, true)`

// lockGuardSQL fails with an invalid integer, whose text lists what was locked outside since
// noteOutside.
const lockGuardSQL = `SELECT CASE WHEN found = '' THEN 0 ELSE found::int END FROM (SELECT array_to_string(ARRAY(
	SELECT unnest(string_to_array(` + outsideSQL + `, E'\n')) EXCEPT SELECT unnest(string_to_array(current_setting('healthcare.outside'), E'\n'))), ', ') AS found) guard`

// Origin is where a statement of a batch comes from.
type Origin struct {
	File  string
	Line  int  // 0: the whole file.
	Guard bool // It checks the statements before it.
}

func (o Origin) String() string {
	if o.Line == 0 {
		return o.File
	}
	return fmt.Sprintf("%s:%d", o.File, o.Line)
}

// SearchPath is the search_path under which the template's SQL runs.
func (t *Template) SearchPath(schema string) string {
	path := []string{pgx.Identifier{schema}.Sanitize()}
	for _, name := range t.ExtensionSchemas {
		path = append(path, pgx.Identifier{name}.Sanitize())
	}
	return strings.Join(path, ", ")
}

// Statement is one statement of the guard or of a blueprint, and where it comes from.
type Statement struct {
	SQL    string
	Args   []any
	Origin Origin
}

// Begin are the statements before a blueprint's SQL; more is an expression that is evaluated
// with the first.
func (t *Template) Begin(tenant tenant.Tenant, schemaOwner, more string) []Statement {
	if more != "" {
		more = ", " + more
	}
	become := Statement{SQL: strings.Replace(becomeOwnerSQL, "{{more}}", more, 1), Args: []any{t.SearchPath(tenant.SchemaName), schemaOwner}}
	if t.Trusted {
		return []Statement{become}
	}
	all := []Statement{{SQL: `SELECT ` + noteOutside, Args: []any{tenant.SchemaName}}, become}
	settings := []string{`set_config('tenant.id', $1::text, true)`, `set_config('tenant.schema', $2::text, true)`}
	args := []any{tenant.ID.String(), tenant.SchemaName}
	for _, v := range t.Own().Variables {
		settings = append(settings, fmt.Sprintf(`set_config('tenant.variables.%s', $%d::text, true)`, v.Name, len(args)+1))
		args = append(args, tenant.Variables[v.Name])
	}
	return append(all, Statement{SQL: `SELECT ` + strings.Join(settings, ", "), Args: args})
}

// Guarded are a blueprint's statements, each with its guard.
func (t *Template) Guarded(tenant tenant.Tenant, schemaOwner string, p Part, sql func(blueprint.Statement) string) []Statement {
	var all []Statement
	for _, s := range p.Statements {
		from := Origin{File: p.Migration.File, Line: s.Line}
		all = append(all, Statement{SQL: sql(s), Origin: from})
		if !p.Trusted {
			from.Guard = true
			all = append(all, Statement{SQL: statementGuardSQL, Args: []any{t.SearchPath(tenant.SchemaName), schemaOwner}, Origin: from})
		}
	}
	return all
}

// End are the statements after a blueprint's SQL.
func (t *Template) End(tenant tenant.Tenant, more string) []Statement {
	if more != "" {
		more = ", " + more
	}
	all := []Statement{{SQL: strings.Replace(becomeRegistrySQL, "{{more}}", more, 1)}}
	if !t.Trusted {
		all = append(all, Statement{SQL: lockGuardSQL, Args: []any{tenant.SchemaName}, Origin: Origin{File: "blueprint " + t.Own().Name, Guard: true}})
	}
	return all
}

// Execer is a connection or a transaction.
type Execer interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
}

// Run runs statements one after the other. They are not prepared: each runs once, and the tables
// that it names may be new. With an error, failed is where its statement comes from.
func Run(ctx context.Context, db Execer, statements []Statement) (failed Origin, err error) {
	for _, s := range statements {
		if _, err := db.Exec(ctx, s.SQL, append([]any{pgx.QueryExecModeExec}, s.Args...)...); err != nil {
			return s.Origin, err
		}
	}
	return Origin{}, nil
}

// OriginError adds to an error of a blueprint's statement where it comes from and, if the guard
// refused it, why. Others are returned as they are.
func OriginError(from Origin, err error, op string) error {
	var pgErr *pgconn.PgError
	if from.File == "" || !errors.As(err, &pgErr) {
		return err
	}
	if from.refused(pgErr) {
		return errs.Wrap(err, errs.KindPermanent, op, "%s: %s", from, OriginMessage(from, err))
	}
	kind := errs.KindOf(pgdb.Classify(err, op))
	if kind == errs.KindConflict { // A value of the blueprint's own rows; no other tenant is in the way.
		kind = errs.KindPermanent
	}
	return errs.Wrap(err, kind, op, "%s: %s", from, OriginMessage(from, err))
}

// refused reports whether an error is the guard's.
func (o Origin) refused(err *pgconn.PgError) bool {
	return o.Guard && (err.Code == "22012" || err.Code == "22P02")
}

// OriginMessage is what is wrong with a statement of a blueprint: the guard's reason, or the
// server's message.
func OriginMessage(from Origin, err error) string {
	var pgErr *pgconn.PgError
	switch {
	case !errors.As(err, &pgErr):
		return errs.SafeMessage(err)
	case from.Guard && pgErr.Code == "22012":
		return "the statement changed the role or the search_path, which a blueprint's SQL may not do; nothing of it was kept"
	case from.Guard && pgErr.Code == "22P02":
		return "its SQL used what is outside of the tenant's schema: " + guardFinding(pgErr.Message) + "; nothing of it was kept"
	}
	return errs.Truncate(strings.TrimSuffix(pgErr.Message, "."), 300) + " (PostgreSQL's error " + pgErr.Code + ")"
}

// guardFinding is the text that PostgreSQL could not read as an integer.
func guardFinding(message string) string {
	if first, last := strings.Index(message, `"`), strings.LastIndex(message, `"`); first >= 0 && last > first {
		return message[first+1 : last]
	}
	return message
}
