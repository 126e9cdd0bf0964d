// Package blueprintstore keeps the published revisions of blueprints in the registry.
package blueprintstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// Store reads and writes blueprints. What was read of a revision is kept: it never changes.
type Store struct {
	db *pgdb.DB

	mu        sync.Mutex // Guards templates.
	templates map[key]*blueprintsql.Template
}

type key struct {
	name     string
	revision int
}

// maxTemplates is how many revisions are kept in memory. Each has all its SQL.
const maxTemplates = 64

// New returns the blueprints of a database.
func New(db *pgdb.DB) *Store { return &Store{db: db, templates: map[key]*blueprintsql.Template{}} }

// Template returns what the tenants at a revision are made from; 0 with the name standard is the
// blueprint standard of this program. KindPermanent for a revision that does not exist.
func (s *Store) Template(ctx context.Context, q pgdb.RowQuerier, name string, revision int) (*blueprintsql.Template, error) {
	if name == blueprint.StandardName {
		return blueprintsql.Standard, nil
	}
	k := key{name, revision}
	s.mu.Lock()
	known := s.templates[k]
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	read, err := readTemplate(ctx, q, k)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.templates) >= maxTemplates {
		clear(s.templates) // Rare, and each is read again when it is needed.
	}
	s.templates[k] = read
	return read, nil
}

func readTemplate(ctx context.Context, q pgdb.RowQuerier, k key) (*blueprintsql.Template, error) {
	const op = "read blueprint"
	var (
		files   []byte
		objects blueprintsql.Objects
	)
	err := q.QueryRow(ctx, `SELECT files, objects FROM blueprint_revisions WHERE blueprint = $1 AND revision = $2`, k.name, k.revision).Scan(&files, &objects)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, errs.Errorf(errs.KindPermanent, op, "the registry has no revision %d of the blueprint %s; restore it from a backup", k.revision, k.name)
	}
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	b, err := parse(files)
	if err != nil {
		return nil, errs.Wrap(err, errs.KindPermanent, op, "revision %d of the blueprint %s cannot be read by this program: %s; use a release that is at least as new as the one that published it",
			k.revision, k.name, errs.SafeMessage(err))
	}
	return blueprintsql.New(b, objects), nil
}

func parse(archive []byte) (blueprint.Blueprint, error) {
	files, err := blueprint.ReadTar(bytes.NewReader(archive))
	if err != nil {
		return blueprint.Blueprint{}, err
	}
	return blueprint.Parse(files)
}

// ActiveBlueprint returns the revision that new tenants get. See provisioning.BlueprintStore.
func (s *Store) ActiveBlueprint(ctx context.Context, name string) (blueprint.Active, error) {
	return s.active(ctx, name, false)
}

// UsedBlueprint is ActiveBlueprint for tenants that exist. See provisioning.BlueprintStore.
func (s *Store) UsedBlueprint(ctx context.Context, name string) (blueprint.Active, error) {
	return s.active(ctx, name, true)
}

func (s *Store) active(ctx context.Context, name string, retiredToo bool) (blueprint.Active, error) {
	if name == blueprint.StandardName {
		return blueprint.Active{Blueprint: blueprint.Standard()}, nil
	}
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return blueprint.Active{}, err
	}
	revision, err := activeRevision(ctx, pool, name, retiredToo)
	if err != nil {
		return blueprint.Active{}, err
	}
	t, err := s.Template(ctx, pool, name, revision)
	if err != nil {
		return blueprint.Active{}, err
	}
	return blueprint.Active{Blueprint: t.Own(), Revision: revision}, nil
}

// RevisionForRun returns the number of the active revision, 0 for standard. The blueprint may have
// been retired since the tenant was recorded.
func (s *Store) RevisionForRun(ctx context.Context, q pgdb.RowQuerier, name string) (int, error) {
	if name == blueprint.StandardName {
		return 0, nil
	}
	return activeRevision(ctx, q, name, true)
}

func activeRevision(ctx context.Context, q pgdb.RowQuerier, name string, retiredToo bool) (revision int, err error) {
	const op = "read blueprint"
	var retired bool
	err = q.QueryRow(ctx, `SELECT coalesce(active_revision, 0), retired_at IS NOT NULL FROM blueprints WHERE name = $1`, name).Scan(&revision, &retired)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return 0, invalid("%q is not published in this registry; publish it, or correct the name", name)
	case err != nil:
		return 0, pgdb.Classify(err, op)
	case retired && !retiredToo:
		return 0, invalid("%q is retired, so it makes no new tenants; activate it again, or name another one", name)
	case revision == 0:
		return 0, invalid("%q has no active revision; activate one", name)
	}
	return revision, nil
}

func invalid(format string, args ...any) error {
	return &errs.Error{Kind: errs.KindInvalid, Op: "read blueprint", Fields: []errs.FieldError{{Field: "blueprint", Message: fmt.Sprintf(format, args...)}}}
}
