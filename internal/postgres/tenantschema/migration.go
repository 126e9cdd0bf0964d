package tenantschema

import (
	"context"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
)

// MigrationOptions say how the schemas of all tenants are brought to the newest version.
type MigrationOptions struct {
	// Canary is how many tenants go first, one by one; when one of them fails, no
	// other is touched. -1: none. 0 is DefaultCanary.
	Canary int
	// Concurrency is how many tenants are at it at once after that. 0 is
	// DefaultMigrationConcurrency.
	Concurrency int
	// TenantID is the only one to migrate. Nil: all.
	TenantID *uuid.UUID
	// DryRun looks and changes nothing.
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

// MigrationProgress is the outcome for one tenant, and how many are done.
type MigrationProgress struct {
	TenantID    uuid.UUID
	Canary      bool
	Err         error // Nil: it is at the newest version, or gone meanwhile.
	Done, Total int   // Tenants, failed ones included.
}

// MigrationReport is what a migration of the fleet came to.
type MigrationReport struct {
	Version  int // The newest.
	Pending  int // Tenants that were not there yet.
	Migrated int // Tenants that were brought there now.
	Failed   []MigrationFailure
}

// MigrationFailure is a tenant that could not be migrated. It is unchanged.
type MigrationFailure struct {
	TenantID uuid.UUID
	Err      error
}

// tenantMigrationRetry is how a tenant is waited for that others are working with. A lock
// that DDL waits for holds up everybody behind it, so each wait is short.
var tenantMigrationRetry = retry.Policy{Attempts: 6, Base: 250 * time.Millisecond, Cap: 4 * time.Second}

const tenantMigrationLockTimeout = "1s"

// MigrateTenants brings the schemas of all tenants that were ever live and are not
// purged to the newest version. Each tenant's version commits or fails as a whole;
// a tenant that fails holds up no other, but for canaries. It can be interrupted
// and repeated at any time, also by many processes at once.
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

// tenantMigration is one migration under way.
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
				"tenant %s, which went first, could not be migrated: %s. No other one was touched after it", id, errs.SafeMessage(err))
		}
	}
	var (
		wg    sync.WaitGroup
		slots = make(chan struct{}, m.options.Concurrency)
	)
	for _, id := range pending[canaries:] {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			_ = m.migrateOne(ctx, id, false) // It is in the report.
		})
	}
	wg.Wait()
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

// migrateOne migrates one tenant and notes the outcome.
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
	if err != nil && ctx.Err() == nil { // An interruption is no fault of the tenant's.
		m.report.Failed = append(m.report.Failed, MigrationFailure{TenantID: id, Err: err})
	}
	m.options.Progress(MigrationProgress{TenantID: id, Canary: canary, Err: err, Done: m.done, Total: m.report.Pending})
	return err
}

// hasSchemaPredicate matches tenants that have a schema and whom nobody provisions or
// rolls back.
const hasSchemaPredicate = `(status IN ('ACTIVE', 'SUSPENDED') OR status = 'ARCHIVED' AND activated_at IS NOT NULL AND purged_at IS NULL) AND rollback_target IS NULL`

// pendingTenants lists who is not at the version yet. The oldest come first: they
// have the most that a migration can fail at.
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

// checkMigrationHistory compares what was applied with the files, before anything is
// applied on top of it.
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

// checkRegistryVersion compares one row of the ledger with its file.
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
			"the tenant migration %s is not what was applied (checksum %.12s…); put the file back as it was, and bring changes in a new one", file, checksum)
	}
	return nil
}

// VersionStatus tells which versions the tenant schemas are at.
type VersionStatus struct {
	Version  int         // The newest.
	Pending  int         // Tenants that are not there yet.
	Versions map[int]int // Tenants by their version; 0 is for those without any record of one.
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
