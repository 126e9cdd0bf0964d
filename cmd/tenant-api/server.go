package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/auth"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/limits"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/passwordhash"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// run serves until ctx ends or a part of the server fails.
func (s *server) run(ctx context.Context) error {
	prepare := s.checkVersions
	if s.migrateFirst {
		prepare = s.migrate
	}
	if err := prepare(ctx); err != nil {
		return err
	}
	// Without both, it may work as a user with fewer privileges.
	if s.worker || s.migrateFirst {
		if err := s.db.Platform.CheckPrivileges(ctx); err != nil {
			return err
		}
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var wg sync.WaitGroup
	defer wg.Wait()
	notifierCtx, stopNotifier := context.WithCancel(context.WithoutCancel(ctx))
	defer stopNotifier()
	wg.Go(func() { s.notifier.Run(notifierCtx) })
	s.monitor = s.newMonitor()

	stopMetrics, err := s.serveMetrics(fail)
	if err != nil {
		return err
	}
	defer stopMetrics()
	stopHTTP := func(context.Context) error { return nil }
	if s.http {
		if stopHTTP, err = s.serveHTTP(ctx, fail); err != nil {
			return err
		}
	}
	if s.worker {
		// Stop ends running jobs, with a separate timeout; the end of ctx does not.
		if err := s.queue.Start(context.WithoutCancel(ctx)); err != nil {
			return errors.Join(err, stopHTTP(ctx))
		}
		s.log.InfoContext(ctx, "worker started", slog.Int("workers", s.api.WorkersFor(s.settings.soroban.Channels)), slog.Int("channels", s.settings.soroban.Channels))
	}
	wg.Go(func() { s.monitor.Run(notifierCtx) })
	<-ctx.Done()
	return s.shutdown(context.WithoutCancel(ctx), context.Cause(ctx), stopHTTP)
}

// shutdown stops HTTP and worker at the same time: both may have running steps.
func (s *server) shutdown(ctx context.Context, cause error, stopHTTP func(context.Context) error) error {
	s.log.InfoContext(ctx, "stopping after the running steps; a second signal ends the program at once")
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	var (
		wg   sync.WaitGroup
		errs [2]error
	)
	wg.Go(func() { errs[0] = stopHTTP(ctx) })
	if s.worker {
		wg.Go(func() { errs[1] = s.queue.Stop(ctx) })
	}
	wg.Wait()
	s.log.InfoContext(ctx, "stopped")
	if errors.Is(cause, context.Canceled) { // Stopped by a signal, which is not an error.
		cause = nil
	}
	return errors.Join(append(errs[:], cause)...)
}

// serveHTTP starts to serve the API and returns the function that stops it.
func (s *server) serveHTTP(ctx context.Context, fail func(error)) (func(context.Context) error, error) {
	if err := s.refuseUnprotected(ctx); err != nil {
		return nil, err
	}
	handler, err := api.New(s.apiOptions())
	if err != nil {
		return nil, err
	}
	if err := s.addConsole(handler); err != nil {
		handler.Close(ctx)
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.api.Address())
	if err != nil {
		handler.Close(ctx)
		return nil, fmt.Errorf("%s and %s: cannot serve on %s: %w", s.settingName(config.AppHost), s.settingName(config.AppPort), s.api.Address(), err)
	}
	httpServer := api.NewServer(handler)
	go func() {
		if err := httpServer.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			fail(fmt.Errorf("serve HTTP: %w", err))
		}
	}()
	s.log.InfoContext(ctx, "serving", slog.String("url", "http://"+listener.Addr().String()), slog.String("docs", "http://"+listener.Addr().String()+"/docs"),
		slog.String("version", buildVersion()))
	return func(ctx context.Context) error {
		err := httpServer.Shutdown(ctx)
		if err != nil {
			err = fmt.Errorf("requests did not end within the timeout: %w", errors.Join(err, httpServer.Close()))
		}
		handler.Close(ctx)
		return err
	}, nil
}

func (s *server) apiOptions() api.Options {
	stellar := app.NewStellar(s.db, s.Deployer, s.settings.soroban)
	o := api.Options{
		APIKeys: s.db.APIKeys, Stellar: stellar, Overview: app.NewOverview(s.db, stellar, s.queue, nil),
		Service: s.WithCancelOnDisconnect(), Jobs: s.queue, Notifier: s.notifier, Keys: s.db.APIKeys, Blueprints: s.db.Blueprints,
		Maintenance: countedMaintenance{app.NewMaintenance(s.db, s.Provisioning.WithCancelOnDisconnect(), app.Ledger{Contracts: s.Deployer, Unknown: s.Contracts}), s.runs},
		OIDC:        auth.OIDC{Issuer: s.api.OIDCIssuer, Audience: s.api.OIDCAudience},
		RateLimit:   s.api.RateLimit, Retention: s.api.Retention, AllowEarlyPurge: s.api.EarlyPurge, AppURL: s.settings.mail.AppURL, InvitationURL: s.settings.mail.InvitationURL, Version: apiVersion, Logger: s.log, Metrics: s.metrics,
		CORSOrigins: s.api.CORSOrigins, TrustedProxies: s.api.TrustedProxies,
		WithoutWorker: !s.worker, RequestContext: passwordhash.LimitWait,
		Checks: []api.Check{{Name: "database", Run: s.db.CheckWritable}}, Background: s.monitor.Results,
	}
	if o.Retention == 0 {
		o.Retention = api.NoRetention
	}
	if s.api.Console.Enabled {
		o.Sessions = s.db.Sessions
	}
	return o
}

// refuseUnprotected refuses to serve on a public address while no caller can
// authenticate.
func (s *server) refuseUnprotected(ctx context.Context) error {
	if config.Loopback(s.api.Host) || s.api.OIDCIssuer != "" {
		return nil
	}
	keys, err := s.db.APIKeys.List(ctx)
	if err != nil {
		return err
	}
	if !hasUsableKey(keys, time.Now()) {
		return errs.Errorf(errs.KindInvalid, "serve",
			"%s is %s, which other machines can reach, and no API key exists: create one with tenant-api apikey create, set AUTH_OIDC_ISSUER and AUTH_OIDC_AUDIENCE, or serve on 127.0.0.1",
			s.settingName(config.AppHost), s.api.Host)
	}
	return nil
}

func hasUsableKey(keys []access.Key, now time.Time) bool {
	return slices.ContainsFunc(keys, func(k access.Key) bool {
		return k.RevokedAt.IsZero() && (k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt))
	})
}

// serveMetrics serves Prometheus metrics on a separate address, if one is set.
func (s *server) serveMetrics(fail func(error)) (stop func(), err error) {
	if s.api.MetricsAddr == "" {
		return func() {}, nil
	}
	s.registerMetrics(s.monitor)
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", s.api.MetricsAddr)
	if err != nil {
		return nil, fmt.Errorf("%s: cannot serve on %s: %w", s.settingName(config.MetricsAddr), s.api.MetricsAddr, err)
	}
	httpServer := limits.NewServer(metricsHandler(s.metrics), limits.ServerOptions{
		ReadTimeout: metricsReadTimeout, MaxConnections: maxMetricsConnections, Logger: s.log,
	})
	go func() {
		if err := httpServer.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			fail(fmt.Errorf("serve metrics: %w", err))
		}
	}()
	s.log.Info("serving metrics", slog.String("url", "http://"+listener.Addr().String()+"/metrics"))
	return func() { _ = httpServer.Close() }, nil
}

// The limits of the server for metrics.
const (
	metricsReadTimeout    = 10 * time.Second
	metricsWriteTimeout   = 10 * time.Second
	maxMetricsConnections = 64
	maxScrapes            = 8 // At the same time; more get 503.
)

func metricsHandler(metrics *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer limits.Hold(r.Context())()
		mux.ServeHTTP(limits.NewResponseWriter(w, r, metricsWriteTimeout), r)
	})
}

// logEndedLogins logs the outcome of ending expired logins.
func logEndedLogins(ctx context.Context, log *slog.Logger, dropped int64, err error) {
	if err != nil && ctx.Err() == nil {
		log.WarnContext(ctx, "an expired login could not be ended or dropped; it will be retried", slog.Any("error", err))
	}
	if dropped > 0 {
		log.InfoContext(ctx, "expired logins dropped", slog.Int64("logins_dropped", dropped))
	}
}

// logPass logs what a pass of the reconciler did.
func logPass(ctx context.Context, log *slog.Logger, r provisioning.Report) {
	if r.Empty() {
		return
	}
	if c := r.Contracts; !c.Empty() {
		log.InfoContext(ctx, "contracts reconciled", slog.Int("checked", c.Checked), slog.Int("registered", c.Registered), slog.Int("restored", len(c.Restored)),
			slog.Int("extended", len(c.Extended)), slog.Int("status_set", len(c.StatusSet)), slog.Int("anchored", len(c.Anchored)), slog.Int("upgraded", len(c.Upgraded)), slog.Bool("registry_deployed", c.RegistryDeployed),
			slog.Int("channels_created", c.Channels.Created), slog.Int("channels_topped_up", c.Channels.ToppedUp), slog.Int64("fee_stroops", c.FeeCharged))
		for id, reason := range c.Failed {
			log.WarnContext(ctx, "contract reconciliation failed; it will be retried", slog.String("tenant_id", contractOwner(id)), slog.String("reason", reason))
		}
		for _, u := range c.Unknown {
			log.WarnContext(ctx, "a contract that this registry created is not in it; tenants were lost, see tenant-api contracts unknown",
				slog.String("contract_id", u.ContractID), slog.String("transaction", u.TransactionHash), slog.Time("created_at", u.ClosedAt))
		}
	}
	if r.Contracts = (contracts.Report{}); r.Empty() {
		return
	}
	log.InfoContext(ctx, "orphans finished", slog.Any("requeued", r.Requeued), slog.Any("rolled_back", r.RolledBack), slog.Any("failed", r.Failed),
		slog.Int("welcome_mails_sent", len(r.WelcomeMailsSent)), slog.Int("welcome_mails_pending", len(r.WelcomeMailsPending)), slog.Int("welcome_mails_unconfirmed", len(r.WelcomeMailsUnconfirmed)), slog.Int("reminders_sent", len(r.RemindersSent)),
		slog.Int("failure_mails_sent", len(r.FailureMailsSent)), slog.Int64("invitations_deleted", r.Invitations), slog.Int64("idempotency_keys_deleted", r.Keys), slog.Int64("sessions_deleted", r.Sessions),
		slog.Int64("logins_dropped", r.Credentials))
}
