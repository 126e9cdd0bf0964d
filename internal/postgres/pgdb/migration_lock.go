package pgdb

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3/lock"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// The lock of migrations is a row, not an advisory lock: those can be taken by every login of
// the database, and a tenant's login could stop all migrations.
const (
	migrationLockTable = "healthcare_migration_lock"
	// migrationLease is how long a process that was killed blocks others. A living one renews
	// its lease.
	migrationLease     = 15 * time.Second
	migrationHeartbeat = 3 * time.Second
	// A process tries for about a minute to get the lock.
	lockRetryInterval = 250 * time.Millisecond
	lockRetries       = 240
	unlockRetries     = 4
)

// MigrationLock admits one process of a database at a time to migrations of the registry and
// the queue. It uses a connection of its own, which leaves the pools alone. If the holder
// cannot renew its lease, two processes can migrate at once: each migration commits together
// with the record of it, so one of them fails and changes nothing.
type MigrationLock struct {
	config *pgx.ConnConfig
	conn   *sql.DB
	locker lock.Locker
}

// NewMigrationLock returns the lock of the database that config connects to. Its user must
// own the registry.
func NewMigrationLock(config *pgx.ConnConfig) (*MigrationLock, error) {
	locker, err := lock.NewPostgresTableLocker(
		lock.WithTableName(migrationLockTable), lock.WithTableLeaseDuration(migrationLease), lock.WithTableHeartbeatInterval(migrationHeartbeat),
		lock.WithTableLockTimeout(lockRetryInterval, lockRetries), lock.WithTableUnlockTimeout(lockRetryInterval, unlockRetries),
		lock.WithTableRetryPolicy(isHeld))
	if err != nil {
		return nil, Classify(err, "set up migration lock")
	}
	return &MigrationLock{config: config, locker: locker}, nil
}

// Lock waits at most about a minute for the lock. KindTransient if another process keeps it.
func (l *MigrationLock) Lock(ctx context.Context) error {
	const op = "lock migrations"
	l.conn = stdlib.OpenDB(*l.config)
	l.conn.SetMaxOpenConns(1)
	err := l.locker.Lock(ctx, l.conn)
	if err == nil {
		return nil
	}
	_ = l.conn.Close() // The error of the lock is the one that counts.
	if isHeld(err) {
		return errs.Wrap(err, errs.KindTransient, op,
			"another process has been migrating this database for a minute; wait until it has ended, then try again")
	}
	return Classify(err, op)
}

// Unlock ends the lock. One that cannot be released ends with its lease.
func (l *MigrationLock) Unlock(ctx context.Context) {
	_ = l.locker.Unlock(ctx, l.conn)
	_ = l.conn.Close()
}

// isHeld reports whether an error of the lock says that another process has it: goose has no
// type for that, and every other error has one.
func isHeld(err error) bool {
	var pgErr *pgconn.PgError
	return !errors.As(err, &pgErr) && !errors.Is(err, context.Canceled) && !isUnreachable(err)
}

// gooseLock is the lock for goose, whose pool it does not use.
type gooseLock struct{ *MigrationLock }

func (l gooseLock) Lock(ctx context.Context, _ *sql.DB) error { return l.MigrationLock.Lock(ctx) }

func (l gooseLock) Unlock(ctx context.Context, _ *sql.DB) error {
	l.MigrationLock.Unlock(ctx)
	return nil
}
