package blueprintsql

import "github.com/google/uuid"

// RecordMigrations is the statement that records the template's migrations as applied to a tenant,
// those of its own blueprint up to a version.
func (t *Template) RecordMigrations(tenant uuid.UUID, version int) Statement {
	var (
		names, checksums []string
		versions         []int32
	)
	for _, b := range t.Blueprints {
		for _, m := range b.Migrations {
			if b.Name == t.Own().Name && m.Version > version {
				break
			}
			names, versions, checksums = append(names, b.Name), append(versions, int32(m.Version)), append(checksums, m.Checksum) //nolint:gosec // At most 1,000.
		}
	}
	return Statement{
		SQL: `INSERT INTO tenant_migrations (tenant_id, blueprint, version, checksum)
		SELECT $1::uuid, * FROM unnest($2::text[], $3::int[], $4::text[])`,
		Args: []any{tenant, names, versions, checksums},
	}
}
