package postgres

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// FleetOptions say how the schemas of all tenants are brought to the newest version.
type FleetOptions struct {
	// Canary is how many tenants go first, one by one; when one of them fails, no
	// other is touched. -1: none. 0 is DefaultCanary.
	Canary int
	// Concurrency is how many tenants are at it at once after that. 0 is
	// DefaultFleetConcurrency.
	Concurrency int
	// Tenant is the only one to migrate. Nil: all.
	Tenant *uuid.UUID
	// DryRun looks and changes nothing.
	DryRun bool
	// Progress is told about each tenant, by one goroutine at a time. Nil: nobody is.
	Progress func(FleetProgress)
}

// The defaults of FleetOptions.
const (
	DefaultCanary           = 1
	DefaultFleetConcurrency = 4
)

// FleetProgress is the outcome for one tenant, and how many are done.
type FleetProgress struct {
	Tenant      uuid.UUID
	Canary      bool
	Err         error // Nil: it is at the newest version, or gone meanwhile.
	Done, Total int   // Tenants, failed ones included.
}

// FleetReport is what a migration of the fleet came to.
type FleetReport struct {
	Version  int // The newest.
	Pending  int // Tenants that were not there yet.
	Migrated int // Tenants that were brought there now.
	Failed   []FleetFailure
}

// FleetFailure is a tenant that could not be migrated. It is unchanged.
type FleetFailure struct {
	Tenant uuid.UUID
	Err    error
}

// fleetRetry is how a tenant is waited for that others are working with. A lock
// that DDL waits for holds up everybody behind it, so each wait is short.
var fleetRetry = provisioning.RetryPolicy{Attempts: 6, Base: 250 * time.Millisecond, Cap: 4 * time.Second}

const fleetLockTimeout = "1s"

// MigrateTenants brings the schemas of all tenants that were ever live and are not
// purged to the newest version. Each tenant's version commits or fails as a whole;
// a tenant that fails holds up no other, but for canaries. It can be interrupted
// and repeated at any time, also by many processes at once.
//
// KindPermanent when a file was changed after it was applied somewhere, when a
// tenant is newer than this program, and when tenants failed: the report has their
// errors.
func (db *DB) MigrateTenants(ctx context.Context, o FleetOptions) (FleetReport, error) {
	return db.migrateTenants(ctx, tenantVersions, o)
}

func (db *DB) migrateTenants(ctx context.Context, versions []tenantVersion, o FleetOptions) (FleetReport, error) {
	if o.Canary == 0 {
		o.Canary = DefaultCanary
	}
	if o.Concurrency <= 0 {
		o.Concurrency = DefaultFleetConcurrency
	}
	if o.Progress == nil {
		o.Progress = func(FleetProgress) {}
	}
	report := FleetReport{Version: newestVersion(versions)}
	if err := db.checkLedger(ctx, versions); err != nil {
		return report, err
	}
	pending, err := db.pendingTenants(ctx, newestVersion(versions), o.Tenant)
	report.Pending = len(pending)
	if err != nil || o.DryRun {
		return report, err
	}
	f := &fleet{db: db, versions: versions, opts: o, report: &report}
	return report, f.run(ctx, pending)
}

// fleet is one migration under way.
type fleet struct {
	db       *DB
	versions []tenantVersion
	opts     FleetOptions

	mu     sync.Mutex // Guards what follows, and calls of Progress.
	report *FleetReport
	done   int
}

func (f *fleet) run(ctx context.Context, pending []uuid.UUID) error {
	const op = "migrate tenants"
	canaries := min(max(f.opts.Canary, 0), len(pending))
	for _, id := range pending[:canaries] {
		if err := f.tenant(ctx, id, true); err != nil && ctx.Err() == nil {
			return provisioning.Wrap(err, provisioning.KindPermanent, op,
				"tenant %s, which went first, could not be migrated: %s. No other one was touched after it", id, provisioning.SafeMessage(err))
		}
	}
	var (
		all    sync.WaitGroup
		places = make(chan struct{}, f.opts.Concurrency)
	)
	for _, id := range pending[canaries:] {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		all.Go(func() {
			defer func() { <-places }()
			_ = f.tenant(ctx, id, false) // It is in the report.
		})
	}
	all.Wait()
	switch {
	case ctx.Err() != nil:
		return failure(ctx.Err(), op)
	case len(f.report.Failed) > 0:
		first := f.report.Failed[0]
		return provisioning.Wrap(first.Err, provisioning.KindPermanent, op,
			"%d of %d tenants could not be migrated; the first is %s: %s. Repeat this when the cause is gone",
			len(f.report.Failed), f.report.Pending, first.Tenant, provisioning.SafeMessage(first.Err))
	}
	return nil
}

// tenant migrates one tenant and notes the outcome.
func (f *fleet) tenant(ctx context.Context, id uuid.UUID, canary bool) error {
	var (
		migrated bool
		err      error
	)
	for try := 1; ; try++ {
		migrated, err = f.db.migrateTenant(ctx, f.versions, id)
		if provisioning.KindOf(err) != provisioning.KindTransient || try == fleetRetry.Attempts {
			break
		}
		if (provisioning.SystemClock{}).Sleep(ctx, fleetRetry.Pause(try)) != nil {
			break
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.done++
	if migrated {
		f.report.Migrated++
	}
	if err != nil && ctx.Err() == nil { // An interruption is no fault of the tenant's.
		f.report.Failed = append(f.report.Failed, FleetFailure{Tenant: id, Err: err})
	}
	f.opts.Progress(FleetProgress{Tenant: id, Canary: canary, Err: err, Done: f.done, Total: f.report.Pending})
	return err
}

// haveSchema matches tenants that have a schema and whom nobody provisions or
// rolls back.
const haveSchema = `(status = 'ACTIVE' OR status = 'ARCHIVED' AND activated_at IS NOT NULL AND purged_at IS NULL) AND undo IS NULL`

// pendingTenants lists who is not at the version yet. The oldest come first: they
// have the most that a migration can fail at.
func (db *DB) pendingTenants(ctx context.Context, version int, only *uuid.UUID) ([]uuid.UUID, error) {
	const op = "list tenants to migrate"
	pool, err := db.ready(ctx)
	if err != nil {
		return nil, err
	}
	if only != nil {
		t, err := db.Get(ctx, *only)
		if err != nil {
			return nil, err
		}
		if !t.WasLive() || !t.PurgedAt.IsZero() {
			return nil, provisioning.Errorf(provisioning.KindConflict, op, "the tenant is %s and has no schema that could be migrated", t.Status)
		}
	}
	rows, err := pool.Query(ctx, `SELECT id FROM tenants t WHERE `+haveSchema+` AND ($2::uuid IS NULL OR id = $2)
			AND NOT EXISTS (SELECT FROM tenant_migrations m WHERE m.tenant_id = t.id AND m.version >= $1)
		ORDER BY created_at, id`, version, only)
	if err != nil {
		return nil, failure(err, op)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	return ids, failure(err, op)
}

// checkLedger compares what was applied with the files, before anything is
// applied on top of it.
func (db *DB) checkLedger(ctx context.Context, versions []tenantVersion) error {
	const op = "check tenant migrations"
	pool, err := db.ready(ctx)
	if err != nil {
		return err
	}
	rows, err := pool.Query(ctx, `SELECT DISTINCT version, checksum FROM tenant_migrations ORDER BY version`)
	if err != nil {
		return failure(err, op)
	}
	var (
		version  int
		checksum string
	)
	_, err = pgx.ForEachRow(rows, []any{&version, &checksum}, func() error { return checkVersion(versions, version, checksum) })
	return failure(err, op)
}

// checkVersion compares one row of the ledger with its file.
func checkVersion(versions []tenantVersion, version int, checksum string) error {
	const op = "check tenant migrations"
	switch {
	case version > newestVersion(versions):
		return provisioning.Errorf(provisioning.KindPermanent, op,
			"a tenant schema is at version %d and this program knows only %d; use the newer release that wrote it", version, newestVersion(versions))
	case version < 1 || !versions[version-1].fits(checksum):
		file := fmt.Sprintf("of version %d", version)
		if version >= 1 {
			file = versions[version-1].file
		}
		return provisioning.Errorf(provisioning.KindPermanent, op,
			"the tenant migration %s is not what was applied (checksum %.12s…); put the file back as it was, and bring changes in a new one", file, checksum)
	}
	return nil
}

// FleetStatus tells which versions the tenant schemas are at.
type FleetStatus struct {
	Version  int         // The newest.
	Pending  int         // Tenants that are not there yet.
	Versions map[int]int // Tenants by their version; 0 is for those without any record of one.
}

// TenantVersions counts the tenants that have a schema by its version.
func (db *DB) TenantVersions(ctx context.Context) (FleetStatus, error) {
	const op = "count tenant versions"
	status := FleetStatus{Version: TenantSchemaVersion, Versions: map[int]int{}}
	pool, err := db.ready(ctx)
	if err != nil {
		return status, err
	}
	rows, err := pool.Query(ctx, `SELECT version, count(*) FROM (
			SELECT coalesce(max(m.version), 0) AS version FROM tenants t LEFT JOIN tenant_migrations m ON m.tenant_id = t.id
			WHERE `+haveSchema+` GROUP BY t.id) AS newest
		GROUP BY version`)
	if err != nil {
		return status, failure(err, op)
	}
	var version, tenants int
	_, err = pgx.ForEachRow(rows, []any{&version, &tenants}, func() error {
		status.Versions[version] = tenants
		if version < status.Version {
			status.Pending += tenants
		}
		return nil
	})
	return status, failure(err, op)
}
