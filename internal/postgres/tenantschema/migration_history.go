package tenantschema

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// checkMigrationHistory compares the applied migrations with those of the template, before any
// other is applied.
func (s *Schemas) checkMigrationHistory(ctx context.Context, target *blueprintsql.Template) error {
	const op = "check tenant migrations"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	names, _ := newest(target)
	rows, err := pool.Query(ctx, `SELECT DISTINCT blueprint, version, checksum FROM tenant_migrations WHERE blueprint = ANY ($1) ORDER BY blueprint, version`, names)
	if err != nil {
		return pgdb.Classify(err, op)
	}
	var (
		name     string
		version  int
		checksum string
	)
	_, err = pgx.ForEachRow(rows, []any{&name, &version, &checksum}, func() error { return CheckApplied(target, name, version, checksum) })
	return pgdb.Classify(err, op)
}

// CheckApplied checks a row of the ledger against a template. KindPermanent when the file was
// changed, or the version is newer.
func CheckApplied(t *blueprintsql.Template, name string, version int, checksum string) error {
	for _, b := range t.Blueprints {
		if b.Name == name {
			return checkAppliedVersion(b, version, checksum)
		}
	}
	return errs.Errorf(errs.KindPermanent, "check tenant migrations", "the ledger has migrations of the blueprint %s, which is not the tenant's; the registry was changed by hand", name)
}

func checkAppliedVersion(b blueprint.Blueprint, version int, checksum string) error {
	const op = "check tenant migrations"
	switch {
	case version > b.SchemaVersion() && b.Name != blueprint.StandardName:
		return nil // An older revision is active; publishing has compared the files of both.
	case version > b.SchemaVersion():
		return errs.Errorf(errs.KindPermanent, op,
			"a tenant schema is at version %d of the blueprint %s and this program knows only %d; use the newer release that wrote it", version, b.Name, b.SchemaVersion())
	case version < 1 || b.Migrations[version-1].Checksum != checksum:
		file := "of an unknown version"
		if version >= 1 {
			file = b.Migrations[version-1].File
		}
		return errs.Errorf(errs.KindPermanent, op,
			"the migration %s of the blueprint %s differs from what was applied (checksum %.12s…); restore the file, and put changes into a new one", file, b.Name, checksum)
	}
	return nil
}

// VersionStatus counts tenant schemas by version.
type VersionStatus struct {
	Version  int         // The newest.
	Pending  int         // Tenants below it.
	Versions map[int]int // Tenants by their version; 0: tenants without a row in the ledger.
}

// TenantVersions counts the tenants of the blueprint standard that have a schema by its version.
func (s *Schemas) TenantVersions(ctx context.Context) (VersionStatus, error) {
	const op = "count tenant versions"
	status := VersionStatus{Version: Version, Versions: map[int]int{}}
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return status, err
	}
	rows, err := pool.Query(ctx, `SELECT version, count(*) FROM (
			SELECT coalesce(max(m.version), 0) AS version FROM tenants t LEFT JOIN tenant_migrations m ON m.tenant_id = t.id AND m.blueprint = t.blueprint
			WHERE `+hasSchemaPredicate+` AND t.blueprint = $1 GROUP BY t.id) AS newest
		GROUP BY version`, blueprint.StandardName)
	if err != nil {
		return status, pgdb.Classify(err, op)
	}
	var version, tenantCount int
	_, err = pgx.ForEachRow(rows, []any{&version, &tenantCount}, func() error {
		status.Versions[version] = tenantCount
		if version < status.Version {
			status.Pending += tenantCount
		}
		return nil
	})
	return status, pgdb.Classify(err, op)
}
