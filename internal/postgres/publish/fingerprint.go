package publish

import (
	"context"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/fingerprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// Fingerprint returns the structure that the first migrations of a blueprint, up to a version,
// make on this server. After a major upgrade of PostgreSQL, and for an older version, it is made
// once, in a scratch schema that is rolled back, and stored.
func (p *Blueprints) Fingerprint(ctx context.Context, b blueprint.Blueprint, version int) (fingerprint.Fingerprint, error) {
	b.Migrations = b.Migrations[:min(version, len(b.Migrations))]
	pool, err := p.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	known, err := p.store.Fingerprint(ctx, pool, b)
	if err != nil || known != nil {
		return known, err
	}
	// An older version lacks tables and roles that the newest configuration names.
	b.Privileges, b.Grants = blueprint.Privileges{}, nil
	var made fingerprint.Fingerprint
	err = p.withScratch(pgdb.WithoutStatementLimit(ctx), b, func(s *scratch) error {
		_, made, err = s.tryNewTenant(ctx)
		return err
	})
	if err != nil {
		return nil, pgdb.Classify(err, "make fingerprint")
	}
	return made, p.store.SaveFingerprint(ctx, b, made)
}
