package blueprintstore

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/fingerprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// The events of blueprints, in the registry's own chain.
const (
	AuditPublish  audit.Action = "blueprint.publish"
	AuditActivate audit.Action = "blueprint.activate"
	AuditRetire   audit.Action = "blueprint.retire"
)

// Draft is a revision before it is stored.
type Draft struct {
	Blueprint   blueprint.Blueprint
	Objects     blueprintsql.Objects
	Migrations  []blueprint.MigrationReport
	Archive     []byte // A tar, compressed by gzip.
	By          string
	Fingerprint fingerprint.Fingerprint
	After       int // The newest revision when the trial began; 0: none.
}

const revisionColumns = `r.blueprint, r.revision, r.sha256, r.schema_version, r.published_by, r.published_at,
	coalesce(b.active_revision = r.revision AND b.retired_at IS NULL, false), r.report`

func scanRevision(row pgx.CollectableRow) (r blueprint.Revision, err error) {
	err = row.Scan(&r.Blueprint, &r.Number, &r.SHA256, &r.SchemaVersion, &r.PublishedBy, &r.PublishedAt, &r.Active, &r.Migrations)
	return r, err
}

// Published returns the revisions of a blueprint, the newest first; none for an unknown name.
func (s *Store) Published(ctx context.Context, name string) ([]blueprint.Revision, error) {
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	return published(ctx, pool, name)
}

func published(ctx context.Context, q interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}, name string) ([]blueprint.Revision, error) {
	rows, _ := q.Query(ctx, `SELECT `+revisionColumns+` FROM blueprint_revisions r JOIN blueprints b ON b.name = r.blueprint
		WHERE r.blueprint = $1 ORDER BY r.revision DESC`, name)
	all, err := pgx.CollectRows(rows, scanRevision)
	return all, pgdb.Classify(err, "list revisions")
}

// Add stores a revision. Equal content is the revision that exists. KindConflict when another
// revision was published since the trial began and they differ in a migration.
func (s *Store) Add(ctx context.Context, d Draft) (added blueprint.Revision, err error) {
	const op = "publish blueprint"
	b := d.Blueprint
	err = s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO blueprints (name) VALUES ($1) ON CONFLICT DO NOTHING`, b.Name); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `SELECT FROM blueprints WHERE name = $1 FOR UPDATE`, b.Name); err != nil {
			return err
		}
		known, err := published(ctx, tx, b.Name)
		if err != nil {
			return err
		}
		for _, r := range known {
			if r.SHA256 == b.SHA256 {
				added = r
				return nil
			}
		}
		var fixedUntil int
		if err := tx.QueryRow(ctx, `SELECT `+fixed("$1"), b.Name).Scan(&fixedUntil); err != nil {
			return err
		}
		if err := checkContinues(d, known, fixedUntil); err != nil {
			return err
		}
		// A file that replaces one that no tenant has makes another structure.
		if _, err := tx.Exec(ctx, `DELETE FROM blueprint_fingerprints WHERE blueprint = $1 AND schema_version > $2`, b.Name, fixedUntil); err != nil {
			return err
		}
		rows, _ := tx.Query(ctx, `WITH r AS (INSERT INTO blueprint_revisions (blueprint, revision, sha256, schema_version, files, objects, report, published_by)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *)
			SELECT `+revisionColumns+` FROM r JOIN blueprints b ON b.name = r.blueprint`,
			b.Name, len(known)+1, b.SHA256, b.SchemaVersion(), d.Archive, d.Objects, nonNil(d.Migrations), d.By)
		if added, err = pgx.CollectExactlyOneRow(rows, scanRevision); err != nil {
			return err
		}
		added.Created = true
		if err := saveFingerprint(ctx, tx, b, d.Fingerprint); err != nil {
			return err
		}
		return auditlog.Append(ctx, tx, uuid.Nil, AuditPublish, map[string]any{"blueprint": b.Name, "revision": added.Number, "sha256": b.SHA256, "schemaVersion": b.SchemaVersion()})
	})
	return added, err
}

func nonNil(m []blueprint.MigrationReport) []blueprint.MigrationReport {
	if m == nil {
		return []blueprint.MigrationReport{}
	}
	return m
}

// checkContinues refuses a revision that was tried before another one was published, unless it
// has all migrations of that; and one without a migration that is fixed.
func checkContinues(d Draft, known []blueprint.Revision, fixedUntil int) error {
	if len(known) == 0 {
		return nil
	}
	compared := known[0].Migrations
	if known[0].Number == d.After {
		compared = compared[:min(len(compared), fixedUntil)]
	}
	for i, m := range compared {
		if i >= len(d.Migrations) || d.Migrations[i].Checksum != m.Checksum {
			return errs.Errorf(errs.KindConflict, "publish blueprint",
				"%s published revision %d of %s meanwhile, or activated it, whose %s these files do not have; take it over, and publish again", known[0].PublishedBy, known[0].Number, d.Blueprint.Name, m.File)
		}
	}
	return nil
}

// Activate makes a revision the one that new tenants get. KindNotFound for one that is not
// published.
func (s *Store) Activate(ctx context.Context, name string, revision int) error {
	const op = "activate blueprint"
	return s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		var (
			exists, retired bool
			active          int
		)
		err := tx.QueryRow(ctx, `SELECT coalesce(b.active_revision, 0), b.retired_at IS NOT NULL, EXISTS (SELECT FROM blueprint_revisions r WHERE r.blueprint = b.name AND r.revision = $2)
			FROM blueprints b WHERE b.name = $1 FOR UPDATE`, name, revision).Scan(&active, &retired, &exists)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return notFound(op, name)
		case err != nil:
			return err
		case !exists:
			return errs.Errorf(errs.KindNotFound, op, "the blueprint %s has no revision %d; tenant-api blueprints show %s lists them", name, revision, name)
		case active == revision && !retired:
			return nil
		}
		if err := checkNotReplaced(ctx, tx, name, revision); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE blueprints SET active_revision = $2, retired_at = NULL WHERE name = $1`, name, revision); err != nil {
			return err
		}
		return auditlog.Append(ctx, tx, uuid.Nil, AuditActivate, map[string]any{"blueprint": name, "revision": revision, "before": active})
	})
}

// checkNotReplaced refuses a revision with a migration that a later one has replaced: its tenants
// could never be brought to that.
func checkNotReplaced(ctx context.Context, tx pgx.Tx, name string, revision int) error {
	known, err := published(ctx, tx, name)
	if err != nil {
		return err
	}
	newest, wanted := known[0], known[len(known)-revision]
	for i, m := range wanted.Migrations {
		if i < len(newest.Migrations) && newest.Migrations[i].Checksum != m.Checksum {
			return errs.Errorf(errs.KindConflict, "activate blueprint", "revision %d of %s has %s as it was before revision %d replaced it; activate revision %d",
				revision, name, m.File, newest.Number, newest.Number)
		}
	}
	return nil
}

func notFound(op, name string) error {
	return errs.Errorf(errs.KindNotFound, op, "the blueprint %s is not published in this registry", name)
}

// Retire ends that new tenants are made from a blueprint; its tenants stay. Retiring it twice
// changes nothing.
func (s *Store) Retire(ctx context.Context, name string) error {
	const op = "retire blueprint"
	return s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		var retired bool
		err := tx.QueryRow(ctx, `SELECT retired_at IS NOT NULL FROM blueprints WHERE name = $1 FOR UPDATE`, name).Scan(&retired)
		if errors.Is(err, pgx.ErrNoRows) {
			return notFound(op, name)
		}
		if err != nil || retired {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE blueprints SET retired_at = now() WHERE name = $1`, name); err != nil {
			return err
		}
		return auditlog.Append(ctx, tx, uuid.Nil, AuditRetire, map[string]any{"blueprint": name})
	})
}
