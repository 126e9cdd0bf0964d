package tenantschema

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
)

// MigrationOptions are the options of MigrateTenants.
type MigrationOptions struct {
	// Blueprint is the only blueprint whose tenants are migrated. Empty: all.
	Blueprint string
	// Canary is the number of tenants to migrate first, one by one; when one of them
	// fails, no further tenant is migrated. -1: none. 0: DefaultCanary.
	Canary int
	// Concurrency is how many tenants are migrated at once after that. 0:
	// DefaultMigrationConcurrency.
	Concurrency int
	// TenantID is the only tenant to migrate. Nil: all.
	TenantID *uuid.UUID
	// DryRun only counts the pending tenants.
	DryRun bool
	// EndSessions ends sessions that hold a tenant's tables, after the usual wait.
	EndSessions bool
	// StatementTimeout is how long one statement of a migration may take in one tenant, unless it
	// makes or drops an index CONCURRENTLY. Negative: any time. 0: DefaultStatementTimeout.
	StatementTimeout time.Duration
	// Standard is the blueprint standard. Default: that of this program.
	Standard *blueprint.Blueprint
	// Progress is called for each tenant, by one goroutine at a time. Default: none.
	Progress func(MigrationProgress)
}

// The defaults of MigrationOptions.
const (
	DefaultCanary               = 1
	DefaultMigrationConcurrency = 4
	DefaultStatementTimeout     = time.Hour
)

// MigrationProgress is the result of one tenant, and how many are done.
type MigrationProgress struct {
	TenantID    uuid.UUID
	Canary      bool
	Err         error // Nil: at the newest version, or purged meanwhile.
	Done, Total int   // Tenants, failed ones included.
}

// MigrationReport is the result of MigrateTenants.
type MigrationReport struct {
	Targets  []MigrationTarget // By name of the blueprint.
	Pending  int               // Tenants that are not at their target.
	Migrated int               // Tenants migrated by this call.
	Failed   []MigrationFailure
}

// MigrationTarget is what the tenants of one blueprint are brought to.
type MigrationTarget struct {
	Blueprint string
	Revision  int // 0: the blueprint standard.
	Version   int // The newest schema version.
	Pending   int // Tenants that are not there yet.

	template *blueprintsql.Template
}

// MigrationFailure is a tenant that could not be migrated. It is unchanged.
type MigrationFailure struct {
	TenantID uuid.UUID
	Err      error
}

// tenantMigrationRetry is for a tenant that another transaction holds. Queries queue
// behind a lock that DDL waits for, so each wait is short.
var tenantMigrationRetry = retry.Policy{Attempts: 6, Base: 250 * time.Millisecond, Cap: 4 * time.Second}

const tenantMigrationLockTimeout = "1s"

// MigrateTenants brings the schemas of all tenants that were ever live and are not
// purged to the active revisions of their blueprints: migrations and privileges. What a tenant's
// transaction does commits or fails as a whole; a tenant that fails does not stop the others,
// unless it is a canary. It can be interrupted and repeated at any time, also by many processes
// at once.
//
// KindPermanent when a file was changed after it was applied somewhere, when a
// tenant is newer than this program, and when tenants failed: the report has their
// errors.
func (s *Schemas) MigrateTenants(ctx context.Context, o MigrationOptions) (MigrationReport, error) {
	if o.Canary == 0 {
		o.Canary = DefaultCanary
	}
	if o.Concurrency <= 0 {
		o.Concurrency = DefaultMigrationConcurrency
	}
	if o.StatementTimeout == 0 {
		o.StatementTimeout = DefaultStatementTimeout
	}
	if o.Progress == nil {
		o.Progress = func(MigrationProgress) {}
	}
	var report MigrationReport
	var err error
	if report.Targets, err = s.migrationTargets(ctx, o); err != nil {
		return report, err
	}
	if o.TenantID != nil {
		if err := s.checkMigratable(ctx, *o.TenantID); err != nil {
			return report, err
		}
	}
	var pending []pendingTenant
	for i := range report.Targets {
		target := &report.Targets[i]
		if err := s.checkMigrationHistory(ctx, target.template); err != nil {
			return report, err
		}
		ids, err := s.pendingTenants(ctx, *target, o.TenantID)
		if err != nil {
			return report, err
		}
		target.Pending = len(ids)
		for _, id := range ids {
			pending = append(pending, pendingTenant{id, target, max(o.StatementTimeout, 0)})
		}
	}
	report.Pending = len(pending)
	if o.DryRun {
		return report, nil
	}
	migration := &tenantMigration{schemas: s, options: o, report: &report}
	return report, migration.run(ctx, pending)
}

// migrationTargets are the blueprints that the options choose, with what their tenants are
// brought to.
func (s *Schemas) migrationTargets(ctx context.Context, o MigrationOptions) (targets []MigrationTarget, err error) {
	active, err := s.blueprints.List(ctx, "")
	if err != nil {
		return nil, err
	}
	standard := blueprintsql.Standard
	if o.Standard != nil {
		standard = blueprintsql.NewStandard(*o.Standard)
	}
	active = append(active, blueprint.Status{Name: blueprint.StandardName})
	for _, b := range active {
		if o.Blueprint != "" && o.Blueprint != b.Name || b.Name != blueprint.StandardName && b.ActiveRevision == 0 {
			continue
		}
		target := MigrationTarget{Blueprint: b.Name, Revision: b.ActiveRevision, template: standard}
		if b.Name != blueprint.StandardName {
			if target.template, err = s.blueprints.Template(ctx, s.db.Pool(), b.Name, b.ActiveRevision); err != nil {
				return nil, err
			}
		}
		target.Version = target.template.Version()
		targets = append(targets, target)
	}
	if len(targets) == 0 {
		return nil, errs.Errorf(errs.KindNotFound, "migrate tenants", "the blueprint %s has no active revision in this registry; tenant-api blueprints list shows all", o.Blueprint)
	}
	return targets, nil
}

type pendingTenant struct {
	id      uuid.UUID
	target  *MigrationTarget
	timeout time.Duration // Of each statement. 0: none.
}

// tenantMigration is one call of MigrateTenants.
type tenantMigration struct {
	schemas *Schemas
	options MigrationOptions

	mu     sync.Mutex // Guards what follows, and calls of Progress.
	report *MigrationReport
	done   int
}

func (m *tenantMigration) run(ctx context.Context, pending []pendingTenant) error {
	const op = "migrate tenants"
	for canaries := m.options.Canary; canaries > 0 && len(pending) > 0; pending = pending[1:] {
		p := pending[0]
		err := m.migrateOne(ctx, p, true)
		if errs.IsAudited(err) { // A legal hold says nothing about the migration: the next tenant is the canary.
			continue
		}
		canaries--
		if err != nil && ctx.Err() == nil {
			return errs.Wrap(err, errs.KindPermanent, op,
				"the canary tenant %s could not be migrated: %s. No further tenant was migrated; repeat this when the cause is gone, or leave this tenant behind with --canary -1", p.id, errs.SafeMessage(err))
		}
	}
	var group errgroup.Group
	group.SetLimit(m.options.Concurrency)
	for _, p := range pending {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			_ = m.migrateOne(ctx, p, false) // The error is in the report.
			return nil
		})
	}
	_ = group.Wait()
	switch {
	case ctx.Err() != nil:
		return pgdb.Classify(ctx.Err(), op)
	case len(m.report.Failed) > 0:
		first := m.report.Failed[0]
		return errs.Wrap(first.Err, errs.KindPermanent, op,
			"%d of %d tenants could not be migrated; the first is %s: %s. Repeat this when the cause is gone",
			len(m.report.Failed), m.report.Pending, first.TenantID, errs.SafeMessage(first.Err))
	}
	return nil
}

// migrateOne migrates one tenant and adds the result to the report.
func (m *tenantMigration) migrateOne(ctx context.Context, p pendingTenant, canary bool) error {
	var (
		migrated bool
		err      error
	)
	for attempt := 1; ; attempt++ {
		migrated, err = m.schemas.migrateTenant(ctx, p, m.options.EndSessions && attempt == tenantMigrationRetry.Attempts-1)
		if errs.KindOf(err) != errs.KindTransient || attempt == tenantMigrationRetry.Attempts {
			break
		}
		if (clock.System{}).Sleep(ctx, tenantMigrationRetry.Delay(attempt)) != nil {
			break
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done++
	if migrated {
		m.report.Migrated++
	}
	if err != nil && ctx.Err() == nil { // Cancellation is not a failure of the tenant.
		m.report.Failed = append(m.report.Failed, MigrationFailure{TenantID: p.id, Err: err})
	}
	m.options.Progress(MigrationProgress{TenantID: p.id, Canary: canary, Err: err, Done: m.done, Total: m.report.Pending})
	return err
}

// hasSchemaPredicate matches tenants with a schema and without a run.
const hasSchemaPredicate = `(status IN ('ACTIVE', 'SUSPENDED') OR status = 'ARCHIVED' AND activated_at IS NOT NULL AND purged_at IS NULL) AND rollback_target IS NULL`

// checkMigratable returns an error for a tenant that has no schema.
func (s *Schemas) checkMigratable(ctx context.Context, id uuid.UUID) error {
	t, err := tenantrow.Get(ctx, s.db, id)
	if err != nil {
		return err
	}
	if !t.WasLive() || !t.PurgedAt.IsZero() {
		return errs.Errorf(errs.KindConflict, "migrate tenants", "the tenant is %s and has no schema that could be migrated", t.Status)
	}
	return nil
}

// pendingTenants lists the tenants of a blueprint that are not at its target, the oldest first:
// their data are the most likely to make a migration fail. One that has later migrations than
// the target, as after going back to an older revision, is left as it is.
func (s *Schemas) pendingTenants(ctx context.Context, target MigrationTarget, tenantID *uuid.UUID) ([]uuid.UUID, error) {
	const op = "list tenants to migrate"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	names, versions := newest(target.template)
	rows, err := pool.Query(ctx, `SELECT id FROM tenants t WHERE `+hasSchemaPredicate+` AND t.blueprint = $1 AND ($4::uuid IS NULL OR id = $4)
			AND (EXISTS (SELECT FROM unnest($2::text[], $3::int[]) AS newest(blueprint, version) WHERE NOT EXISTS (
				SELECT FROM tenant_migrations m WHERE m.tenant_id = t.id AND m.blueprint = newest.blueprint AND m.version >= newest.version))
			OR $5 <> 0 AND t.blueprint_revision IS DISTINCT FROM $5 AND NOT EXISTS (
				SELECT FROM tenant_migrations m WHERE m.tenant_id = t.id AND m.blueprint = $1 AND m.version > $6))
		ORDER BY created_at, id`, target.Blueprint, names, versions, tenantID, target.Revision, target.Version)
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	return ids, pgdb.Classify(err, op)
}

// newest are the names of the template's blueprints with their newest versions.
func newest(t *blueprintsql.Template) (names []string, versions []int) {
	for _, b := range t.Blueprints {
		names, versions = append(names, b.Name), append(versions, b.SchemaVersion())
	}
	return names, versions
}
