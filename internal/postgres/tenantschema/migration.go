package tenantschema

import (
	"context"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
)

// MigrationOptions are the options of MigrateTenants.
type MigrationOptions struct {
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
	// Files are the migrations. Default: those of this program.
	Files fs.FS
	// Progress is called for each tenant, by one goroutine at a time. Default: none.
	Progress func(MigrationProgress)
}

// The defaults of MigrationOptions.
const (
	DefaultCanary               = 1
	DefaultMigrationConcurrency = 4
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
	Version  int // The newest.
	Pending  int // Tenants below the newest version.
	Migrated int // Tenants migrated by this call.
	Failed   []MigrationFailure
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
// purged to the newest version. Each tenant's version commits or fails as a whole;
// a tenant that fails does not stop the others, unless it is a canary. It can be
// interrupted and repeated at any time, also by many processes at once.
//
// KindPermanent when a file was changed after it was applied somewhere, when a
// tenant is newer than this program, and when tenants failed: the report has their
// errors.
func (s *Schemas) MigrateTenants(ctx context.Context, o MigrationOptions) (MigrationReport, error) {
	versions := embedded
	if o.Files != nil {
		var err error
		if versions, err = parseVersions(o.Files); err != nil {
			return MigrationReport{}, err
		}
	}
	if o.Canary == 0 {
		o.Canary = DefaultCanary
	}
	if o.Concurrency <= 0 {
		o.Concurrency = DefaultMigrationConcurrency
	}
	if o.Progress == nil {
		o.Progress = func(MigrationProgress) {}
	}
	report := MigrationReport{Version: newestVersion(versions)}
	if err := s.checkMigrationHistory(ctx, versions); err != nil {
		return report, err
	}
	pending, err := s.pendingTenants(ctx, newestVersion(versions), o.TenantID)
	report.Pending = len(pending)
	if err != nil || o.DryRun {
		return report, err
	}
	migration := &tenantMigration{schemas: s, versions: versions, options: o, report: &report}
	return report, migration.run(ctx, pending)
}

// tenantMigration is one call of MigrateTenants.
type tenantMigration struct {
	schemas  *Schemas
	versions []schemaVersion
	options  MigrationOptions

	mu     sync.Mutex // Guards what follows, and calls of Progress.
	report *MigrationReport
	done   int
}

func (m *tenantMigration) run(ctx context.Context, pending []uuid.UUID) error {
	const op = "migrate tenants"
	canaries := min(max(m.options.Canary, 0), len(pending))
	for _, id := range pending[:canaries] {
		if err := m.migrateOne(ctx, id, true); err != nil && ctx.Err() == nil {
			return errs.Wrap(err, errs.KindPermanent, op,
				"the canary tenant %s could not be migrated: %s. No further tenant was migrated", id, errs.SafeMessage(err))
		}
	}
	var group errgroup.Group
	group.SetLimit(m.options.Concurrency)
	for _, id := range pending[canaries:] {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			_ = m.migrateOne(ctx, id, false) // The error is in the report.
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
func (m *tenantMigration) migrateOne(ctx context.Context, id uuid.UUID, canary bool) error {
	var (
		migrated bool
		err      error
	)
	for attempt := 1; ; attempt++ {
		migrated, err = m.schemas.migrateTenant(ctx, m.versions, id)
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
		m.report.Failed = append(m.report.Failed, MigrationFailure{TenantID: id, Err: err})
	}
	m.options.Progress(MigrationProgress{TenantID: id, Canary: canary, Err: err, Done: m.done, Total: m.report.Pending})
	return err
}

// hasSchemaPredicate matches tenants with a schema and without a run.
const hasSchemaPredicate = `(status IN ('ACTIVE', 'SUSPENDED') OR status = 'ARCHIVED' AND activated_at IS NOT NULL AND purged_at IS NULL) AND rollback_target IS NULL`

// pendingTenants lists tenants below a version, the oldest first: their data are the most
// likely to make a migration fail.
func (s *Schemas) pendingTenants(ctx context.Context, version int, tenantID *uuid.UUID) ([]uuid.UUID, error) {
	const op = "list tenants to migrate"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	if tenantID != nil {
		t, err := tenantrow.Get(ctx, s.db, *tenantID)
		if err != nil {
			return nil, err
		}
		if !t.WasLive() || !t.PurgedAt.IsZero() {
			return nil, errs.Errorf(errs.KindConflict, op, "the tenant is %s and has no schema that could be migrated", t.Status)
		}
	}
	rows, err := pool.Query(ctx, `SELECT id FROM tenants t WHERE `+hasSchemaPredicate+` AND ($2::uuid IS NULL OR id = $2)
			AND NOT EXISTS (SELECT FROM tenant_migrations m WHERE m.tenant_id = t.id AND m.version >= $1)
		ORDER BY created_at, id`, version, tenantID)
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	return ids, pgdb.Classify(err, op)
}

// checkMigrationHistory compares the applied migrations with the files, before any other
// is applied.
func (s *Schemas) checkMigrationHistory(ctx context.Context, versions []schemaVersion) error {
	const op = "check tenant migrations"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	rows, err := pool.Query(ctx, `SELECT DISTINCT version, checksum FROM tenant_migrations ORDER BY version`)
	if err != nil {
		return pgdb.Classify(err, op)
	}
	var (
		version  int
		checksum string
	)
	_, err = pgx.ForEachRow(rows, []any{&version, &checksum}, func() error { return checkAppliedVersion(versions, version, checksum) })
	return pgdb.Classify(err, op)
}

// CheckAppliedVersion checks a row of the ledger against this program's migrations.
// KindPermanent when the file was changed, or the version is newer.
func CheckAppliedVersion(version int, checksum string) error {
	return checkAppliedVersion(embedded, version, checksum)
}

func checkAppliedVersion(versions []schemaVersion, version int, checksum string) error {
	const op = "check tenant migrations"
	switch {
	case version > newestVersion(versions):
		return errs.Errorf(errs.KindPermanent, op,
			"a tenant schema is at version %d and this program knows only %d; use the newer release that wrote it", version, newestVersion(versions))
	case version < 1 || !versions[version-1].matchesChecksum(checksum):
		file := fmt.Sprintf("of version %d", version)
		if version >= 1 {
			file = versions[version-1].file
		}
		return errs.Errorf(errs.KindPermanent, op,
			"the tenant migration %s differs from what was applied (checksum %.12s…); restore the file, and put changes into a new one", file, checksum)
	}
	return nil
}

// VersionStatus counts tenant schemas by version.
type VersionStatus struct {
	Version  int         // The newest.
	Pending  int         // Tenants below it.
	Versions map[int]int // Tenants by their version; 0: tenants without a row in the ledger.
}

// TenantVersions counts the tenants that have a schema by its version.
func (s *Schemas) TenantVersions(ctx context.Context) (VersionStatus, error) {
	const op = "count tenant versions"
	status := VersionStatus{Version: Version, Versions: map[int]int{}}
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return status, err
	}
	rows, err := pool.Query(ctx, `SELECT version, count(*) FROM (
			SELECT coalesce(max(m.version), 0) AS version FROM tenants t LEFT JOIN tenant_migrations m ON m.tenant_id = t.id
			WHERE `+hasSchemaPredicate+` GROUP BY t.id) AS newest
		GROUP BY version`)
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
