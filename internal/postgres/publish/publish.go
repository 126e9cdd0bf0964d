// Package publish tries blueprints out and publishes them: each migration runs in a scratch
// schema, where its locks, scans and rewrites are measured, before a tenant gets it.
package publish

import (
	"bytes"
	"compress/gzip"
	"context"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintstore"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/fingerprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
)

// Blueprints validates, publishes, activates and retires blueprints.
type Blueprints struct {
	db      *pgdb.DB
	store   *blueprintstore.Store
	schemas *tenantschema.Schemas

	statementTimeout time.Duration // Of each statement of a trial.
}

// New returns the blueprints of a database.
func New(db *pgdb.DB, store *blueprintstore.Store, schemas *tenantschema.Schemas) *Blueprints {
	return &Blueprints{db: db, store: store, schemas: schemas, statementTimeout: statementTimeout}
}

// Timeout is how long a trial may take. A migration that does not end is an error.
const Timeout = 10 * time.Minute

// Validate parses the files, tries them out and returns the revision that publishing
// them would make; its number is 0 unless equal content is published. KindInvalid, whose cause can
// be blueprint.Problems, for files that cannot be published; KindTransient when the database does
// not answer.
func (p *Blueprints) Validate(ctx context.Context, files fs.FS) (blueprint.Revision, error) {
	r, err := p.try(ctx, files)
	return r.Revision, err
}

// Publish does the same and stores the revision. Equal content is the same revision.
// With activate, new tenants get it from then on.
func (p *Blueprints) Publish(ctx context.Context, files fs.FS, activate bool) (blueprint.Revision, error) {
	r, err := p.try(ctx, files)
	if err != nil {
		return blueprint.Revision{}, err
	}
	revision := r.Revision
	if revision.Number == 0 {
		var archive bytes.Buffer
		compressed := gzip.NewWriter(&archive)
		if err := blueprint.WriteTar(files, compressed); err != nil {
			return revision, err
		}
		if err := compressed.Close(); err != nil {
			return revision, err
		}
		if revision, err = p.store.Add(ctx, blueprintstore.Draft{
			Blueprint: r.blueprint, Objects: r.objects, Migrations: revision.Migrations, Archive: archive.Bytes(), By: publishedBy(ctx), Fingerprint: r.fingerprint, After: r.after,
		}); err != nil {
			return revision, err
		}
	}
	if activate {
		err = p.store.Activate(ctx, revision.Blueprint, revision.Number)
		revision.Active = err == nil
	}
	return revision, err
}

// publishedBy is the caller, for people.
func publishedBy(ctx context.Context) string {
	caller := audit.CallerOf(ctx)
	text := string(caller.Kind)
	for _, part := range []string{caller.Name, caller.ID} {
		if part != "" {
			text += " " + part
		}
	}
	return errs.Truncate(text, 300)
}

// tried is the result of a trial.
type tried struct {
	blueprint.Revision
	blueprint   blueprint.Blueprint
	objects     blueprintsql.Objects
	fingerprint fingerprint.Fingerprint
	after       int // See blueprintstore.Draft.
}

// try parses and tries a blueprint. The report of a migration that was published before is the
// one of then.
func (p *Blueprints) try(ctx context.Context, files fs.FS) (t tried, err error) {
	const op = "try blueprint"
	if t.blueprint, err = blueprint.Parse(files); err != nil {
		return t, err
	}
	b := t.blueprint
	if b.Extends == blueprint.BaseNone && len(b.Migrations) == 0 { // The ledger of migrations says whose a schema is.
		return t, problemsError(blueprint.Problems{{File: "blueprint.yaml", Message: "extends none and has no migrations, so that a tenant would have nothing; write the first one"}})
	}
	known, err := p.store.Published(ctx, b.Name)
	if err != nil {
		return t, err
	}
	for _, r := range known {
		if r.SHA256 == b.SHA256 {
			t.Revision = r
			return t, nil
		}
	}
	var before []blueprint.MigrationReport
	if len(known) > 0 {
		fixed, err := p.store.Fixed(ctx, b.Name)
		if err != nil {
			return t, err
		}
		t.after, before = known[0].Number, known[0].Kept(b, fixed)
	}
	if err := b.CheckHistory(before); err != nil {
		return t, err
	}
	t.Revision = blueprint.Revision{Blueprint: b.Name, SHA256: b.SHA256, SchemaVersion: b.SchemaVersion(), PublishedBy: publishedBy(ctx)}
	ctx, cancel := context.WithTimeout(pgdb.WithoutStatementLimit(ctx), Timeout)
	defer cancel()
	err = p.withScratch(ctx, b, func(s *scratch) error {
		if t.objects, t.fingerprint, err = s.tryNewTenant(ctx); err != nil {
			return err
		}
		measured, err := s.measure(ctx, len(before), len(known) > 0)
		t.Migrations = append(before, measured...)
		return err
	})
	return t, pgdb.Classify(err, op)
}

func problemsError(problems blueprint.Problems) error {
	if len(problems) == 0 {
		return nil
	}
	return problems.AsError("try blueprint")
}

// withScratch calls f with a connection of its own. What f leaves in the database is removed,
// also what an earlier trial left that was killed.
func (p *Blueprints) withScratch(ctx context.Context, b blueprint.Blueprint, f func(*scratch) error) error {
	pool, err := p.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	s := &scratch{conn: conn.Conn(), blueprint: b, limit: p.statementTimeout}
	if err := conn.QueryRow(ctx, `SELECT current_setting('statement_timeout'), current_setting('lock_timeout')`).Scan(&s.statementTimeout, &s.lockTimeout); err != nil {
		conn.Release()
		return err
	}
	defer s.release(ctx, conn)
	if s.owner, err = p.schemas.SchemaOwner(ctx, conn.Conn()); err != nil {
		return err
	}
	if err := s.removeOld(ctx); err != nil {
		return err
	}
	if err := s.setUp(ctx); err != nil {
		return err
	}
	return f(s)
}

// release gives a connection back with the settings that it had. One whose state is not known is
// closed.
func (s *scratch) release(ctx context.Context, conn *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, err := conn.Exec(ctx, `SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false)`, s.statementTimeout, s.lockTimeout)
	if err == nil && !s.dirty {
		pgdb.CountCreatedTenant(conn.Conn())
		conn.Release()
		return
	}
	_ = conn.Hijack().Close(ctx)
}
