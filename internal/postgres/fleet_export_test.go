package postgres

import (
	"context"
	"io/fs"
)

// MigrateTenantsFrom is MigrateTenants with other files.
func MigrateTenantsFrom(ctx context.Context, db *DB, dir fs.FS, o FleetOptions) (FleetReport, error) {
	versions, err := parseVersions(dir)
	if err != nil {
		return FleetReport{}, err
	}
	return db.migrateTenants(ctx, versions, o)
}

// TenantFiles are the files of this program.
func TenantFiles() fs.FS {
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
func NewestBaselines() []string { return tenantVersions[len(tenantVersions)-1].baselines }

// BaselineChecksum is the baseline's own.
func BaselineChecksum() string { return baseline.checksum }
