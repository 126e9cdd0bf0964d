package logins

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/dbroles"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// CloseCredential ends a login and its sessions, and then drops it. If it cannot be
// dropped yet, that is tried again later; the login is of no use by then.
func (s *Logins) CloseCredential(ctx context.Context, tenantID, id uuid.UUID) error {
	var closed []Closed
	err := s.db.InTx(ctx, "close login", func(tx pgx.Tx) error {
		locked, err := tenantrow.Lock(ctx, tx, tenantID)
		if err == nil {
			closed, err = CloseAll(ctx, tx, locked.Tenant, &id)
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.Finish(ctx, closed)
}

// Closed is a closed login whose sessions are to be ended.
type Closed struct {
	id       uuid.UUID
	username string
}

// CloseAll closes a locked tenant's logins, or one of them: after the commit they cannot
// connect any more. The caller then calls Finish, which also continues with logins that
// were closed earlier.
func CloseAll(ctx context.Context, tx pgx.Tx, t tenant.Tenant, credentialID *uuid.UUID) ([]Closed, error) {
	rows, _ := tx.Query(ctx, `SELECT id, username, closed_at IS NOT NULL, expires_at FROM tenant_credentials
		WHERE tenant_id = $1 AND ($2::uuid IS NULL OR id = $2) ORDER BY id FOR UPDATE`, t.ID, credentialID)
	type login struct {
		ID       uuid.UUID
		Username string
		Closed   bool
		Expires  time.Time
	}
	logins, err := pgx.CollectRows(rows, pgx.RowToStructByPos[login])
	if err != nil {
		return nil, err
	}
	var all []Closed
	for _, l := range logins {
		all = append(all, Closed{l.ID, l.Username})
		if l.Closed {
			continue
		}
		if err := disable(ctx, tx, l.Username); err != nil {
			return nil, err
		}
		if _, err := tx.Exec(ctx, `UPDATE tenant_credentials SET closed_at = now() WHERE id = $1`, l.ID); err != nil {
			return nil, err
		}
		if err := auditlog.Append(ctx, tx, t.ID, audit.ActionCloseCredential, credentialDetail(l.ID, l.Username, l.Expires)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// disable takes a login's means to connect, if its role still exists.
func disable(ctx context.Context, tx pgx.Tx, username string) error {
	exists, err := dbroles.Exists(ctx, tx, username)
	if err != nil || !exists {
		return err
	}
	return dbroles.Disable(ctx, tx, username)
}

// Finish ends the sessions of closed logins and then drops their roles. The error is that
// of sessions which did not end; a role that cannot be dropped is tried again later.
func (s *Logins) Finish(ctx context.Context, closed []Closed) error {
	if err := s.endAllSessions(ctx, closed); err != nil {
		return err
	}
	for _, c := range closed {
		_ = s.drop(ctx, c)
	}
	return nil
}

// endAllSessions ends the sessions of logins that cannot connect any more. All are told to
// end before any is waited for: one that does not end delays no other.
func (s *Logins) endAllSessions(ctx context.Context, closed []Closed) error {
	names := make([]string, len(closed))
	for i, c := range closed {
		names[i] = c.username
	}
	var failures []error
	if len(names) > 1 {
		_, err := dbroles.TerminateSessions(ctx, s.db.Pool(), names...)
		failures = append(failures, err)
	}
	for _, c := range closed {
		failures = append(failures, s.endSessions(ctx, c))
	}
	return errors.Join(failures...)
}

// endSessions ends the sessions of a login that cannot connect any more, and records that.
func (s *Logins) endSessions(ctx context.Context, c Closed) error {
	if err := dbroles.EndSessions(ctx, s.db.Pool(), c.username); err != nil {
		return errors.Join(err, s.deferRetry(ctx, c.id, firstEndBackoff, maxEndBackoff))
	}
	_, err := s.db.Pool().Exec(ctx, `UPDATE tenant_credentials SET ended_at = now(), failures = 0, retry_at = NULL WHERE id = $1 AND ended_at IS NULL`, c.id)
	return pgdb.Classify(err, "end login")
}
