// Package tenantschema creates the schemas and roles of tenants from their blueprints, compares
// them with these, repairs and migrates them.
package tenantschema

import (
	"context"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintstore"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/runs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Schemas creates, inspects, repairs and migrates the schemas of tenants.
type Schemas struct {
	db          *pgdb.DB
	blueprints  *blueprintstore.Store
	schemaOwner atomic.Pointer[string] // Nil: not read yet.
}

// New returns the tenant schemas of a database.
func New(db *pgdb.DB, blueprints *blueprintstore.Store) *Schemas {
	return &Schemas{db: db, blueprints: blueprints}
}

// serverFacts are what the SQL for a tenant's schema depends on.
type serverFacts struct {
	schemaOwner string
	citus       bool
}

// facts reads them, once for the name of the schema owner: it never changes.
func (s *Schemas) facts(ctx context.Context, conn *pgx.Conn) (serverFacts, error) {
	facts := serverFacts{citus: pgdb.HasCitus(conn)}
	if known := s.schemaOwner.Load(); known != nil {
		facts.schemaOwner = *known
		return facts, nil
	}
	err := conn.QueryRow(ctx, `SELECT schema_owner FROM registry`).Scan(&facts.schemaOwner)
	if err == nil {
		s.schemaOwner.Store(&facts.schemaOwner)
	}
	return facts, pgdb.Classify(err, "read schema owner")
}

// Template is what a tenant is made from and compared with: the revision that its schema was last
// brought to.
func (s *Schemas) Template(ctx context.Context, q pgdb.RowQuerier, t tenant.Tenant) (*blueprintsql.Template, error) {
	return s.blueprints.Template(ctx, q, t.Blueprint, t.BlueprintRevision)
}

// SchemaOwner is the role that owns the schemas of tenants.
func (s *Schemas) SchemaOwner(ctx context.Context, conn *pgx.Conn) (string, error) {
	facts, err := s.facts(ctx, conn)
	return facts.schemaOwner, err
}

// Version is the newest schema version of the blueprint standard.
var Version = blueprintsql.Standard.Version()

const opCreateSchema = "create tenant schema"

// PrepareSchema creates schema, tables, rows and role of a tenant in one transaction and one
// round trip, together with checkpoint and log.
func (s *Schemas) PrepareSchema(ctx context.Context, r provisioning.Run, seed provisioning.Seed) (tenant.Durations, error) {
	took, err := s.createSchema(ctx, r, seed)
	if errs.KindOf(err) == errs.KindFenced {
		return s.alreadyPrepared(ctx, r, seed)
	}
	return took, err
}

func (s *Schemas) createSchema(ctx context.Context, r provisioning.Run, seed provisioning.Seed) (tenant.Durations, error) {
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, pgdb.Classify(err, opCreateSchema)
	}
	defer conn.Release()
	facts, err := s.facts(ctx, conn.Conn())
	if err != nil {
		return nil, err
	}
	if r.Tenant.Adopted {
		return nil, errs.Errorf(errs.KindPermanent, opCreateSchema, "the schema %s was there before the tenant, and its adoption did not end; run tenant-api tenants adopt again", r.Tenant.SchemaName)
	}
	revision, err := s.blueprints.RevisionForRun(ctx, conn, r.Tenant.Blueprint)
	if err != nil {
		return nil, err
	}
	t, err := s.blueprints.Template(ctx, conn, r.Tenant.Blueprint, revision)
	if err != nil {
		return nil, err
	}
	r.Tenant.BlueprintRevision = revision
	if r.Tenant.Variables, err = t.Own().ResolveVariables(r.Tenant.Variables); err != nil {
		return nil, err
	}
	answers, err := newSchemaBatch(conn.Conn().TypeMap(), t, r, seed, facts).send(ctx, conn.Conn())
	if err != nil {
		return nil, pgdb.Classify(err, opCreateSchema)
	}
	pgdb.CountCreatedTenant(conn.Conn())
	return stepDurations(answers[len(answers)-2]) // The last one is the commit's.
}

// alreadyPrepared distinguishes a superseded run from one whose own commit succeeded
// although its answer was lost. That commit may still have been
// in progress when the run retried, so a read before the retry is not enough.
func (s *Schemas) alreadyPrepared(ctx context.Context, r provisioning.Run, seed provisioning.Seed) (tenant.Durations, error) {
	found, err := runs.Reload(ctx, s.db, r)
	if err != nil {
		return nil, err
	}
	if found.AdminUser != seed.AdminUser || found.Rollback != provisioning.RollbackNone ||
		found.Checkpoint.Index() < tenant.StepSeedRolesAndUser.Index() {
		return nil, pgdb.ErrFenced
	}
	return runs.Logged(ctx, s.db, found)
}
