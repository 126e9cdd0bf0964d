package tenantschema

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
)

// concurrentLockTimeout is how long CREATE INDEX CONCURRENTLY waits for each transaction that
// is older.
const concurrentLockTimeout = "30s"

// withoutTransaction runs the migration m.next, whose statements make or drop indexes
// CONCURRENTLY, on a connection of its own that is closed afterwards. It can be repeated: an index
// that an interrupted run left is recreated, one that is complete is kept.
func (s *Schemas) withoutTransaction(ctx context.Context, m *oneMigration) error {
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	acquired, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	facts, err := s.facts(ctx, acquired.Conn())
	conn := acquired.Hijack()
	defer closeConnection(ctx, conn)
	if err != nil {
		return err
	}
	schema := m.tenant.SchemaName
	if _, err := conn.Exec(ctx, `SELECT set_config('search_path', $1, false), set_config('role', $2, false), set_config('lock_timeout', $3, false)`,
		m.target.template.SearchPath(schema), facts.schemaOwner, concurrentLockTimeout); err != nil {
		return err
	}
	for _, statement := range m.next.Up {
		if err := dropInvalidIndexes(ctx, conn, schema); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, statement.SQL, pgx.QueryExecModeExec)
		if err != nil && !isDone(err, statement.Command) {
			return blueprintsql.OriginError(blueprintsql.Origin{File: m.next.File, Line: statement.Line}, err, "migrate tenant")
		}
	}
	return nil
}

func closeConnection(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// isDone reports whether an error says that an interrupted run did the same before.
func isDone(err error, command string) bool {
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) {
		return false
	}
	return pgErr.Code == "42P07" && strings.HasPrefix(command, "CREATE") || pgErr.Code == "42704" && strings.HasPrefix(command, "DROP")
}

// dropInvalidIndexes drops the indexes of a schema that CREATE INDEX CONCURRENTLY left when it
// was interrupted. The lock on the table waits for one that is being made by another process.
func dropInvalidIndexes(ctx context.Context, conn *pgx.Conn, schema string) error {
	const invalid = `SELECT t.relname, x.relname FROM pg_namespace n JOIN pg_class t ON t.relnamespace = n.oid JOIN pg_index i ON i.indrelid = t.oid
		JOIN pg_class x ON x.oid = i.indexrelid WHERE n.nspname = $1 AND NOT i.indisvalid AND t.relkind IN ('r', 'm') ORDER BY 1, 2`
	type index struct{ Table, Name string }
	read := func(q interface {
		Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	}) ([]index, error) {
		rows, _ := q.Query(ctx, invalid, schema)
		return pgx.CollectRows(rows, pgx.RowToStructByPos[index])
	}
	found, err := read(conn)
	if err != nil || len(found) == 0 {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, i := range found {
			if _, err := tx.Exec(ctx, `LOCK TABLE `+pgx.Identifier{schema, i.Table}.Sanitize()+` IN SHARE UPDATE EXCLUSIVE MODE`); err != nil {
				return err
			}
		}
		if found, err = read(tx); err != nil {
			return err
		}
		for _, i := range found {
			if _, err := tx.Exec(ctx, `DROP INDEX `+pgx.Identifier{schema, i.Name}.Sanitize()); err != nil {
				return err
			}
		}
		return nil
	})
}
