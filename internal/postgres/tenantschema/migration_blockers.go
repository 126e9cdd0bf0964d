package tenantschema

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/dbroles"
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

// blockedError names the sessions that hold the tables of a tenant. With end it ends them, on the
// record, so that the next try succeeds.
func (s *Schemas) blockedError(ctx context.Context, cause error, id uuid.UUID, end bool) error {
	const op = "migrate tenant"
	var found dbroles.Holders
	err := s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		var err error
		if found, err = dbroles.FindHolders(ctx, tx, id, end); err != nil || !end || len(found) == 0 {
			return err
		}
		return auditlog.Append(ctx, tx, id, AuditEndSessions, map[string]any{"sessions": found.String()})
	})
	switch {
	case err != nil && end:
		return errs.Wrap(err, errs.KindPermanent, op, "the sessions that hold the tenant's tables could not be ended: %s; have a DBA end them", errs.SafeMessage(err))
	case err != nil || len(found) == 0:
		return cause
	}
	return errs.Wrap(cause, errs.KindTransient, op, "the tenant's tables are held by %s; let them end, or repeat this with --end-sessions", found.String())
}
