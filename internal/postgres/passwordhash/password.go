// Package passwordhash makes the stored form of admins' passwords.
package passwordhash

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"sync/atomic"

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

// MaxWaiting is how many hashes with LimitWait wait at most for the running ones.
const MaxWaiting = 8

// slots limits the memory of concurrent hashes in this process.
var slots = semaphore.NewWeighted(maxConcurrentHashes)

// waiting counts the hashes with LimitWait that wait for a slot.
var waiting atomic.Int32

type limitWaitKey struct{}

// LimitWait marks the context of a caller that is answered rather than kept waiting, such as a
// request: Hash returns KindTransient at once while MaxWaiting others wait. Without it, Hash
// waits until its context ends.
func LimitWait(ctx context.Context) context.Context {
	return context.WithValue(ctx, limitWaitKey{}, true)
}

// Hash returns the stored form of a password, "" for no password. It is slow:
// usually a tenth of a second, and it may wait for other hashes. So it runs before any
// transaction.
func Hash(ctx context.Context, p tenant.Password) (string, error) {
	if p == "" {
		return "", nil
	}
	if err := acquire(ctx); err != nil {
		return "", err
	}
	defer slots.Release(1)
	salt := make([]byte, argonSaltBytes)
	_, _ = rand.Read(salt) // Documented never to return an error.
	key := argon2.IDKey([]byte(p.Reveal()), salt, argonTime, argonMemoryKiB, argonThreads, argonKeyBytes)
	if ctx.Err() != nil { // The change would fail, as if the database did not answer.
		return "", hashInterrupted(ctx)
	}
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemoryKiB, argonTime, argonThreads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)), nil
}

// acquire takes a slot.
func acquire(ctx context.Context) error {
	if slots.TryAcquire(1) {
		return nil
	}
	if ctx.Value(limitWaitKey{}) != nil {
		defer waiting.Add(-1)
		if waiting.Add(1) > MaxWaiting {
			return errs.Errorf(errs.KindTransient, "hash password",
				"this server hashes passwords, and %d more requests with a password wait, its limit; nothing was changed, try again", MaxWaiting)
		}
	}
	if slots.Acquire(ctx, 1) != nil {
		return hashInterrupted(ctx)
	}
	return nil
}

func hashInterrupted(ctx context.Context) error {
	const op = "hash password"
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errs.Wrap(context.Cause(ctx), errs.KindTransient, op, "the time allowed ran out before the password was hashed")
	}
	return errs.Wrap(context.Cause(ctx), errs.KindCancelled, op, "stopped on request before the password was hashed")
}
