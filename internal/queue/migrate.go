package queue

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// Migrate brings River's tables to the version that this program knows. If many processes
// start at once, one migrates and the others wait for it; with nothing to migrate it needs
// one or two queries. KindPermanent when the tables are newer than this program.
func (q *Queue) Migrate(ctx context.Context) error {
	migrator, err := rivermigrate.New(q.driver, &rivermigrate.Config{Logger: q.riverLog})
	if err != nil {
		return classify(err, "set up queue migrations")
	}
	target := newestVersion(migrator)
	if done, err := q.isMigrated(ctx, target); done || err != nil {
		return err
	}
	lock, err := pgdb.NewMigrationLock(q.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	if err := lock.Lock(ctx); err != nil {
		return err
	}
	defer lock.Unlock(ctx)
	if done, err := q.isMigrated(ctx, target); done || err != nil {
		return err
	}
	if _, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err == nil {
		_, err = q.pool.Exec(ctx, revokeDefaults)
	}
	return classify(err, "migrate queue")
}

// revokeDefaults takes from others what default privileges gave them on River's tables, with
// the function that the registry has for that: programs migrate the registry first.
const revokeDefaults = `DO $$ BEGIN
	IF to_regprocedure('public.revoke_defaults(text, text[])') IS NOT NULL THEN
		PERFORM public.revoke_defaults('public', '{river_%}');
	END IF;
END $$`

// isMigrated reports whether River's tables are at the target version.
func (q *Queue) isMigrated(ctx context.Context, target int) (bool, error) {
	current, err := q.appliedVersion(ctx)
	switch {
	case err != nil:
		return false, classify(err, "read queue version")
	case current > target:
		return false, errs.Errorf(errs.KindPermanent, "check queue version",
			"the queue's tables are at version %d and this program supports only %d; use the newer release that migrated them", current, target)
	}
	return current == target, nil
}

func newestVersion(migrator *rivermigrate.Migrator[pgx.Tx]) int {
	versions := migrator.AllVersions()
	return versions[len(versions)-1].Version
}

// appliedVersion returns the newest applied migration of River, 0 for none. It does not
// filter by migration line: the first version of River's table has no such column, and only
// one line is in use.
func (q *Queue) appliedVersion(ctx context.Context) (int, error) {
	var exists bool
	if err := q.pool.QueryRow(ctx, `SELECT to_regclass('river_migration') IS NOT NULL`).Scan(&exists); err != nil || !exists {
		return 0, err
	}
	var version int
	err := q.pool.QueryRow(ctx, `SELECT coalesce(max(version), 0) FROM river_migration`).Scan(&version)
	return version, err
}
