package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/notify"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/telemetry"
)

// services opens the services of the registry, for commands that need neither ledger nor
// mail, and reads further settings. The caller closes them.
func (a *cli) services(ctx context.Context, further ...groupReader) (*registryServices, error) {
	var w config.Webhook
	db, err := a.registry(ctx, append([]groupReader{into(&w, config.ReadWebhook)}, further...)...)
	if err != nil {
		return nil, err
	}
	services, err := app.NewRegistryServices(db, w)
	if err != nil {
		db.Close()
		return nil, err
	}
	return &registryServices{Services: services, db: db}, nil
}

// registryServices are services and the registry that they use.
type registryServices struct {
	*app.Services
	db *postgres.DB
}

func (s *registryServices) close() { s.db.Close() }

// registry opens only the registry, for commands that need no service, and reads further settings.
func (a *cli) registry(ctx context.Context, further ...groupReader) (*postgres.DB, error) {
	var database config.Database
	if err := a.read(append([]groupReader{into(&database, config.ReadDatabase)}, further...)...); err != nil {
		return nil, err
	}
	return app.OpenRegistry(ctx, programName, database, false)
}

// programName is the application_name of its database connections.
const programName = "tenant-api"

// components are all parts of provisioning, with the queue and the notifier.
type components struct {
	*app.App
	publicSchema
	settings settings
	notifier *notify.Notifier
	log      *slog.Logger
}

// componentOptions are the options that differ between commands.
type componentOptions struct {
	log           *slog.Logger
	manualMigrate bool
	server        bool                    // It makes a missing registry with its first use; commands do so only in a context of app.MakeRegistry.
	workers       int                     // Jobs at once; 0: this process runs no jobs.
	retention     time.Duration           // Of the purges among the jobs.
	earlyPurge    bool                    // Purges may skip it.
	runs          *telemetry.Runs         // Counts runs and jobs. Nil: nothing does.
	observers     []provisioning.Observer // In addition to the log and the notifier.
}

// newComponents does not connect; each part connects on first use.
func newComponents(ctx context.Context, s settings, o componentOptions) (*components, error) {
	p := &components{settings: s, log: o.log}
	// The notifier needs the registry, and the pipeline of the app needs the notifier.
	observe := func(ctx context.Context, e provisioning.Event) { p.notifier.Observe(ctx, e) }
	var err error
	options := app.Options{
		Name: programName, Database: s.database, ManualMigrate: o.manualMigrate, KeepMissing: !o.server, Serves: o.server, Soroban: s.soroban, Mail: s.mail, Webhook: s.webhook,
		Observers: append([]provisioning.Observer{logObserver(o.log), observe}, o.observers...),
	}
	if o.runs != nil {
		options.Instruments = o.runs
	}
	if p.App, err = app.Open(ctx, options); err != nil {
		return nil, err
	}
	p.db, p.notifier = p.DB, notify.New(p.DB.DB)
	if err := p.buildQueue(ctx, o); err != nil {
		p.DB.Close()
		return nil, err
	}
	return p, nil
}

// mailCloseTimeout is how long a stopping program waits for answers of the mail server. A mail
// without one is recorded as not confirmed.
const mailCloseTimeout = 5 * time.Second

// close also ends conversations with the mail server, whose outcomes go to the registry.
func (p *components) close() {
	ctx, cancel := context.WithTimeout(context.Background(), mailCloseTimeout)
	defer cancel()
	p.Mailer.Close(ctx)
	p.publicSchema.close()
}

func (p *components) buildQueue(ctx context.Context, o componentOptions) error {
	options := queue.Options{URL: p.settings.database.SessionURL().Reveal(), Role: p.settings.database.Role, Logger: o.log}
	if o.runs != nil {
		options.JobEnded = countJob(o.runs)
	}
	if o.workers > 0 {
		reconciler, err := provisioning.NewReconciler(p.DB, p.Provisioning, provisioning.ReconcilerOptions{Contracts: p.Contracts, ReminderLead: p.settings.mail.InvitationReminder})
		if err != nil {
			return err
		}
		warner := &stellarWarner{log: o.log, threshold: p.settings.soroban.LowBalance, clock: clock.System{}}
		options.Runner, options.Mover, options.Workers = p.Pipeline, p.Services, o.workers
		options.Retention, options.AllowEarlyPurge = o.retention, o.earlyPurge
		options.Reconcile = func(ctx context.Context) error {
			report, err := reconciler.Pass(ctx)
			logPass(ctx, o.log, report)
			warner.checkChannels(ctx, p.Deployer.Address(), report.Contracts.Channels)
			warner.checkProtocol(ctx, p.Deployer.Protocol())
			return err
		}
		options.Background = []func(context.Context){func(ctx context.Context) {
			credentials.EndExpired(ctx, p.DB, clock.System{}, func(dropped int64, err error) { logEndedLogins(ctx, o.log, dropped, err) })
		}}
	}
	var err error
	if p.queue, err = queue.Open(ctx, options); err != nil {
		return err
	}
	p.db.UseQueue(p.queue)
	return nil
}

// logObserver logs the events of a run.
func logObserver(log *slog.Logger) provisioning.Observer {
	return func(ctx context.Context, e provisioning.Event) {
		level := slog.LevelInfo
		attrs := []slog.Attr{
			slog.String("tenant_id", e.Tenant.ID.String()), slog.String("step", string(e.Step)),
			slog.String("status", string(e.Status)), slog.Int("attempt", e.Attempt),
		}
		if e.Duration > 0 {
			attrs = append(attrs, telemetry.Took(e.Duration))
		}
		if e.Message != "" {
			level = slog.LevelWarn
			attrs = append(attrs, slog.String("message", e.Message))
		}
		if e.Cause != nil {
			log.LogAttrs(ctx, slog.LevelDebug, "cause of the next message", slog.String("tenant_id", e.Tenant.ID.String()), slog.String("error", e.Cause.Error()))
		}
		log.LogAttrs(ctx, level, "provisioning step", attrs...)
	}
}
