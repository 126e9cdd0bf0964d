package credentials

import (
	"context"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
)

// ExpiryStore ends expired logins.
type ExpiryStore interface {
	// NextExpiry is the time until the next login is to be ended, at most limit.
	NextExpiry(ctx context.Context, limit time.Duration) (time.Duration, error)
	// DropExpiredLogins ends all expired logins and then drops their roles, a batch at a
	// time, and counts the dropped ones.
	DropExpiredLogins(ctx context.Context, batch int) (int64, error)
}

const (
	// expiryLook is the longest time between two looks for expired logins. It is shorter
	// than MinCredentialTTL: a login that another process opens is seen before it expires.
	expiryLook = 15 * time.Second
	// minExpiryPause is the shortest time between two looks.
	minExpiryPause = 100 * time.Millisecond
	// expiryBatch is the size of a batch.
	expiryBatch = 50
)

// EndExpired ends logins and their sessions as they expire, until ctx ends. Many processes
// may do so at once. A nil clock means clock.System; report gets the outcome of each look.
func EndExpired(ctx context.Context, store ExpiryStore, c clock.Clock, report func(dropped int64, err error)) {
	if c == nil {
		c = clock.System{}
	}
	for {
		next, err := store.NextExpiry(ctx, expiryLook)
		if err != nil {
			next = expiryLook
		}
		if c.Sleep(ctx, max(next, minExpiryPause)) != nil {
			return
		}
		dropped, err := store.DropExpiredLogins(ctx, expiryBatch)
		report(dropped, err)
	}
}
