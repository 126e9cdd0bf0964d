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

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// The parameters of argon2id: the second recommended option of RFC 9106, section 4.
// Each hash contains them, so they can be changed later.
const (
	argonTime           = 3
	argonMemoryKiB      = 64 * 1024
	argonThreads        = 4
	argonSaltBytes      = 16
	argonKeyBytes       = 32
	maxConcurrentHashes = 2
)

// hashSlots limits the memory of concurrent hashes in this process.
var hashSlots = make(chan struct{}, maxConcurrentHashes)

// hashPassword returns the stored form of a password, "" for no password. It is slow:
// usually a tenth of a second, and it may wait for other hashes. So it runs before any
// transaction.
func hashPassword(ctx context.Context, p tenant.Password) (string, error) {
	if p == "" {
		return "", nil
	}
	select {
	case hashSlots <- struct{}{}:
		defer func() { <-hashSlots }()
	case <-ctx.Done():
		return "", hashInterrupted(ctx)
	}
	if ctx.Err() != nil { // Both cases of the select were ready.
		return "", hashInterrupted(ctx)
	}
	salt := make([]byte, argonSaltBytes)
	_, _ = rand.Read(salt) // Documented never to return an error.
	key := argon2.IDKey([]byte(p.Reveal()), salt, argonTime, argonMemoryKiB, argonThreads, argonKeyBytes)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemoryKiB, argonTime, argonThreads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)), nil
}

func hashInterrupted(ctx context.Context) error {
	const op = "hash password"
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errs.Wrap(context.Cause(ctx), errs.KindTransient, op, "the time allowed ran out before the password was hashed")
	}
	return errs.Wrap(context.Cause(ctx), errs.KindCancelled, op, "stopped on request before the password was hashed")
}

// passwordChange is the change of the password hash of a continued tenant: the new
// request's hash, or none in place of an earlier one. It is nil when nothing changes.
func passwordChange(ctx context.Context, tx pgx.Tx, tenantID uuid.UUID, hash string) (*string, error) {
	if hash != "" {
		return &hash, nil
	}
	var hasStored bool
	err := tx.QueryRow(ctx, `SELECT admin_password_hash IS NOT NULL FROM tenants WHERE id = $1`, tenantID).Scan(&hasStored)
	if err != nil || !hasStored {
		return nil, err
	}
	return &hash, nil
}
