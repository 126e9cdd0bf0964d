// Package passwordhash makes the stored form of admins' passwords.
package passwordhash

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/semaphore"

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

// slots limits the memory of concurrent hashes in this process.
var slots = semaphore.NewWeighted(maxConcurrentHashes)

// Hash returns the stored form of a password, "" for no password. It is slow:
// usually a tenth of a second, and it may wait for other hashes. So it runs before any
// transaction.
func Hash(ctx context.Context, p tenant.Password) (string, error) {
	if p == "" {
		return "", nil
	}
	if slots.Acquire(ctx, 1) != nil {
		return "", hashInterrupted(ctx)
	}
	defer slots.Release(1)
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
