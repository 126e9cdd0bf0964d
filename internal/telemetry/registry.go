package telemetry

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// How long statistics are cached. Those of the first kind come from counters and partial indexes;
// counting the tenants that are behind reads all tenants.
const (
	registryMaxAge   = 15 * time.Second
	blueprintsMaxAge = 5 * time.Minute
)

// maxBlueprints is how many blueprints have a series of their own; the others share one, under what
// is no name of a blueprint.
const (
	maxBlueprints   = 50
	otherBlueprints = "(others)"
)

// RegistrySources read what Registry exports. All are required.
type RegistrySources struct {
	Registry   func(context.Context) (monitoring.Registry, error)
	Queue      func(context.Context) (monitoring.Queue, error)
	Database   func(context.Context) (monitoring.Database, error)
	Blueprints func(context.Context) ([]monitoring.BlueprintTenants, error)
	Pools      func() []monitoring.Pool
	Logger     *slog.Logger
}

// RegisterRegistry registers the metrics of registry, queues, database and pools:
//
//	healthcare_tenants{status}
//	healthcare_tenant_invitations{status}            PENDING can be accepted, EXPIRED was not in time
//	healthcare_tenants_stuck                         unfinished, and no run for ten minutes
//	healthcare_tenants_behind{blueprint}             not at the active revision
//	healthcare_mails_due{kind}                       welcome, reminder, failure
//	healthcare_mail_oldest_due_seconds{kind}
//	healthcare_logins{state}                         open, overdue: to be ended
//	healthcare_login_oldest_overdue_seconds
//	healthcare_audit_events_unnumbered               without a position in the feed, at most 10000
//	healthcare_audit_oldest_unnumbered_seconds
//	healthcare_registry_restored                     1: runs stop until the restore is accepted
//	healthcare_queue_jobs{queue, state}
//	healthcare_queue_oldest_due_seconds{queue}       how long the oldest job that is due waits
//	healthcare_worker_alive                          1: a worker was seen in the last 30 seconds
//	healthcare_worker_last_seen_seconds
//	healthcare_database_writable
//	healthcare_database_connections                  of the whole server
//	healthcare_database_max_connections
//	healthcare_database_oldest_transaction_seconds
//	healthcare_database_transaction_id_age
//	healthcare_pool_...{pool}                        registry, reserved, queue
//
// and, under the names of the system that this one replaces, active_tenants,
// failed_provisionings and provisioning_queue_depth. The size of the database is not among them:
// PostgreSQL asks the file system for each file, of which a tenant has some forty.
func RegisterRegistry(r prometheus.Registerer, s RegistrySources) {
	r.MustRegister(
		registryMetrics(newSource("registry", registryMaxAge, s.Logger, s.Registry)),
		queueMetrics(newSource("queue", registryMaxAge, s.Logger, s.Queue)),
		databaseMetrics(newSource("database", registryMaxAge, s.Logger, s.Database)),
		blueprintMetrics(newSource("blueprints", blueprintsMaxAge, s.Logger, s.Blueprints)),
		newPools(s.Pools),
	)
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

func registryMetrics(s *source[monitoring.Registry]) prometheus.Collector {
	var (
		tenants      = desc("healthcare_tenants", "Tenants in the registry.", "status")
		invitations  = desc("healthcare_tenant_invitations", "Tenants whose newest invitation is open: PENDING can be accepted, EXPIRED was not accepted in time.", "status")
		stuck        = desc("healthcare_tenants_stuck", "Unfinished tenants that no run has held for ten minutes.")
		mails        = desc("healthcare_mails_due", "Mails that are due and not sent.", "kind")
		oldestMail   = desc("healthcare_mail_oldest_due_seconds", "How long the oldest mail has been due; 0 if none is.", "kind")
		logins       = desc("healthcare_logins", "Logins of tenants: open ones, and overdue ones that have expired or were closed and are not ended.", "state")
		oldestLogin  = desc("healthcare_login_oldest_overdue_seconds", "How long the oldest login is overdue; 0 if none is.")
		unnumbered   = desc("healthcare_audit_events_unnumbered", "Audit events without a position in the feed; at most 10000 are counted.")
		oldestEvent  = desc("healthcare_audit_oldest_unnumbered_seconds", "Age of the oldest audit event without a position; 0 if there is none.")
		restored     = desc("healthcare_registry_restored", "Whether the registry was restored from a backup, so that runs stop.")
		activeOld    = desc("active_tenants", "Tenants that are ACTIVE. Same as healthcare_tenants{status=\"ACTIVE\"}.")
		failuresOld  = desc("failed_provisionings", "Tenants that are FAILED. Same as healthcare_tenants{status=\"FAILED\"}.")
		descriptions = []*prometheus.Desc{tenants, invitations, stuck, mails, oldestMail, logins, oldestLogin, unnumbered, oldestEvent, restored, activeOld, failuresOld}
	)
	return &metricsOf[monitoring.Registry]{s, descriptions, func(r monitoring.Registry, to sink) {
		for _, status := range tenant.Statuses() {
			to.gauge(tenants, float64(r.Tenants[status]), string(status))
		}
		to.gauge(invitations, float64(r.InvitationsPending), "PENDING")
		to.gauge(invitations, float64(r.InvitationsExpired), "EXPIRED")
		to.gauge(stuck, float64(r.Stuck))
		for _, kind := range monitoring.MailKinds() {
			to.gauge(mails, float64(r.Mails[kind].Count), string(kind))
			to.gauge(oldestMail, r.Mails[kind].Oldest.Seconds(), string(kind))
		}
		to.gauge(logins, float64(r.LoginsOpen), "open")
		to.gauge(logins, float64(r.LoginsOverdue.Count), "overdue")
		to.gauge(oldestLogin, r.LoginsOverdue.Oldest.Seconds())
		to.gauge(unnumbered, float64(r.Unnumbered.Count))
		to.gauge(oldestEvent, r.Unnumbered.Oldest.Seconds())
		to.flag(restored, r.Restored)
		to.gauge(activeOld, float64(r.Tenants[tenant.StatusActive]))
		to.gauge(failuresOld, float64(r.Tenants[tenant.StatusFailed]))
	}}
}

// provisioningQueue is the queue of provisionings.
const provisioningQueue = "provisioning"

func queueMetrics(s *source[monitoring.Queue]) prometheus.Collector {
	var (
		jobs     = desc("healthcare_queue_jobs", "Jobs that have not ended.", "queue", "state")
		oldest   = desc("healthcare_queue_oldest_due_seconds", "How long the oldest job that is due waits for a worker; 0 if none is.", "queue")
		alive    = desc("healthcare_worker_alive", "Whether a worker was seen in the last 30 seconds.")
		lastSeen = desc("healthcare_worker_last_seen_seconds", "How long ago a worker was seen; missing if none ever was.")
		depthOld = desc("provisioning_queue_depth", "Provisionings that wait for a worker.")
	)
	return &metricsOf[monitoring.Queue]{s, []*prometheus.Desc{jobs, oldest, alive, lastSeen, depthOld}, func(q monitoring.Queue, to sink) {
		for _, depth := range q.Queues {
			waiting := int64(0)
			for _, state := range monitoring.JobStates() {
				to.gauge(jobs, float64(depth.Jobs[state]), depth.Name, string(state))
				if state != monitoring.JobRunning {
					waiting += depth.Jobs[state]
				}
			}
			to.gauge(oldest, depth.OldestDue.Seconds(), depth.Name)
			if depth.Name == provisioningQueue {
				to.gauge(depthOld, float64(waiting))
			}
		}
		to.flag(alive, q.WorkerAlive)
		if q.WorkerSeen {
			to.gauge(lastSeen, q.LastSeen.Seconds())
		}
	}}
}

func databaseMetrics(s *source[monitoring.Database]) prometheus.Collector {
	var (
		writable    = desc("healthcare_database_writable", "Whether the database can be written.")
		connections = desc("healthcare_database_connections", "Connections to the server, of all its databases.")
		limit       = desc("healthcare_database_max_connections", "Connections that the server permits.")
		oldest      = desc("healthcare_database_oldest_transaction_seconds", "Age of the oldest transaction in this database, of the sessions that the user may see.")
		idAge       = desc("healthcare_database_transaction_id_age", "Transactions since the oldest one that is not frozen; the server stops before 2147483648.")
	)
	return &metricsOf[monitoring.Database]{s, []*prometheus.Desc{writable, connections, limit, oldest, idAge}, func(d monitoring.Database, to sink) {
		to.flag(writable, d.Writable)
		to.gauge(connections, float64(d.Connections))
		to.gauge(limit, float64(d.MaxConnections))
		to.gauge(oldest, d.OldestTransaction.Seconds())
		to.gauge(idAge, float64(d.TransactionIDAge))
	}}
}

func blueprintMetrics(s *source[[]monitoring.BlueprintTenants]) prometheus.Collector {
	behind := desc("healthcare_tenants_behind", "Live tenants that are not at the active revision of their blueprint.", "blueprint")
	return &metricsOf[[]monitoring.BlueprintTenants]{s, []*prometheus.Desc{behind}, func(all []monitoring.BlueprintTenants, to sink) {
		others := int64(0)
		for i, b := range all {
			if i < maxBlueprints {
				to.gauge(behind, float64(b.Behind), b.Blueprint)
			} else {
				others += b.Behind
			}
		}
		if len(all) > maxBlueprints {
			to.gauge(behind, float64(others), otherBlueprints)
		}
	}}
}
