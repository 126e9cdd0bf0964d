package tenantschema

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
)

// concurrentLockTimeout is how long CREATE INDEX CONCURRENTLY waits for each transaction that
// is older.
const concurrentLockTimeout = "30s"

// buildIndexesThenStep runs the migration m.next, which needs no transaction, and then step. Other
// processes are locked out meanwhile: two that build an index on one table deadlock, and a late one
// would rebuild what a later migration has dropped.
func (s *Schemas) buildIndexesThenStep(ctx context.Context, m *oneMigration, step func() error) error {
	unlock, pending, err := s.lockIndexes(ctx, m)
	if err != nil {
		return err
	}
	defer unlock()
	if pending {
		if err := s.withoutTransaction(ctx, m); err != nil {
			return err
		}
	}
	return step()
}

// lockIndexes locks a row of tenant_migrations, on a connection of its own. It is not the tenant's
// row, because changes of the tenant must not wait hours for an index. pending says that
// tenant_migrations does not have m.next. It does not wait: a query that waits has a snapshot, and
// CONCURRENTLY waits for older snapshots.
// KindTransient when another process has the lock.
func (s *Schemas) lockIndexes(ctx context.Context, m *oneMigration) (unlock func(), pending bool, err error) {
	conn, err := s.ownConnection(ctx)
	if err != nil {
		return nil, false, err
	}
	defer func() {
		if err != nil {
			closeConnection(ctx, conn)
		}
	}()
	// The transaction is idle as long as the indexes take.
	if _, err = conn.Exec(ctx, `BEGIN; SET LOCAL idle_in_transaction_session_timeout = 0`); err != nil {
		return nil, false, err
	}
	// The extended protocol keeps the snapshot of a query until the next one.
	const simple = pgx.QueryExecModeSimpleProtocol
	var locked int
	if err = conn.QueryRow(ctx, `SELECT count(*) FROM (SELECT FROM tenant_migrations WHERE tenant_id = $1 AND (blueprint, version) = (
		SELECT blueprint, version FROM tenant_migrations WHERE tenant_id = $1 ORDER BY 1, 2 LIMIT 1) FOR UPDATE SKIP LOCKED) first`, simple, m.id).Scan(&locked); err != nil {
		return nil, false, err
	}
	if locked == 0 {
		err = errs.Errorf(errs.KindTransient, "migrate tenant", "another process builds indexes in this tenant, or purges it; run tenants migrate again later")
		return nil, false, err
	}
	err = conn.QueryRow(ctx, `SELECT NOT EXISTS (SELECT FROM tenant_migrations WHERE tenant_id = $1 AND blueprint = $2 AND version = $3)`,
		simple, m.id, m.target.template.Own().Name, m.next.Version).Scan(&pending)
	return func() { closeConnection(ctx, conn) }, pending, err
}

// ownConnection is a connection that is not the pool's.
func (s *Schemas) ownConnection(ctx context.Context) (*pgx.Conn, error) {
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	acquired, err := pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	return acquired.Hijack(), nil
}

// withoutTransaction runs the migration m.next, whose statements make or drop indexes
// CONCURRENTLY, on a connection of its own that is closed afterwards. A statement may take any time:
// it blocks nobody, and an index of a large table takes hours. It can be repeated: an index
// that an interrupted run left is recreated, one that is complete is kept.
func (s *Schemas) withoutTransaction(ctx context.Context, m *oneMigration) error {
	conn, err := s.ownConnection(ctx)
	if err != nil {
		return err
	}
	defer closeConnection(ctx, conn)
	facts, err := s.facts(ctx, conn)
	if err != nil {
		return err
	}
	schema := m.tenant.SchemaName
	if _, err := conn.Exec(ctx, `SELECT set_config('search_path', $1, false), set_config('role', $2, false), set_config('lock_timeout', $3, false), set_config('statement_timeout', '0', false)`,
		m.target.template.SearchPath(schema), facts.schemaOwner, concurrentLockTimeout); err != nil {
		return err
	}
	for _, statement := range m.next.Up {
		if err := runConcurrently(ctx, conn, schema, statement); err != nil {
			return blueprintsql.OriginError(blueprintsql.Origin{File: m.next.File, Line: statement.Line}, err, "migrate tenant")
		}
	}
	return nil
}

// runConcurrently runs one statement until its index is complete. One that a killed process left is
// still being made by its server process: the statement waits for it, and finds what it has become.
func runConcurrently(ctx context.Context, conn *pgx.Conn, schema string, statement blueprint.Statement) error {
	const maxTries = 3
	for try := 1; ; try++ {
		if err := dropInvalidIndexes(ctx, conn, schema); err != nil {
			return err
		}
		_, err := conn.Exec(ctx, statement.SQL, pgx.QueryExecModeExec)
		if err == nil || !isDone(err, statement.Command) {
			return err
		}
		invalid, err := invalidIndexes(ctx, conn, schema)
		if err != nil || len(invalid) == 0 {
			return err
		}
		if try == maxTries {
			return errs.Errorf(errs.KindTransient, "migrate tenant", "the index %s.%s is not complete; run tenants migrate again", schema, invalid[0].Name)
		}
	}
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

// index is an index that CREATE INDEX CONCURRENTLY left when it was interrupted, or that it is
// making.
type index struct{ Table, Name string }

// invalidIndexes lists those of a schema.
func invalidIndexes(ctx context.Context, q interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, schema string) ([]index, error) {
	rows, _ := q.Query(ctx, `SELECT t.relname, x.relname FROM pg_namespace n JOIN pg_class t ON t.relnamespace = n.oid JOIN pg_index i ON i.indrelid = t.oid
		JOIN pg_class x ON x.oid = i.indexrelid WHERE n.nspname = $1 AND NOT i.indisvalid AND t.relkind IN ('r', 'm') ORDER BY 1, 2`, schema)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[index])
}

// dropInvalidIndexes drops the indexes of a schema that CREATE INDEX CONCURRENTLY left when it
// was interrupted. The lock on the table waits for one that is being made by another process.
func dropInvalidIndexes(ctx context.Context, conn *pgx.Conn, schema string) error {
	found, err := invalidIndexes(ctx, conn, schema)
	if err != nil || len(found) == 0 {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		for _, i := range found {
			if _, err := tx.Exec(ctx, `LOCK TABLE `+pgx.Identifier{schema, i.Table}.Sanitize()+` IN SHARE UPDATE EXCLUSIVE MODE`); err != nil {
				return err
			}
		}
		if found, err = invalidIndexes(ctx, tx, schema); err != nil {
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
