package pgdb

import (
	"context"
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// CheckReady checks whether this program can use the registry, and changes nothing.
// KindPermanent when it cannot: a registry that is newer, or older while automatic
// migration is off, or a rejected login. A database that does not answer, or does not
// exist yet, is KindTransient. An empty one is no error: another process may be
// creating the registry.
func (db *DB) CheckReady(ctx context.Context) error {
	const op = "check registry"
	current, err := db.existingVersion(ctx)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "3D000" {
		return errs.Wrap(err, errs.KindTransient, op, "the database does not exist yet")
	}
	if err != nil {
		return Classify(err, op)
	}
	switch newest := newestVersionOf(db.options.Migrations); {
	case current > newest:
		return registryTooNew(current, newest)
	case 0 < current && current < newest && db.options.ManualMigrate:
		return registryTooOld(current, newest)
	}
	return nil
}

// existingVersion reads the version of the registry and makes nothing; 0: it does not exist.
func (db *DB) existingVersion(ctx context.Context) (current int64, err error) {
	err = db.pool.QueryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM `+migrationsTable+` WHERE is_applied`).Scan(&current)
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "42P01" { // Nothing was migrated yet.
		err = nil
	}
	return current, err
}

// newestVersionOf returns the highest version in the names of migration files.
func newestVersionOf(dir fs.FS) (newest int64) {
	files, err := fs.ReadDir(dir, ".")
	if err != nil {
		panic(err) // They are embedded; only a broken build lacks them.
	}
	for _, file := range files {
		number, _, _ := strings.Cut(file.Name(), "_")
		if n, err := strconv.ParseInt(number, 10, 64); err == nil {
			newest = max(newest, n)
		}
	}
	return newest
}
