package stats

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// A group of tenants that need attention, as parts of a statement. Each condition has that of a
// partial index, so that the cost grows with the group and not with the tenants.
type attentionGroup struct {
	kind           monitoring.AttentionKind
	from           string // With t, the tenants; their columns may be NULL.
	where, orderBy string
	since, reason  string
	count          string // Empty: count(*).
}

// overdueAfter is how long mails and logins may be due: a worker takes seconds.
const overdueAfter = `interval '1 minute'`

// ContractNeedsLook is the condition of the index tenant_contracts_attention, over its rows c.
const contractNeedsLook = `(c.state <> 'LIVE' OR c.last_error IS NOT NULL)`

// The contract of the registry itself has no tenant.
const contractsWithTenants = `tenant_contracts c LEFT JOIN tenants t ON t.id = c.tenant_id`

var attentionGroups = []attentionGroup{
	{
		kind: monitoring.AttentionFailed, from: `tenants t`, where: `t.status = 'FAILED'`, orderBy: `t.created_at DESC, t.id DESC`,
		since: `t.updated_at`, reason: `t.provisioning_error`,
	},
	{
		kind: monitoring.AttentionStuck, from: `tenants t`, orderBy: `t.updated_at`,
		where: `(status IN ('PENDING', 'PROVISIONING') OR rollback_target IS NOT NULL) AND updated_at < now() - interval '` + fmt.Sprint(stuckAfter.Seconds()) + ` seconds' AND NOT ` + tenantrow.LeaseHeld,
		since: `t.updated_at`, reason: `coalesce(t.provisioning_error, 'the last step that was completed is ' || t.checkpoint)`,
	},
	{
		kind: monitoring.AttentionContractError, from: contractsWithTenants, orderBy: `t.id IS NOT NULL, c.checked_at DESC NULLS LAST`,
		where: contractNeedsLook + ` AND (c.state IN ('MISSING', 'MISMATCH', 'EXPIRED') OR c.last_error IS NOT NULL) AND t.purged_at IS NULL`,
		since: `c.checked_at`, reason: `coalesce(c.last_error, 'the contract is ' || c.state)`,
	},
	{
		kind: monitoring.AttentionContractExpires, from: contractsWithTenants, orderBy: `t.id IS NOT NULL, c.live_until`,
		where: contractNeedsLook + ` AND c.state = 'EXPIRING' AND c.last_error IS NULL AND t.purged_at IS NULL`,
		since: `c.checked_at`, reason: `'it expires at ledger ' || c.live_until`,
	},
	{
		kind: monitoring.AttentionMailFailed, from: `tenants t`, orderBy: `t.activated_at DESC`,
		where: `t.welcome_email = 'FAILED' AND t.status = 'ACTIVE' AND t.invitation_accepted_at IS NULL`, since: `t.activated_at`,
		reason: `(SELECT l.error FROM provisioning_logs l WHERE l.tenant_id = t.id AND l.step = 'SEND_WELCOME_EMAIL' ORDER BY l.attempt DESC LIMIT 1)`,
	},
	{
		kind: monitoring.AttentionMailPending, from: `tenants t`, orderBy: `t.welcome_email_due_at`,
		where: `t.welcome_email_due_at IS NOT NULL AND t.status = 'ACTIVE' AND t.welcome_email = 'PENDING' AND (t.welcome_email_failures > 0 OR t.welcome_email_due_at <= now() - ` + overdueAfter + `)`,
		since: `least(t.welcome_email_due_at, now())`, reason: `CASE WHEN t.welcome_email_failures > 0 THEN t.welcome_email_failures || ' failed attempts' ELSE 'no worker has sent it' END`,
	},
	{
		kind: monitoring.AttentionInvitation, from: `tenants t`, where: tenantrow.OpenInvitation + ` AND invitation_expires_at <= now()`,
		orderBy: `t.invitation_expires_at DESC`, since: `t.invitation_expires_at`, reason: `NULL::text`,
	},
	{
		kind: monitoring.AttentionLogins, count: `sum(c.logins)::bigint`, orderBy: `c.since`, since: `c.since`, reason: `c.logins || ' logins'`, where: `true`,
		from: `(SELECT tenant_id, min(coalesce(closed_at, expires_at)) AS since, count(*) AS logins FROM tenant_credentials
			WHERE ended_at IS NULL AND coalesce(closed_at, expires_at) <= now() - ` + overdueAfter + ` GROUP BY tenant_id) c JOIN tenants t ON t.id = c.tenant_id`,
	},
}

// statement returns the count of a group and its first tenants.
func (g attentionGroup) statement() string {
	count := g.count
	if count == "" {
		count = "count(*)"
	}
	return fmt.Sprintf(`SELECT (SELECT %s FROM %s WHERE %s), t.id, coalesce(t.name, ''), coalesce(t.status, ''), %s, coalesce(%s, '') FROM %s WHERE %s ORDER BY %s LIMIT %d`,
		count, g.from, g.where, g.since, g.reason, g.from, g.where, g.orderBy, monitoring.MaxAttentionTenants)
}

// TenantCounts counts the tenants by status, without reading them.
func (s *Stats) TenantCounts(ctx context.Context) (map[tenant.Status]int64, error) {
	const op = "count tenants"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	counts := make([]int64, 6)
	err = pool.QueryRow(ctx, `SELECT sum(pending)::bigint, sum(provisioning)::bigint, sum(active)::bigint, sum(suspended)::bigint, sum(failed)::bigint, sum(archived)::bigint FROM tenant_counts`).
		Scan(&counts[0], &counts[1], &counts[2], &counts[3], &counts[4], &counts[5])
	return map[tenant.Status]int64{
		tenant.StatusPending: counts[0], tenant.StatusProvisioning: counts[1], tenant.StatusActive: counts[2],
		tenant.StatusSuspended: counts[3], tenant.StatusFailed: counts[4], tenant.StatusArchived: counts[5],
	}, pgdb.Classify(err, op)
}

// Attention reads what needs attention in the registry, without AttentionBehind, in one round trip.
func (s *Stats) Attention(ctx context.Context) ([]monitoring.Attention, error) {
	const op = "read what needs attention"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	batch := &pgx.Batch{}
	batch.Queue(`SELECT EXISTS (SELECT FROM registry WHERE restore_evidence IS NOT NULL)`)
	for _, g := range attentionGroups {
		batch.Queue(g.statement())
	}
	results := pool.SendBatch(ctx, batch)
	defer func() { _ = results.Close() }() // The reads have reported its errors.
	var (
		restored bool
		found    []monitoring.Attention
	)
	if err := results.QueryRow().Scan(&restored); err != nil {
		return nil, pgdb.Classify(err, op)
	}
	if restored {
		found = append(found, monitoring.Attention{
			Kind: monitoring.AttentionRestored, Count: 1,
			Message: "The registry was restored from a backup, and no run begins. Compare it with the ledger, then accept it with: tenant-api platform accept-restore --reason TEXT",
		})
	}
	for _, g := range attentionGroups {
		rows, _ := results.Query()
		a, err := readAttention(rows, g.kind)
		if err != nil {
			return nil, pgdb.Classify(err, op)
		}
		if a.Count > 0 {
			found = append(found, a)
		}
	}
	return found, nil
}

// readAttention reads the rows of a group.
func readAttention(rows pgx.Rows, kind monitoring.AttentionKind) (monitoring.Attention, error) {
	a := monitoring.Attention{Kind: kind}
	var (
		id    *uuid.UUID
		t     monitoring.AttentionTenant
		since *time.Time
	)
	_, err := pgx.ForEachRow(rows, []any{&a.Count, &id, &t.Name, &t.Status, &since, &t.Reason}, func() error {
		if id == nil {
			a.Message = "The contract of the registry itself: " + t.Reason
			return nil
		}
		t.ID, t.Since = *id, time.Time{}
		if since != nil {
			t.Since = *since
		}
		a.Tenants = append(a.Tenants, t)
		return nil
	})
	return a, err
}

// throughputSQL counts the events of the last 24 hours by hour. It reads the index
// audit_events_throughput alone: its cost grows with what happened in that time.
const throughputSQL = `SELECT h, count(*) FILTER (WHERE e.action = 'tenant.activate'), count(*) FILTER (WHERE e.action = 'tenant.fail')
	FROM generate_series(date_trunc('hour', now(), 'UTC') - interval '23 hours', now(), interval '1 hour') h
	LEFT JOIN (SELECT date_trunc('hour', at, 'UTC') AS hour, action FROM audit_events
		WHERE action IN ('tenant.activate', 'tenant.fail') AND outcome = 'DONE' AND at >= date_trunc('hour', now(), 'UTC') - interval '23 hours') e ON e.hour = h
	GROUP BY h ORDER BY h`

// Throughput counts, for each of the last 24 hours, the tenants that went live and the attempts that
// failed.
func (s *Stats) Throughput(ctx context.Context) ([]monitoring.Hour, error) {
	const op = "count activations"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := pool.Query(ctx, throughputSQL)
	hours, err := pgx.CollectRows(rows, pgx.RowToStructByPos[monitoring.Hour])
	return hours, pgdb.Classify(err, op)
}
