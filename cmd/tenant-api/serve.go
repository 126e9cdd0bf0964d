package main

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/stream"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/readiness"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/telemetry"
)

var serveFlags = []settingFlag{
	{variable: config.AppHost},
	{variable: config.AppPort},
	{variable: config.MetricsAddr},
	{variable: config.WorkerCount},
	channelFlag,
	{variable: config.RateLimit},
	retentionFlag,
}

var retentionFlag = settingFlag{variable: config.PurgeRetention}

// shutdownTimeout is the maximum duration of a shutdown: the grace period of running steps,
// and then their cleanup.
const shutdownTimeout = 45 * time.Second

// server is a running tenant-api: HTTP, worker, or both.
type server struct {
	*components
	api          config.API
	log          *slog.Logger
	migrateFirst bool
	settingName  func(variable string) string
	http, worker bool
	metrics      *prometheus.Registry
	runs         *telemetry.Runs
	monitor      *readiness.Monitor
}

func (a *cli) serve() *cobra.Command {
	var worker, migrate bool
	cmd := &cobra.Command{
		Use: "serve", Short: "Serve the REST API and run its jobs", Args: noArgs,
		Long: `Serves the REST API and, unless --worker=false, runs the jobs in its queue. Any number
of servers and workers may share one registry. On SIGTERM or Ctrl-C the server accepts
no more requests, finishes running steps, releases unfinished tenants for another
worker, and exits; a second signal ends it at once.

Off loopback it serves only if an API key exists, or AUTH_OIDC_ISSUER and
AUTH_OIDC_AUDIENCE are set. It speaks plain HTTP: put a proxy with TLS in front of it.
"tenant-api help settings" lists the settings without a flag, too.

With --worker=false it works as a user that owns nothing: archive, unarchive, purge and
repair become jobs of a worker elsewhere, and what cannot is refused. The guide
"PostgreSQL" has the user's SQL.`,
		Example: "  tenant-api serve\n  tenant-api serve --host 0.0.0.0 --port 3001 --worker=false",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runServer(cmd.Context(), &server{settingName: a.settingName, http: true, worker: worker, migrateFirst: migrate})
		},
	}
	cmd.Flags().BoolVar(&worker, "worker", true, "also run the jobs in the queue")
	cmd.Flags().BoolVar(&migrate, "migrate", true, "migrate the registry's tables first")
	a.bindSettings(cmd, append(serveFlags, logFlags...)...)
	return cmd
}

func (a *cli) worker() *cobra.Command {
	var migrate bool
	cmd := &cobra.Command{
		Use: "worker", Short: "Run the jobs in the queue, without HTTP", Args: noArgs,
		Long: `Runs the jobs in the queue, without HTTP. Any number of servers and workers may share one
registry. It stops as "tenant-api serve" does. A purge that a server queued waits for the
longer retention, that of the server or the worker's own.`,
		Example: "  tenant-api worker --workers 16",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runServer(cmd.Context(), &server{settingName: a.settingName, worker: true, migrateFirst: migrate})
		},
	}
	cmd.Flags().BoolVar(&migrate, "migrate", true, "migrate the registry's tables first")
	a.bindSettings(cmd, slices.Concat(serveFlags[2:5], []settingFlag{retentionFlag}, logFlags)...)
	return cmd
}

// runServer runs a server until ctx ends.
func (a *cli) runServer(ctx context.Context, s *server) error {
	var log config.Log
	settings, err := a.readSettings(into(&s.api, config.ReadAPI), into(&log, config.ReadLog))
	if err != nil {
		return err
	}
	s.log = newLogger(log)
	a.log.Store(s.log)
	// Actions of the server are audited with the server as caller.
	ctx = audit.WithCaller(ctx, audit.CallerOf(context.Background()))
	s.metrics = prometheus.NewRegistry()
	s.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	steps := telemetry.NewSteps(s.metrics)
	s.runs = telemetry.NewRuns(s.metrics, queue.JobKinds())
	options := componentOptions{log: s.log, server: true, runs: s.runs, manualMigrate: !s.migrateFirst, observers: []provisioning.Observer{steps.Observe, stream.Observe}}
	if s.worker {
		options.workers, options.retention, options.earlyPurge = s.api.WorkersFor(settings.soroban.Channels), s.api.Retention, s.api.EarlyPurge
	}
	if s.components, err = newComponents(ctx, settings, options); err != nil {
		return err
	}
	defer s.close()
	return s.run(ctx)
}
