package tenantschema

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
)

// AuditEndSessions is the event of sessions that a migration ended.
const AuditEndSessions audit.Action = "tenant.end_sessions"

// isLockTimeout reports whether a statement waited too long for a lock.
func isLockTimeout(err error) bool { return hasCode(err, "55P03") }

// isStatementTimeout reports whether a statement took too long.
func isStatementTimeout(err error) bool { return hasCode(err, "57014") }

func hasCode(err error, code string) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == code
}

// blocker is a session with an open transaction that holds tables of a tenant.
type blocker struct {
	PID   int
	User  string
	Since time.Time
	Ended bool
}

// blockersSQL lists the sessions that hold tables of a tenant's schema, the longest first;
// parameter 2: end them.
const blockersSQL = `SELECT a.pid, coalesce(a.usename, ''), coalesce(a.xact_start, a.backend_start), CASE WHEN $2 THEN pg_terminate_backend(a.pid) ELSE false END
	FROM pg_stat_activity a WHERE a.pid <> pg_backend_pid() AND a.pid IN (SELECT l.pid FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
		WHERE l.granted AND l.locktype = 'relation' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		  AND c.relnamespace = (SELECT n.oid FROM pg_namespace n JOIN tenants t ON t.schema_name = n.nspname WHERE t.id = $1))
	ORDER BY 3 LIMIT 10`

// blockedError names the sessions that hold the tables of a tenant. With end it ends them, on the
// record, so that the next try succeeds.
func (s *Schemas) blockedError(ctx context.Context, cause error, id uuid.UUID, end bool) error {
	const op = "migrate tenant"
	var found []blocker
	err := s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, blockersSQL, id, end)
		var err error
		if found, err = pgx.CollectRows(rows, pgx.RowToStructByPos[blocker]); err != nil || !end || len(found) == 0 {
			return err
		}
		return auditlog.Append(ctx, tx, id, AuditEndSessions, map[string]any{"sessions": describeBlockers(found)})
	})
	switch {
	case err != nil && end:
		return errs.Wrap(err, errs.KindPermanent, op, "the sessions that hold the tenant's tables could not be ended: %s; have a DBA end them", errs.SafeMessage(err))
	case err != nil || len(found) == 0:
		return cause
	}
	return errs.Wrap(cause, errs.KindTransient, op, "the tenant's tables are held by %s; let them end, or repeat this with --end-sessions", describeBlockers(found))
}

func describeBlockers(found []blocker) string {
	var texts []string
	for _, b := range found {
		texts = append(texts, fmt.Sprintf("the session %d of %s, in a transaction since %s", b.PID, b.User, b.Since.UTC().Format(time.RFC3339)))
	}
	return strings.Join(texts, "; ")
}
