package postgres

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/argon2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// The parameters of argon2id: the second recommended option of RFC 9106, section 4.
// They stand in each hash, so that others can come later.
const (
	argonPasses  = 3
	argonKiB     = 64 * 1024
	argonLanes   = 4
	argonSalt    = 16
	argonKey     = 32
	hashesAtOnce = 2
)

// hashing bounds the memory that hashes take, over all of this process.
var hashing = make(chan struct{}, hashesAtOnce)

// hashed gives what is stored of a password, "" of none. It takes long: a tenth of
// a second is usual, and others may have to end first. So it comes before
// any transaction.
func hashed(ctx context.Context, p provisioning.Password) (string, error) {
	if p == "" {
		return "", nil
	}
	select {
	case hashing <- struct{}{}:
		defer func() { <-hashing }()
	case <-ctx.Done():
		return "", notHashed(ctx)
	}
	if ctx.Err() != nil { // Both were possible.
		return "", notHashed(ctx)
	}
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // Documented never to return an error.
	key := argon2.IDKey([]byte(p.Reveal()), salt, argonPasses, argonKiB, argonLanes, argonKey)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonKiB, argonPasses, argonLanes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)), nil
}

func notHashed(ctx context.Context) error {
	const op = "hash password"
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return provisioning.Wrap(context.Cause(ctx), provisioning.KindTransient, op, "the time allowed ran out before the password was hashed")
	}
	return provisioning.Wrap(context.Cause(ctx), provisioning.KindCancelled, op, "stopped on request before the password was hashed")
}

// passwordOf is what becomes of the password hash of a tenant that is continued:
// that of who continues it, or none in place of one that an earlier wish left. It
// is nil when there is nothing to change.
func passwordOf(ctx context.Context, tx pgx.Tx, tenant uuid.UUID, hash string) (*string, error) {
	if hash != "" {
		return &hash, nil
	}
	var left bool
	err := tx.QueryRow(ctx, `SELECT admin_password_hash IS NOT NULL FROM tenants WHERE id = $1`, tenant).Scan(&left)
	if err != nil || !left {
		return nil, err
	}
	return &hash, nil
}
