package logins

import (
	"context"
	"iter"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

const (
	// maxOpenLogins is how many logins that have not ended are listed.
	maxOpenLogins = 500
	// maxListedLogins is how many logins of all are listed.
	maxListedLogins = 100
)

// ListLogins returns the newest logins of a tenant that have not ended, or of all that were ever
// opened, the newest first. Who opened one and why is in the audit events, of which it reads those
// of the tenant.
func (s *Logins) ListLogins(ctx context.Context, tenantID uuid.UUID, all bool) ([]credentials.Login, error) {
	const op = "list logins"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	var found []credentials.Login
	err = pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) (err error) {
		found, err = list(ctx, tx, tenantID, all)
		return err
	})
	return found, pgdb.Classify(err, op)
}

// storedLogin is a login whose role is not dropped.
type storedLogin struct {
	ID              uuid.UUID
	Expires         time.Time
	Closed, EndedAt *time.Time
}

func list(ctx context.Context, tx pgx.Tx, tenantID uuid.UUID, all bool) ([]credentials.Login, error) {
	var now time.Time
	if err := tx.QueryRow(ctx, `SELECT now()`).Scan(&now); err != nil {
		return nil, err
	}
	rows, _ := tx.Query(ctx, `SELECT id, expires_at, closed_at, ended_at FROM tenant_credentials
		WHERE tenant_id = $1 AND ($2 OR ended_at IS NULL) ORDER BY opened_at DESC, id DESC LIMIT $3`, tenantID, all, maxOpenLogins)
	stored, err := pgx.CollectRows(rows, pgx.RowToStructByPos[storedLogin])
	if err != nil {
		return nil, err
	}
	ids, byID := make([]string, len(stored)), map[uuid.UUID]storedLogin{}
	for i, l := range stored {
		ids[i], byID[l.ID] = l.ID.String(), l
	}
	events, err := readEvents(ctx, tx, tenantID, all, ids)
	if err != nil {
		return nil, err
	}
	opened, err := credentials.Report(events, now)
	if err != nil {
		return nil, err
	}
	found := make([]credentials.Login, len(opened))
	for i, a := range opened {
		l := credentials.Login{Access: a, ClosedAt: a.EndedAt}
		if row, ok := byID[a.CredentialID]; ok {
			l.ValidUntil, l.ClosedAt, l.EndedAt = row.Expires, row.closedAt(now), timeOf(row.EndedAt)
		}
		found[i] = l
	}
	slices.Reverse(found)
	return found, nil
}

// closedAt is since when a login cannot connect: the end of its validity needs no worker.
func (l storedLogin) closedAt(now time.Time) time.Time {
	if l.Closed == nil && !now.Before(l.Expires) {
		return l.Expires
	}
	return timeOf(l.Closed)
}

func timeOf(t *time.Time) (at time.Time) {
	if t != nil {
		at = *t
	}
	return at
}

// readEvents reads the events of the newest logins, or of those with these ids, in their order.
func readEvents(ctx context.Context, tx pgx.Tx, tenantID uuid.UUID, all bool, ids []string) (iter.Seq2[audit.Event, error], error) {
	limit := len(ids)
	if all {
		limit = maxListedLogins
	}
	rows, _ := tx.Query(ctx, `WITH opened AS (
			SELECT seq, at, action, actor, detail FROM audit_events
			WHERE tenant_id = $1 AND action = 'credential.open' AND outcome = 'DONE' AND ($2 OR detail->>'credentialId' = ANY ($3::text[])) ORDER BY seq DESC LIMIT $4
		) SELECT * FROM opened UNION ALL SELECT e.seq, e.at, e.action, e.actor, e.detail FROM audit_events e
			WHERE e.tenant_id = $1 AND e.action IN ('credential.renew', 'credential.close') AND e.outcome = 'DONE' AND e.detail->>'credentialId' IN (SELECT detail->>'credentialId' FROM opened)
		ORDER BY 1`, tenantID, all, ids, limit)
	events, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (e audit.Event, err error) {
		var caller *audit.Caller // Null, as the detail, after a purge.
		err = r.Scan(&e.Seq, &e.At, &e.Action, &caller, &e.Detail)
		if e.Caller.Kind = audit.CallerRedacted; caller != nil {
			e.Caller = *caller
		}
		return e, err
	})
	return func(yield func(audit.Event, error) bool) {
		for _, e := range events {
			if !yield(e, nil) {
				return
			}
		}
	}, err
}
