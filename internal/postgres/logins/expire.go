package logins

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// Delays before another try to end a login, and to drop one: they double from the first
// to the longest.
const (
	firstEndBackoff  = time.Second
	maxEndBackoff    = time.Minute
	firstDropBackoff = time.Minute
	maxDropBackoff   = time.Hour
)

// endBatch is how many logins are ended between two looks for others.
const endBatch = 100

// NextExpiry is the time until a login expires, or is to be ended again after a failure,
// at most limit. It is 0 when one is due.
func (s *Logins) NextExpiry(ctx context.Context, limit time.Duration) (time.Duration, error) {
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return limit, err
	}
	var next time.Duration
	err = pool.QueryRow(ctx, `SELECT greatest(least(min(greatest(coalesce(closed_at, expires_at), retry_at)) - clock_timestamp(), $1::interval), '0')
		FROM tenant_credentials WHERE ended_at IS NULL`, limit).Scan(&next)
	return next, pgdb.Classify(err, "find next expiry")
}

// DropExpiredLogins ends all logins that expired or were only partly closed, and then
// drops all that are ended, in batches. A login that cannot be ended or dropped does not
// delay others: it comes after those that have not failed, and its delay grows with each
// failure. It returns the number of dropped ones.
func (s *Logins) DropExpiredLogins(ctx context.Context, batch int) (int64, error) {
	failures := []error{s.endDue(ctx)}
	var dropped int64
	for {
		found, n, err := s.dropDue(ctx, batch)
		dropped += n
		failures = append(failures, err)
		if found == 0 {
			return dropped, errors.Join(failures...)
		}
	}
}

// endDue ends all logins that are due: they cannot connect any more, and their sessions
// are over. It does not wait for a tenant that another process works on: the audit event
// follows when the login is dropped.
func (s *Logins) endDue(ctx context.Context) error {
	var failures []error
	for {
		due, err := s.listDue(ctx, `ended_at IS NULL AND coalesce(closed_at, expires_at) < clock_timestamp()`, `coalesce(closed_at, expires_at)`, endBatch)
		if err != nil || len(due) == 0 {
			return errors.Join(append(failures, err)...)
		}
		var disabled []Closed
		for _, c := range due {
			err := s.disableDue(ctx, c)
			failures = append(failures, err)
			if err == nil {
				disabled = append(disabled, c)
			}
		}
		failures = append(failures, s.endAllSessions(ctx, disabled))
	}
}

// listDue lists logins that fulfil a condition, those with the fewest failures first. One
// whose last try has failed is due again after its delay.
func (s *Logins) listDue(ctx context.Context, condition, order string, limit int) ([]Closed, error) {
	const op = "list ended logins"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := pool.Query(ctx, `SELECT id, username FROM tenant_credentials
		WHERE `+condition+` AND (retry_at IS NULL OR retry_at < clock_timestamp()) ORDER BY failures, `+order+` LIMIT $1`, limit)
	due, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c Closed, err error) {
		return c, row.Scan(&c.id, &c.username)
	})
	return due, pgdb.Classify(err, op)
}

// disableDue takes the means to connect from a login that is due, or defers that.
func (s *Logins) disableDue(ctx context.Context, c Closed) error {
	err := s.db.InTx(ctx, "end expired login", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, shortLockTimeout)
		if err == nil {
			// Without the tenant's lock: whatever holds it, the login ends.
			_, err = tx.Exec(ctx, `SELECT FROM tenant_credentials WHERE id = $1 FOR UPDATE`, c.id)
		}
		if err == nil {
			err = disable(ctx, tx, c.username)
		}
		return err
	})
	if err == nil {
		return nil
	}
	return errors.Join(err, s.deferRetry(ctx, c.id, firstEndBackoff, maxEndBackoff))
}
