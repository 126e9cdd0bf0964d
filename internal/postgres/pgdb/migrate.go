package pgdb

import (
	"context"
	"embed"
	"io/fs"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

const migrationsTable = "healthcare_migrations"

// Migrations are this program's migrations of the registry. The name of each begins with
// its version.
func Migrations() fs.FS {
	dir, err := fs.Sub(migrationFiles, "migrations")
	if err != nil {
		panic(err) // They are embedded; only a broken build lacks them.
	}
	return dir
}

// Migrate migrates the registry to the newest version, under a lock: of many processes
// that start at once, one migrates and the others wait. KindPermanent when the
// registry is newer than this program.
func (db *DB) Migrate(ctx context.Context) error {
	return db.shared(ctx, "migrate", db.migrate)
}

func (db *DB) migrate(ctx context.Context) error {
	return db.withGoose(func(p *goose.Provider) error {
		current, target, err := p.GetVersions(ctx)
		switch {
		case err != nil:
			return Classify(err, "read registry version")
		case current > target:
			return registryTooNew(current, target)
		case current == target:
			return nil
		}
		if _, err := p.Up(ctx); err != nil {
			return Classify(err, "migrate registry")
		}
		return nil
	})
}

func (db *DB) checkRegistryVersion(ctx context.Context) error {
	return db.withGoose(func(p *goose.Provider) error {
		current, target, err := p.GetVersions(ctx)
		switch {
		case err != nil:
			return Classify(err, "read registry version")
		case current > target:
			return registryTooNew(current, target)
		case current < target:
			return registryTooOld(current, target)
		}
		return nil
	})
}

// Versions returns the version of the registry, 0 when it does not exist yet, and the
// version that this program needs.
func (db *DB) Versions(ctx context.Context) (current, newest int64, err error) {
	err = db.withGoose(func(p *goose.Provider) error {
		var err error
		current, newest, err = p.GetVersions(ctx)
		return Classify(err, "read registry version")
	})
	return current, newest, err
}

func registryTooOld(current, target int64) error {
	return errs.Errorf(errs.KindPermanent, "check registry version",
		"the registry is at version %d and this program needs %d; migrate it, or let auto_migrate do so", current, target)
}

func registryTooNew(current, target int64) error {
	return errs.Errorf(errs.KindPermanent, "check registry version",
		"the registry is at version %d and this program knows only %d; use the newer release that wrote it", current, target)
}

func (db *DB) withGoose(f func(*goose.Provider) error) error {
	const op = "set up registry migrations"
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
	if err != nil {
		return Classify(err, op)
	}
	conns := stdlib.OpenDBFromPool(db.pool)
	defer func() { _ = conns.Close() }() // Returns the connections to the pool.
	provider, err := goose.NewProvider(goose.DialectPostgres, conns, db.options.Migrations,
		goose.WithSessionLocker(locker), goose.WithTableName(migrationsTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return Classify(err, op)
	}
	return f(provider)
}
