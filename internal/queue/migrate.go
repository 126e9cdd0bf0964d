package queue

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// migrateLock is the advisory lock that one process at a time migrates under.
const migrateLock = 1212240977

// Migrate brings River's tables to the version that this program knows. Of many
// processes that start at once one does the work and the others wait for it; when
// nothing is to be done it takes one or two queries. KindPermanent when the
// tables are newer than this program.
func (q *Queue) Migrate(ctx context.Context) error {
	migrator, err := rivermigrate.New(q.driver, &rivermigrate.Config{Logger: q.riverLog})
	if err != nil {
		return failure(err, "set up queue migrations")
	}
	target := newestOf(migrator)
	if done, err := q.migrated(ctx, target); done || err != nil {
		return err
	}
	// The migrations run beside this transaction, not in it: some of them cannot
	// share one. It is there to hold the lock, however its process ends.
	err = pgx.BeginFunc(ctx, q.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '60s'`); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, migrateLock); err != nil {
			return err
		}
		if done, err := q.migrated(ctx, target); done || err != nil {
			return err
		}
		_, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		return err
	})
	return failure(err, "migrate queue")
}

// migrated reports whether River's tables are at the version.
func (q *Queue) migrated(ctx context.Context, target int) (bool, error) {
	current, err := q.version(ctx)
	switch {
	case err != nil:
		return false, failure(err, "read queue version")
	case current > target:
		return false, provisioning.Errorf(provisioning.KindPermanent, "check queue version",
			"the queue's tables are at version %d and this program knows only %d; use the newer release that made them", current, target)
	}
	return current == target, nil
}

func newestOf(migrator *rivermigrate.Migrator[pgx.Tx]) int {
	all := migrator.AllVersions()
	return all[len(all)-1].Version
}

// version is the newest migration of River's that was applied, 0 for none. Its
// table is without a column for the line of migrations at first, and there is only
// one line.
func (q *Queue) version(ctx context.Context) (int, error) {
	var there bool
	if err := q.pool.QueryRow(ctx, `SELECT to_regclass('river_migration') IS NOT NULL`).Scan(&there); err != nil || !there {
		return 0, err
	}
	var version int
	err := q.pool.QueryRow(ctx, `SELECT coalesce(max(version), 0) FROM river_migration`).Scan(&version)
	return version, err
}
