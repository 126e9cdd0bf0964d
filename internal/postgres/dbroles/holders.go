package dbroles

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Holders are sessions with an open transaction that holds tables of a tenant.
type Holders []holder

type holder struct {
	PID         int
	User        string
	Application string
	Since       *time.Time // Nil: PostgreSQL hides it from this user.
	Ended       bool
}

// holdersSQL lists the sessions that hold tables of a tenant's schema, the longest first;
// parameter 2: end them.
const holdersSQL = `SELECT a.pid, coalesce(a.usename, ''), coalesce(a.application_name, ''), coalesce(a.xact_start, a.backend_start), CASE WHEN $2 THEN pg_terminate_backend(a.pid) ELSE false END
	FROM pg_stat_activity a WHERE a.pid <> pg_backend_pid() AND a.pid IN (SELECT l.pid FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
		WHERE l.granted AND l.locktype = 'relation' AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		  AND c.relnamespace = (SELECT n.oid FROM pg_namespace n JOIN tenants t ON t.schema_name = n.nspname WHERE t.id = $1))
	ORDER BY 4 LIMIT 10`

// FindHolders returns the sessions that hold tables of a tenant. With end it ends them.
func FindHolders(ctx context.Context, tx pgx.Tx, tenantID uuid.UUID, end bool) (Holders, error) {
	rows, _ := tx.Query(ctx, holdersSQL, tenantID, end)
	return pgx.CollectRows(rows, pgx.RowToStructByPos[holder])
}

// String names them.
func (h Holders) String() string {
	texts := make([]string, len(h))
	for i, s := range h {
		application := ""
		if s.Application != "" {
			application = fmt.Sprintf(" (%.63q)", s.Application)
		}
		texts[i] = fmt.Sprintf("the session %d of %s%s, in a transaction", s.PID, s.User, application)
		if s.Since != nil {
			texts[i] += " since " + s.Since.UTC().Format(time.RFC3339)
		}
	}
	return strings.Join(texts, "; ")
}
