// Package sessions stores the sessions of people who are signed in to the console. All times are
// those of the database's clock.
package sessions

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// Store stores sessions in the registry.
type Store struct{ db *pgdb.DB }

// New returns the sessions of a database.
func New(db *pgdb.DB) *Store { return &Store{db} }

// liveKey is the condition for a key k that can be used.
const liveKey = `k.revoked_at IS NULL AND (k.expires_at IS NULL OR now() < k.expires_at)`

// timedOut is the condition for a session s that nobody can use any more.
const timedOut = `(s.expires_at <= now() OR s.last_seen_at + s.idle_timeout <= now())`

// live are the sessions that can be used, with their keys as they are now. A session counts only if
// the current user made it, or a user with the privileges of the table's owner: a server whose user
// has fewer could otherwise make sessions of any person, and use them at a server that can do more.
const live = `console_sessions s LEFT JOIN api_keys k ON k.id = s.key_id
	WHERE NOT ` + timedOut + ` AND (s.key_id IS NULL OR ` + liveKey + `)
	  AND EXISTS (SELECT FROM pg_class c, pg_roles maker WHERE c.oid = s.tableoid AND maker.rolname = s.made_by
		AND (maker.rolname = current_user OR pg_has_role(maker.oid, c.relowner, 'MEMBER')))`

// maxDeleted is how many sessions that have timed out Create deletes.
const maxDeleted = 100

// Create stores a session and an audit event, and deletes some that have timed out.
func (s *Store) Create(ctx context.Context, hash access.SessionHash, r access.SessionRequest) error {
	const op = "sign in"
	return s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		batch := &pgx.Batch{}
		var scopes []access.Scope // Null for a key, whose own are read.
		detail := map[string]any{"idleTimeout": r.IdleTimeout.String(), "ttl": r.TTL.String()}
		if r.KeyID == uuid.Nil {
			scopes = append([]access.Scope{}, r.Scopes...)
			detail["scopes"] = scopes
		}
		batch.Queue(`INSERT INTO console_sessions (token_hash, key_id, subject, name, scopes, idle_timeout, expires_at)
			SELECT $1, $2, $3, $4, $5, $6::interval, now() + $7::interval
			WHERE $2::uuid IS NULL OR EXISTS (SELECT FROM api_keys k WHERE k.id = $2 AND `+liveKey+`)`,
			hash[:], zeronull.UUID(r.KeyID), zeronull.Text(r.Subject), zeronull.Text(r.Name), scopes, r.IdleTimeout, r.TTL)
		batch.Queue(`DELETE FROM console_sessions WHERE token_hash IN (
			SELECT token_hash FROM console_sessions s WHERE `+timedOut+` LIMIT $1 FOR UPDATE SKIP LOCKED)`, maxDeleted)
		batch.Queue(`DELETE FROM console_sessions WHERE token_hash = $1`, r.Replaces[:])
		batch.Queue(`DELETE FROM console_sessions WHERE token_hash IN (
			SELECT token_hash FROM console_sessions WHERE key_id = $1 OR subject = $2
			ORDER BY created_at DESC, token_hash = $3 DESC OFFSET $4 FOR UPDATE SKIP LOCKED)`,
			zeronull.UUID(r.KeyID), zeronull.Text(r.Subject), hash[:], access.MaxSessions)
		auditlog.Queue(ctx, batch, uuid.Nil, access.AuditSignIn, detail)
		results := tx.SendBatch(ctx, batch)
		made, err := results.Exec()
		if err := errors.Join(err, results.Close()); err != nil {
			return err
		}
		if made.RowsAffected() == 0 {
			return errs.Errorf(errs.KindNotFound, op, "the API key was revoked or has expired; create another one with: tenant-api apikey create")
		}
		return nil
	})
}

// Find reads a session and records its use.
func (s *Store) Find(ctx context.Context, hash access.SessionHash) (access.Session, error) {
	const op = "find session"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return access.Session{}, err
	}
	rows, err := pool.Query(ctx, `WITH found AS (
			SELECT s.token_hash, s.key_id, coalesce(k.prefix, s.subject), coalesce(k.name, s.name, ''), coalesce(k.scopes, s.scopes), coalesce(k.only_metadata, '{}'),
				k.last_used_at, s.created_at, s.last_seen_at, s.expires_at
			FROM `+live+` AND s.token_hash = $1
		), touched AS (
			UPDATE console_sessions SET last_seen_at = now() WHERE token_hash = (SELECT token_hash FROM found WHERE last_seen_at <= now() - interval '1 minute')
		)
		SELECT * FROM found`, hash[:])
	if err != nil {
		return access.Session{}, pgdb.Classify(err, op)
	}
	session, err := pgx.CollectExactlyOneRow(rows, func(r pgx.CollectableRow) (found access.Session, err error) {
		var stored []byte
		err = r.Scan(&stored, (*zeronull.UUID)(&found.KeyID), &found.CallerID, &found.Name, &found.Scopes, &found.OnlyMetadata,
			(*zeronull.Timestamptz)(&found.KeyUsedAt), &found.CreatedAt, &found.LastSeenAt, &found.ExpiresAt)
		copy(found.Hash[:], stored) // The table allows no other length.
		return found, err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return session, errs.Errorf(errs.KindNotFound, op, "there is no such session, or it has ended")
	}
	return session, pgdb.Classify(err, op)
}

// List reads the newest sessions.
func (s *Store) List(ctx context.Context, limit int) ([]access.SessionHash, error) {
	const op = "list sessions"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, `SELECT s.token_hash FROM console_sessions s WHERE NOT `+timedOut+` ORDER BY s.created_at DESC LIMIT $1`, limit)
	return collectHashes(rows, err, op)
}

// FindEnded returns those of the sessions that cannot be used any more.
func (s *Store) FindEnded(ctx context.Context, hashes []access.SessionHash) ([]access.SessionHash, error) {
	wanted := make([][]byte, len(hashes))
	for i := range hashes {
		wanted[i] = hashes[i][:]
	}
	rows, err := s.db.ReservedPool().Query(ctx, `SELECT hash FROM unnest($1::bytea[]) AS wanted (hash)
		WHERE NOT EXISTS (SELECT FROM `+live+` AND s.token_hash = wanted.hash)`, wanted)
	return collectHashes(rows, err, "find ended sessions")
}

func collectHashes(rows pgx.Rows, err error, op string) ([]access.SessionHash, error) {
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	hashes, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (hash access.SessionHash, err error) {
		var stored []byte
		err = r.Scan(&stored)
		copy(hash[:], stored)
		return hash, err
	})
	return hashes, pgdb.Classify(err, op)
}

// End ends a session, and stores an audit event if it existed.
func (s *Store) End(ctx context.Context, hash access.SessionHash) error {
	return s.db.InTx(ctx, "sign out", func(tx pgx.Tx) error {
		ended, err := tx.Exec(ctx, `DELETE FROM console_sessions WHERE token_hash = $1`, hash[:])
		if err != nil || ended.RowsAffected() == 0 {
			return err
		}
		return auditlog.Append(ctx, tx, uuid.Nil, access.AuditSignOut, nil)
	})
}

// EndAll ends all sessions of a person, and stores an audit event if there were any.
func (s *Store) EndAll(ctx context.Context, hash access.SessionHash) (n int64, err error) {
	err = s.db.InTx(ctx, "sign out everywhere", func(tx pgx.Tx) error {
		ended, err := tx.Exec(ctx, `DELETE FROM console_sessions WHERE token_hash IN (
			SELECT s.token_hash FROM console_sessions s, console_sessions own
			WHERE own.token_hash = $1 AND (s.key_id = own.key_id OR s.subject = own.subject)
			ORDER BY s.token_hash FOR UPDATE OF s)`, hash[:])
		if n = ended.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return auditlog.Append(ctx, tx, uuid.Nil, access.AuditSignOutEverywhere, map[string]any{"sessions": n})
	})
	return n, err
}
