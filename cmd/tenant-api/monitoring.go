package main

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/readiness"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/telemetry"
)

// The intervals and limits of checks in the background.
const (
	queueCheckInterval = 15 * time.Second
	rpcCheckInterval   = 30 * time.Second
	mailCheckInterval  = time.Minute
	partCheckTimeout   = 5 * time.Second
)

// maxJobAge is how long the oldest job that is due may wait before the queue is degraded.
const maxJobAge = 5 * time.Minute

// newMonitor makes the checks of parts without which the server goes on.
func (s *server) newMonitor() *readiness.Monitor {
	return readiness.New([]readiness.Part{
		{Name: "queue", Check: func(ctx context.Context) error { return checkQueue(ctx, s.queue) }, Interval: queueCheckInterval, Timeout: partCheckTimeout},
		{Name: "rpc", Check: s.Deployer.CheckRPC, Interval: rpcCheckInterval, Timeout: partCheckTimeout},
		{Name: "mail", Check: s.Mailer.Check, Interval: mailCheckInterval, Timeout: partCheckTimeout},
	}, nil, s.log)
}

// checkQueue returns an error if no worker runs, or the oldest job waits for too long.
func checkQueue(ctx context.Context, q interface {
	Stats(context.Context) (monitoring.Queue, error)
}) error {
	const op = "check queue"
	stats, err := q.Stats(ctx)
	if err != nil {
		return err
	}
	if !stats.WorkerAlive {
		if !stats.WorkerSeen {
			return errs.Errorf(errs.KindTransient, op, "no worker was ever seen; run tenant-api worker, or serve without --worker=false")
		}
		return errs.Errorf(errs.KindTransient, op, "no worker was seen for %v; run tenant-api worker, or serve without --worker=false", stats.LastSeen.Round(time.Second))
	}
	for _, depth := range stats.Queues {
		if depth.OldestDue > maxJobAge {
			return errs.Errorf(errs.KindTransient, op, "the oldest job of the queue %q waits for %v", depth.Name, depth.OldestDue.Round(time.Second))
		}
	}
	return nil
}

// registerMetrics registers the metrics that are read at each scrape.
func (s *server) registerMetrics(monitor *readiness.Monitor) {
	telemetry.RegisterBuildInfo(s.metrics, buildVersion())
	telemetry.RegisterParts(s.metrics, monitor.Results)
	telemetry.RegisterRegistry(s.metrics, telemetry.RegistrySources{
		Registry: func(ctx context.Context) (monitoring.Registry, error) {
			return s.db.RegistryStats(ctx, s.settings.mail.InvitationReminder)
		},
		Queue: s.queue.Stats, Database: s.db.DatabaseStats,
		Blueprints: func(ctx context.Context) ([]monitoring.BlueprintTenants, error) {
			return s.db.BlueprintStats(ctx, tenantschema.Version)
		},
		Pools:  func() []monitoring.Pool { return append(s.db.PoolStats(), s.queue.PoolStats()) },
		Logger: s.log,
	})
	telemetry.RegisterStellar(s.metrics, s.settings.soroban.LowBalance, s.log, func(ctx context.Context) (contracts.StellarStats, error) {
		stats, err := s.db.StellarStats(ctx, s.Deployer.NetworkID(), s.Deployer.Address(), s.Deployer.Signer())
		stats.Protocol = s.Deployer.Protocol()
		return stats, err
	})
}

// countJob returns the observer of jobs.
func countJob(runs *telemetry.Runs) func(queue.JobEnd) {
	return func(e queue.JobEnd) { runs.ObserveJob(e.Kind, e.Outcome) }
}

// countedMaintenance counts the migrations of tenants.
type countedMaintenance struct {
	*app.Maintenance
	runs *telemetry.Runs
}

// MigrateTenant counts a migration that was not only a rehearsal.
func (m countedMaintenance) MigrateTenant(ctx context.Context, id uuid.UUID, o app.TenantMigration) (dto.TenantMigration, error) {
	report, err := m.Maintenance.MigrateTenant(ctx, id, o)
	if !o.DryRun && (err != nil || report.Migrated > 0) {
		m.runs.ObserveMigration(err)
	}
	return report, err
}
