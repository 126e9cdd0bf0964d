// Package apikeys stores the API keys of tenant-api.
package apikeys

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype/zeronull"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// Store stores API keys in the registry.
type Store struct{ db *pgdb.DB }

// New returns the API keys of a database.
func New(db *pgdb.DB) *Store { return &Store{db} }

const keyColumns = `id, name, prefix, secret_hash, scopes, rate_limit, only_metadata, created_at, expires_at, revoked_at, last_used_at`

func scanKey(r pgx.CollectableRow) (access.Key, error) {
	var (
		k     access.Key
		hash  []byte
		limit int32
	)
	err := r.Scan(&k.ID, &k.Name, &k.Prefix, &hash, &k.Scopes, (*zeronull.Int4)(&limit), &k.OnlyMetadata, &k.CreatedAt,
		(*zeronull.Timestamptz)(&k.ExpiresAt), (*zeronull.Timestamptz)(&k.RevokedAt), (*zeronull.Timestamptz)(&k.LastUsedAt))
	copy(k.Hash[:], hash) // The table allows no other length.
	k.RateLimit = int(limit)
	return k, err
}

// Create stores a key and an audit event.
func (k *Store) Create(ctx context.Context, key access.Key) error {
	const op = "create API key"
	return k.db.InTx(ctx, op, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `INSERT INTO api_keys (id, name, prefix, secret_hash, scopes, rate_limit, only_metadata, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, nullif($6, 0), coalesce($7::jsonb, '{}'), $8, $9)`,
			key.ID, key.Name, key.Prefix, key.Hash[:], key.Scopes, key.RateLimit, key.OnlyMetadata, key.CreatedAt, zeronull.Timestamptz(key.ExpiresAt))
		var pgErr *pgconn.PgError
		if errors.As(err, &pgErr) && pgErr.ConstraintName == "api_keys_name" {
			return &errs.Error{
				Kind: errs.KindConflict, Op: op, Err: err, Message: "a key with this name exists; choose another name, or revoke that key first",
				Fields: []errs.FieldError{{Field: "name", Message: "is the name of an active key"}},
			}
		}
		if err != nil {
			return err
		}
		detail := keyDetail(key)
		if key.RateLimit != 0 {
			detail["rateLimit"] = key.RateLimit
		}
		if len(key.OnlyMetadata) > 0 {
			detail["onlyMetadata"] = key.OnlyMetadata
		}
		if !key.ExpiresAt.IsZero() {
			detail["expiresAt"] = key.ExpiresAt.UTC()
		}
		return auditlog.Append(ctx, tx, uuid.Nil, access.AuditCreateKey, detail)
	})
}

// FindByPrefix reads the key with a prefix.
func (k *Store) FindByPrefix(ctx context.Context, prefix string) (access.Key, error) {
	const op = "find API key"
	pool, err := k.db.ReadyPool(ctx)
	if err != nil {
		return access.Key{}, err
	}
	rows, err := pool.Query(ctx, `SELECT `+keyColumns+` FROM api_keys WHERE prefix = $1`, prefix)
	if err != nil {
		return access.Key{}, pgdb.Classify(err, op)
	}
	key, err := pgx.CollectExactlyOneRow(rows, scanKey)
	if errors.Is(err, pgx.ErrNoRows) {
		return key, keyNotFound(op)
	}
	return key, pgdb.Classify(err, op)
}

// List reads all keys, newest first.
func (k *Store) List(ctx context.Context) ([]access.Key, error) {
	const op = "list API keys"
	pool, err := k.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := pool.Query(ctx, `SELECT `+keyColumns+` FROM api_keys ORDER BY created_at DESC, id DESC`)
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	keys, err := pgx.CollectRows(rows, scanKey)
	return keys, pgdb.Classify(err, op)
}

// FindRevoked returns those of the ids whose keys are revoked or do not exist.
func (k *Store) FindRevoked(ctx context.Context, ids []uuid.UUID) ([]uuid.UUID, error) {
	const op = "find revoked API keys"
	rows, err := k.db.ReservedPool().Query(ctx, `SELECT id FROM unnest($1::uuid[]) AS wanted (id)
		WHERE NOT EXISTS (SELECT FROM api_keys k WHERE k.id = wanted.id AND k.revoked_at IS NULL)`, ids)
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	revoked, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	return revoked, pgdb.Classify(err, op)
}

// Revoke revokes a key and stores an audit event. Revoked keys may have had the same
// name; Revoke only matches the active one.
func (k *Store) Revoke(ctx context.Context, ref string) (access.Key, error) {
	const op = "revoke API key"
	var revoked access.Key
	err := k.db.InTx(ctx, op, func(tx pgx.Tx) error {
		rows, _ := tx.Query(ctx, `SELECT `+keyColumns+` FROM api_keys
			WHERE id::text = lower($1) OR prefix = $1 OR lower(name) = lower($1) AND revoked_at IS NULL
			ORDER BY id::text = lower($1) DESC, prefix = $1 DESC LIMIT 1 FOR UPDATE`, ref)
		key, err := pgx.CollectExactlyOneRow(rows, scanKey)
		if err == nil {
			key, err = revoke(ctx, tx, key)
		}
		if revoked = key; errors.Is(err, pgx.ErrNoRows) {
			return keyNotFound(op)
		}
		return err
	})
	return revoked, err
}

// RevokeByID revokes a key as Revoke does. With keepAdmin it returns KindConflict for the last key
// with which everything can be done: nobody could make another one through the API.
func (k *Store) RevokeByID(ctx context.Context, id uuid.UUID, keepAdmin bool) (access.Key, error) {
	const op = "revoke API key"
	var revoked access.Key
	err := k.db.InTx(ctx, op, func(tx pgx.Tx) error {
		// All of them are locked, so that of two that are revoked at the same time one stays.
		rows, _ := tx.Query(ctx, `SELECT id FROM api_keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now()) AND $1 = ANY (scopes) AND only_metadata = '{}'
			ORDER BY id FOR UPDATE`, access.ScopeAdmin)
		admins, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil {
			return err
		}
		if keepAdmin && len(admins) == 1 && admins[0] == id {
			return errs.Errorf(errs.KindConflict, op, "it is the last usable key of scope admin for all tenants, and the server trusts no issuer of tokens; create another one first, or use tenant-api apikey revoke")
		}
		rows, _ = tx.Query(ctx, `SELECT `+keyColumns+` FROM api_keys WHERE id = $1 FOR UPDATE`, id)
		key, err := pgx.CollectExactlyOneRow(rows, scanKey)
		if err == nil {
			key, err = revoke(ctx, tx, key)
		}
		if revoked = key; errors.Is(err, pgx.ErrNoRows) {
			return keyNotFound(op)
		}
		return err
	})
	return revoked, err
}

// revoke revokes a locked key, unless it is revoked, and stores an audit event.
func revoke(ctx context.Context, tx pgx.Tx, key access.Key) (access.Key, error) {
	if !key.RevokedAt.IsZero() {
		return key, nil
	}
	if err := tx.QueryRow(ctx, `UPDATE api_keys SET revoked_at = now() WHERE id = $1 RETURNING revoked_at`, key.ID).Scan(&key.RevokedAt); err != nil {
		return key, err
	}
	return key, auditlog.Append(ctx, tx, uuid.Nil, access.AuditRevokeKey, keyDetail(key))
}

// RecordUse stores that a key was used.
func (k *Store) RecordUse(ctx context.Context, id uuid.UUID) error {
	const op = "record API key use"
	pool, err := k.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	_, err = pool.Exec(ctx, `UPDATE api_keys SET last_used_at = now()
		WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= now() - interval '1 minute')`, id)
	return pgdb.Classify(err, op)
}

func keyNotFound(op string) error {
	return errs.Errorf(errs.KindNotFound, op, "there is no such API key; tenant-api apikey list shows all keys")
}

// keyDetail is the detail of a key's audit events.
func keyDetail(k access.Key) map[string]any {
	return map[string]any{"id": k.ID, "name": k.Name, "prefix": k.Prefix, "scopes": k.Scopes}
}
