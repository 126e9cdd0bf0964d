package postgres

import (
	"context"
	"io/fs"
)

// MigrateTenantsFrom is MigrateTenants with the given files.
func MigrateTenantsFrom(ctx context.Context, db *DB, dir fs.FS, o TenantMigrationOptions) (TenantMigrationReport, error) {
	versions, err := parseVersions(dir)
	if err != nil {
		return TenantMigrationReport{}, err
	}
	return db.migrateTenants(ctx, versions, o)
}

// TenantMigrationFiles returns the embedded migration files.
func TenantMigrationFiles() fs.FS {
	dir, err := fs.Sub(migrations, "migrations/tenant")
	if err != nil {
		panic(err)
	}
	return dir
}

// ParseVersions reads the files of a directory and returns their checksums.
func ParseVersions(dir fs.FS) (checksums []string, err error) {
	versions, err := parseVersions(dir)
	for _, v := range versions {
		checksums = append(checksums, v.checksum)
	}
	return checksums, err
}

// NewestBaselines returns the baselines that the newest file lists.
func NewestBaselines() []string { return tenantSchemaVersions[len(tenantSchemaVersions)-1].baselines }

// BaselineChecksum returns the checksum of the baseline.
func BaselineChecksum() string { return baseline.checksum }
