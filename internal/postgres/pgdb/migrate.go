package pgdb

import (
	"context"
	"embed"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

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
// that start at once, one migrates and the others wait (see MigrationLock). KindPermanent
// when the registry is newer than this program.
func (db *DB) Migrate(ctx context.Context) error {
	return db.shared(ctx, "migrate", db.migrate)
}

// migrationTimeout limits a migration of the registry, with the wait for its lock.
const migrationTimeout = 10 * time.Minute

func (db *DB) migrate(ctx context.Context) error {
	return db.withGoose(func(p *goose.Provider) error {
		current, target, err := db.versions(ctx, p)
		if err != nil || current == target {
			return err
		}
		if current == 0 {
			taken := db.checkNames(ctx)
			if current, _, err = db.versions(ctx, p); err == nil && current == 0 {
				err = taken // Else another process has made the registry meanwhile.
			}
			if err != nil {
				return err
			}
		}
		ctx, cancel := context.WithTimeout(WithoutStatementLimit(ctx), migrationTimeout)
		defer cancel()
		_, err = p.Up(ctx)
		return Classify(err, "migrate registry")
	})
}

func (db *DB) checkRegistryVersion(ctx context.Context) error {
	return db.withGoose(func(p *goose.Provider) error {
		current, target, err := db.versions(ctx, p)
		if err == nil && current < target {
			return registryTooOld(current, target)
		}
		return err
	})
}

// Versions returns the version of the registry, 0 when it does not exist yet, and the
// version that this program needs.
func (db *DB) Versions(ctx context.Context) (current, newest int64, err error) {
	if current, err = db.existingVersion(ctx); err != nil || current == 0 { // goose would make its table.
		return 0, newestVersionOf(db.options.Migrations), Classify(err, "read registry version")
	}
	err = db.withGoose(func(p *goose.Provider) error {
		var err error
		current, newest, err = p.GetVersions(ctx)
		return Classify(err, "read registry version")
	})
	return current, newest, err
}

// versions is Versions for a program that is about to use the registry. KindPermanent when
// the registry is newer than this program.
func (db *DB) versions(ctx context.Context, p *goose.Provider) (current, newest int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*db.options.AnswerTimeout)
	defer cancel()
	current, newest, err = p.GetVersions(ctx)
	if err == nil && current > newest {
		err = registryTooNew(current, newest)
	}
	return current, newest, Classify(err, "read registry version")
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
	migrationLock, err := NewMigrationLock(db.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	conns := stdlib.OpenDBFromPool(db.pool)
	defer func() { _ = conns.Close() }() // Returns the connections to the pool.
	provider, err := goose.NewProvider(goose.DialectPostgres, conns, db.options.Migrations,
		goose.WithLocker(gooseLock{migrationLock}), goose.WithTableName(migrationsTable), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return Classify(err, op)
	}
	return f(provider)
}
