package postgres

import (
	"context"
	"io/fs"
)

// MigrateTenantsFrom is MigrateTenants with other files.
func MigrateTenantsFrom(ctx context.Context, db *DB, dir fs.FS, o TenantMigrationOptions) (TenantMigrationReport, error) {
	versions, err := parseVersions(dir)
	if err != nil {
		return TenantMigrationReport{}, err
	}
	return db.migrateTenants(ctx, versions, o)
}

// TenantMigrationFiles are the files of this program.
func TenantMigrationFiles() fs.FS {
	dir, err := fs.Sub(migrations, "migrations/tenant")
	if err != nil {
		panic(err)
	}
	return dir
}

// ParseVersions reads the files of a directory and gives their checksums.
func ParseVersions(dir fs.FS) (checksums []string, err error) {
	versions, err := parseVersions(dir)
	for _, v := range versions {
		checksums = append(checksums, v.checksum)
	}
	return checksums, err
}

// NewestBaselines are the baselines that the newest file knows.
func NewestBaselines() []string { return tenantSchemaVersions[len(tenantSchemaVersions)-1].baselines }

// BaselineChecksum is the baseline's own.
func BaselineChecksum() string { return baseline.checksum }
