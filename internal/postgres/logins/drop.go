package logins

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/dbroles"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
)

// shortLockTimeout limits the wait for a lock: another login is waiting for its turn, or a
// caller for the answer. The next try comes later.
const shortLockTimeout = `SET LOCAL lock_timeout = '500ms'`

// dropDue drops ended logins, at most limit. found is how many were due; 0 also when the
// registry does not answer.
func (s *Logins) dropDue(ctx context.Context, limit int) (found int, dropped int64, err error) {
	due, err := s.listDue(ctx, `ended_at IS NOT NULL`, `ended_at`, limit)
	if err != nil {
		return 0, 0, err
	}
	var failures []error
	for _, c := range due {
		if err := s.drop(ctx, c); err != nil {
			failures = append(failures, err)
			continue
		}
		dropped++
	}
	return len(due), dropped, errors.Join(failures...)
}

// drop drops an ended login with its objects and its row, or defers that.
func (s *Logins) drop(ctx context.Context, c Closed) error {
	err := s.tryDrop(ctx, c)
	if err == nil {
		return nil
	}
	// Without a delay it would be due again at once, and the sweep would not end.
	return errors.Join(err, s.deferRetry(ctx, c.id, firstDropBackoff, maxDropBackoff))
}

func (s *Logins) tryDrop(ctx context.Context, c Closed) error {
	var tenantID uuid.UUID
	var databaseRole, connectRole string
	err := s.db.Pool().QueryRow(ctx, `SELECT c.tenant_id, `+tenantrow.RoleName("t")+`, r.connect_role
		FROM tenant_credentials c JOIN tenants t ON t.id = c.tenant_id, registry r WHERE c.id = $1 AND c.ended_at IS NOT NULL`, c.id).
		Scan(&tenantID, &databaseRole, &connectRole)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // Another process dropped it.
	}
	if err != nil {
		return pgdb.Classify(err, "drop login")
	}
	if err := s.dropElsewhere(ctx, c.username, databaseRole, connectRole); err != nil {
		return err
	}
	return s.db.InTx(ctx, "drop login", func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, shortLockTimeout); err != nil {
			return err
		}
		locked, err := tenantrow.Lock(ctx, tx, tenantID)
		if err != nil {
			return err
		}
		if _, err := CloseAll(ctx, tx, locked.Tenant, &c.id); err != nil { // It may have expired.
			return err
		}
		exists, err := dbroles.Exists(ctx, tx, c.username)
		if err == nil && exists {
			err = dbroles.Drop(ctx, tx, c.username)
		}
		if err == nil {
			_, err = tx.Exec(ctx, `DELETE FROM tenant_credentials WHERE id = $1`, c.id)
		}
		return err
	})
}

// dropElsewhere drops what a login made outside of the tenant's schema: in other databases,
// and as the roles that it is a member of.
func (s *Logins) dropElsewhere(ctx context.Context, username, databaseRole, connectRole string) error {
	return errors.Join(
		dbroles.DropElsewhere(ctx, s.db, username),
		dbroles.DropOwned(ctx, s.db, databaseRole),
		dbroles.DropOwned(ctx, s.db, connectRole))
}

func (s *Logins) deferRetry(ctx context.Context, id uuid.UUID, first, longest time.Duration) error {
	_, err := s.db.Pool().Exec(ctx, `UPDATE tenant_credentials SET failures = failures + 1,
			retry_at = clock_timestamp() + least($2::interval * 2 ^ least(failures, 16), $3::interval)
		WHERE id = $1`, id, first, longest)
	return pgdb.Classify(err, "defer login")
}
