package postgres

import (
	"context"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/adopt"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/apikeys"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintstore"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/checks"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/lifecycle"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/logins"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/orphans"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/ownsteps"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/platform"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/publish"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/registry"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/runs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/sessions"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/stats"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/stellarstore"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/waiting"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/welcome"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

// DB is a database and the stores on it, one for each concern. All are safe for
// concurrent use.
type DB struct {
	*pgdb.DB
	*registry.Registry
	*registry.Creations
	*lifecycle.Lifecycle
	*runs.Runs
	*ownsteps.Steps
	*welcome.Mails
	*orphans.Orphans
	*waiting.Waiting
	*stats.Stats
	*tenantschema.Schemas
	*adopt.Adoptions
	*logins.Logins
	*checks.Checks
	*stellarstore.Transactions
	*stellarstore.Contracts
	*auditlog.AuditLog
	APIKeys    *apikeys.Store
	Sessions   *sessions.Store
	Blueprints *publish.Blueprints
	Platform   *platform.Platform
}

var (
	_ provisioning.Store           = (*DB)(nil)
	_ provisioning.Runs            = (*DB)(nil)
	_ provisioning.OrphanStore     = (*DB)(nil)
	_ contracts.Store              = (*DB)(nil)
	_ inspection.Store             = (*DB)(nil)
	_ credentials.Store            = (*DB)(nil)
	_ verification.RegistryChecker = (*DB)(nil)
	_ access.Store                 = (*apikeys.Store)(nil)
	_ access.SessionStore          = (*sessions.Store)(nil)
)

// Open reads the settings and prepares a pool and its stores. It does not connect: the
// first use connects and migrates. KindInvalid when the settings cannot be read.
func Open(ctx context.Context, o pgdb.Options) (*DB, error) {
	db, err := pgdb.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	uncertain := runs.NewUncertainLeases(time.Now)
	blueprints := blueprintstore.New(db)
	logins, schemas := logins.New(db), tenantschema.New(db, blueprints)
	published := publish.New(db, blueprints, schemas)
	return &DB{
		DB: db, Registry: registry.New(db), Creations: registry.NewCreations(db), Lifecycle: lifecycle.New(db, logins, schemas),
		Runs: runs.New(db, uncertain), Steps: ownsteps.New(db, blueprints), Mails: welcome.New(db), Orphans: orphans.New(db), Waiting: waiting.New(db), Stats: stats.New(db), Schemas: schemas, Adoptions: adopt.New(db, schemas, published),
		Logins: logins, Checks: checks.New(db, schemas, published), Transactions: stellarstore.NewTransactions(db, uncertain), Contracts: stellarstore.NewContracts(db),
		AuditLog: auditlog.New(db), APIKeys: apikeys.New(db), Sessions: sessions.New(db), Blueprints: published, Platform: platform.New(db, schemas, logins),
	}, nil
}

// ActiveBlueprint is the revision of a blueprint that new tenants get. See
// provisioning.BlueprintStore.
func (d *DB) ActiveBlueprint(ctx context.Context, name string) (blueprint.Active, error) {
	return d.Blueprints.Active(ctx, name)
}

// UsedBlueprint is ActiveBlueprint for tenants that exist. See provisioning.BlueprintStore.
func (d *DB) UsedBlueprint(ctx context.Context, name string) (blueprint.Active, error) {
	return d.Blueprints.Used(ctx, name)
}

// Queue adds jobs in transactions of the registry, and replaces those that were lost.
type Queue interface {
	registry.Queue
	lifecycle.Queue
	orphans.JobRescuer
}

// UseQueue sets the queue of Submit, Requeue, QueueMove and FindOrphans. It must be called before
// them.
func (d *DB) UseQueue(q Queue) {
	d.Creations.UseQueue(q)
	d.Lifecycle.UseQueue(q)
	d.Orphans.UseQueue(q)
}
