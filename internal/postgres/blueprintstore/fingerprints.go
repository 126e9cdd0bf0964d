package blueprintstore

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/fingerprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// standardVersion is the version of standard that a blueprint extends; 0: it does not.
func standardVersion(b blueprint.Blueprint) int {
	if layers := b.Layers(); len(layers) > 1 {
		return layers[0].SchemaVersion()
	}
	return 0
}

const postgresVersion = `(current_setting('server_version_num')::int / 10000)`

func saveFingerprint(ctx context.Context, tx pgx.Tx, b blueprint.Blueprint, f fingerprint.Fingerprint) error {
	_, err := tx.Exec(ctx, `INSERT INTO blueprint_fingerprints (blueprint, schema_version, standard_version, postgres_version, fingerprint)
		VALUES ($1, $2, $3, `+postgresVersion+`, $4) ON CONFLICT DO NOTHING`, b.Name, b.SchemaVersion(), standardVersion(b), f)
	return err
}

// SaveFingerprint stores the structure that the migrations of a blueprint make on this server.
func (s *Store) SaveFingerprint(ctx context.Context, b blueprint.Blueprint, f fingerprint.Fingerprint) error {
	return s.db.InTx(ctx, "store fingerprint", func(tx pgx.Tx) error {
		return saveFingerprint(ctx, tx, b, f)
	})
}

// Fingerprint returns the structure that the migrations of a blueprint make on this server; nil
// when it was not stored yet.
func (s *Store) Fingerprint(ctx context.Context, q pgdb.RowQuerier, b blueprint.Blueprint) (f fingerprint.Fingerprint, err error) {
	err = q.QueryRow(ctx, `SELECT fingerprint FROM blueprint_fingerprints WHERE blueprint = $1 AND schema_version = $2 AND standard_version = $3
		AND postgres_version = `+postgresVersion, b.Name, b.SchemaVersion(), standardVersion(b)).Scan(&f)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return f, pgdb.Classify(err, "read fingerprint")
}
