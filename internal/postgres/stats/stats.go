// Package stats reads the statistics of registry and server that metrics show: from counters
// and partial indexes, without a scan of large tables.
package stats

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/welcome"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// stuckAfter is how long an unfinished tenant may be without a run: a pause of an own step is
// shorter.
const stuckAfter = 10 * time.Minute

// Stats reads statistics on a reserved connection: they are wanted most when all others are in
// use. Its methods wait for each other.
type Stats struct {
	db   *pgdb.DB
	busy chan struct{} // Full while a statement runs.
}

// New returns the reader of a database.
func New(db *pgdb.DB) *Stats { return &Stats{db, make(chan struct{}, 1)} }

// row reads one row of statistics. A registry that does not exist yet is KindPermanent.
func (s *Stats) row(ctx context.Context, op, sql string, args []any, targets ...any) error {
	select {
	case s.busy <- struct{}{}:
	case <-ctx.Done():
		return pgdb.Classify(ctx.Err(), op)
	}
	defer func() { <-s.busy }()
	return pgdb.Classify(s.db.ReservedPool().QueryRow(ctx, sql, args...).Scan(targets...), op)
}

// age is an expression for how long ago a time was; 0 for NULL and for the future.
func age(at string) string { return `greatest(now() - ` + at + `, '0')` }

// registrySQL reads a row of statistics. Its parameters are the lead of reminders and stuckAfter.
var registrySQL = `SELECT
	c.pending, c.provisioning, c.active, c.suspended, c.failed, c.archived,
	i.pending, i.expired, s.stuck, w.due, w.oldest, r.due, r.oldest, f.due, f.oldest, l.open, l.overdue, l.oldest, a.due, ` + age("(SELECT min(at) FROM audit_events WHERE position IS NULL)") + `,
	EXISTS (SELECT FROM registry WHERE restore_evidence IS NOT NULL)
FROM (SELECT sum(pending)::bigint AS pending, sum(provisioning)::bigint AS provisioning, sum(active)::bigint AS active, sum(suspended)::bigint AS suspended,
		sum(failed)::bigint AS failed, sum(archived)::bigint AS archived FROM tenant_counts) c,
	(SELECT count(*) FILTER (WHERE invitation_expires_at > now()) AS pending, count(*) FILTER (WHERE invitation_expires_at <= now()) AS expired
		FROM tenants WHERE ` + tenantrow.OpenInvitation + `) i,
	(SELECT count(*) AS stuck FROM tenants WHERE (status IN ('PENDING', 'PROVISIONING') OR rollback_target IS NOT NULL)
		AND updated_at < now() - $2::interval AND NOT ` + tenantrow.LeaseHeld + `) s,
	(SELECT count(*) AS due, ` + age("min(welcome_email_due_at)") + ` AS oldest FROM tenants
		WHERE welcome_email_due_at <= now() AND status = 'ACTIVE' AND welcome_email = 'PENDING') w,
	(SELECT count(*) AS due, ` + age("min(greatest(invitation_reminder_at, invitation_expires_at - $1::interval))") + ` AS oldest FROM tenants
		WHERE $1::interval > '0' AND ` + welcome.DueReminder + `) r,
	(SELECT count(*) AS due, ` + age("min(failure_email_due_at)") + ` AS oldest FROM tenants
		WHERE failure_email_due_at <= now() AND ` + tenantrow.GetsFailureMail + `) f,
	(SELECT count(*) FILTER (WHERE coalesce(closed_at, expires_at) > now()) AS open, count(*) FILTER (WHERE coalesce(closed_at, expires_at) <= now()) AS overdue,
		` + age("min(coalesce(closed_at, expires_at))") + ` AS oldest FROM tenant_credentials WHERE ended_at IS NULL) l,
	(SELECT count(*) AS due FROM (SELECT FROM audit_events WHERE position IS NULL LIMIT $3) e) a`

// RegistryStats reads statistics of the registry, in one statement. reminder is how long before
// the end of an invitation its reminder is due; 0: there are none.
func (s *Stats) RegistryStats(ctx context.Context, reminder time.Duration) (monitoring.Registry, error) {
	var (
		r                                                       monitoring.Registry
		pending, provisioning, active, suspended, failed, ended int64
		welcome, reminders, failure                             monitoring.Backlog
	)
	err := s.row(ctx, "read registry statistics", registrySQL, []any{reminder, stuckAfter, monitoring.MaxUnnumbered},
		&pending, &provisioning, &active, &suspended, &failed, &ended, &r.InvitationsPending, &r.InvitationsExpired, &r.Stuck,
		&welcome.Count, &welcome.Oldest, &reminders.Count, &reminders.Oldest, &failure.Count, &failure.Oldest,
		&r.LoginsOpen, &r.LoginsOverdue.Count, &r.LoginsOverdue.Oldest, &r.Unnumbered.Count, &r.Unnumbered.Oldest, &r.Restored)
	r.Tenants = map[tenant.Status]int64{
		tenant.StatusPending: pending, tenant.StatusProvisioning: provisioning, tenant.StatusActive: active,
		tenant.StatusSuspended: suspended, tenant.StatusFailed: failed, tenant.StatusArchived: ended,
	}
	r.Mails = map[monitoring.MailKind]monitoring.Backlog{monitoring.MailWelcome: welcome, monitoring.MailReminder: reminders, monitoring.MailFailure: failure}
	return r, err
}

// DatabaseStats reads statistics of the server, in one statement. It works on a standby, too.
func (s *Stats) DatabaseStats(ctx context.Context) (d monitoring.Database, err error) {
	err = s.row(ctx, "read server statistics", `SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off',
			(SELECT coalesce(sum(numbackends), 0)::bigint FROM pg_stat_database), current_setting('max_connections')::bigint,
			coalesce((SELECT max(clock_timestamp() - xact_start) FROM pg_stat_activity
				WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()), '0'),
			(SELECT age(datfrozenxid)::bigint FROM pg_database WHERE datname = current_database())`, nil,
		&d.Writable, &d.Connections, &d.MaxConnections, &d.OldestTransaction, &d.TransactionIDAge)
	return d, err
}

// BlueprintStats counts, by blueprint, the tenants that are behind. version is the newest schema
// version of the blueprint standard, which no revision has. It reads all tenants, so call it seldom.
func (s *Stats) BlueprintStats(ctx context.Context, version int) (all []monitoring.BlueprintTenants, err error) {
	var names []string
	var behind []int64
	err = s.row(ctx, "count tenants that are behind", `SELECT coalesce(array_agg(name ORDER BY name), '{}'), coalesce(array_agg(behind ORDER BY name), '{}') FROM (
			SELECT b.name, count(t.id) AS behind FROM blueprints b LEFT JOIN tenants t ON t.blueprint = b.name AND t.blueprint_revision < b.active_revision
				AND t.activated_at IS NOT NULL AND t.purged_at IS NULL GROUP BY b.name
			UNION ALL SELECT $1::text, count(*) FROM tenants WHERE blueprint = $1::text AND schema_version < $2 AND activated_at IS NOT NULL AND purged_at IS NULL) x`,
		[]any{tenant.StandardBlueprint, version}, &names, &behind)
	for i, name := range names {
		all = append(all, monitoring.BlueprintTenants{Blueprint: name, Behind: behind[i]})
	}
	return all, err
}

// PoolStats are the connections of the registry's pools.
func (s *Stats) PoolStats() []monitoring.Pool {
	return []monitoring.Pool{PoolStats("registry", s.db.Pool()), PoolStats("reserved", s.db.ReservedPool())}
}

// PoolStats are the connections of a pool.
func PoolStats(name string, pool *pgxpool.Pool) monitoring.Pool {
	s := pool.Stat()
	return monitoring.Pool{
		Name: name, Acquired: int64(s.AcquiredConns()), Idle: int64(s.IdleConns()), Opening: int64(s.ConstructingConns()), Max: int64(s.MaxConns()),
		Acquires: s.AcquireCount(), Waits: s.EmptyAcquireCount(), Waited: s.EmptyAcquireWaitTime(), Canceled: s.CanceledAcquireCount(),
	}
}
