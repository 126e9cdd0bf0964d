package main

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/clock"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
)

// registry opens the registry alone, for commands that need no more.
func (a *app) registry(ctx context.Context) (*postgres.DB, error) {
	database, err := config.ReadDatabase(a.source)
	if err != nil {
		return nil, err
	}
	return openRegistry(ctx, database, false)
}

func openRegistry(ctx context.Context, d config.Database, manualMigrate bool) (*postgres.DB, error) {
	return postgres.Open(ctx, postgres.Options{
		URL: d.URL.Reveal(), MaxConnections: d.MaxConnections, ManualMigrate: manualMigrate, ApplicationName: "tenant-api",
	})
}

// components is everything that provisioning needs, wired.
type components struct {
	publicSchema
	settings           settings
	notifier           *postgres.Notifier
	deployer           *soroban.Deployer
	contractReconciler *contracts.Reconciler
	pipeline           *provisioning.Pipeline
	service            *provisioning.Service
	log                *slog.Logger
}

type settings struct {
	database config.Database
	soroban  config.Soroban
	mail     config.Mail
}

func (a *app) readSettings() (settings, error) {
	var (
		s    settings
		errs [3]error
	)
	s.database, errs[0] = config.ReadDatabase(a.source)
	s.soroban, errs[1] = config.ReadSoroban(a.source)
	s.mail, errs[2] = config.ReadMail(a.source)
	return s, errors.Join(errs[:]...)
}

// componentOptions are what the commands differ in.
type componentOptions struct {
	log           *slog.Logger
	manualMigrate bool
	workers       int                     // Of the queue; 0: this process does not work.
	observers     []provisioning.Observer // Beside the log's and the feed's.
}

// newComponents connects nothing yet; the parts do so when they are used.
func newComponents(ctx context.Context, s settings, o componentOptions) (*components, error) {
	p := &components{settings: s, log: o.log}
	var err error
	if p.db, err = openRegistry(ctx, s.database, o.manualMigrate); err != nil {
		return nil, err
	}
	p.notifier = postgres.NewNotifier(p.db)
	if err := p.buildPipeline(o); err != nil {
		p.db.Close()
		return nil, err
	}
	if err := p.buildQueue(ctx, o); err != nil {
		p.db.Close()
		return nil, err
	}
	return p, nil
}

func (p *components) buildPipeline(o componentOptions) error {
	s := p.settings
	var err error
	if p.deployer, err = newDeployer(s.soroban); err != nil {
		return err
	}
	mailer, err := mail.New(mail.Options{Mail: s.mail})
	if err != nil {
		return err
	}
	observers := append([]provisioning.Observer{logObserver(o.log), p.notifier.Observe}, o.observers...)
	p.pipeline, err = provisioning.NewPipeline(p.db, p.deployer, mailer, provisioning.PipelineOptions{
		MailFailure: provisioning.MailFailurePolicy(s.mail.FailurePolicy),
		Observer: func(ctx context.Context, e provisioning.Event) {
			for _, observe := range observers {
				observe(ctx, e)
			}
		},
	})
	if err != nil {
		return err
	}
	service, err := provisioning.NewService(p.db, p.pipeline)
	if err != nil {
		return err
	}
	if p.contractReconciler, err = newContractReconciler(p.db, p.deployer, s.soroban); err == nil {
		p.service, err = service.WithContracts(p.deployer, p.contractReconciler)
	}
	return err
}

func (p *components) buildQueue(ctx context.Context, o componentOptions) error {
	options := queue.Options{URL: p.settings.database.URL.Reveal(), Logger: o.log}
	if o.workers > 0 {
		reconciler, err := provisioning.NewReconciler(p.db, p.service, provisioning.ReconcilerOptions{Contracts: p.contractReconciler})
		if err != nil {
			return err
		}
		warner := &balanceWarner{log: o.log, threshold: p.settings.soroban.LowBalance, clock: clock.System{}}
		options.Runner, options.Workers = p.pipeline, o.workers
		options.Reconcile = func(ctx context.Context) error {
			report, err := reconciler.Pass(ctx)
			logPass(ctx, o.log, report)
			warner.check(ctx, p.deployer.Address(), report.Contracts.Channels)
			return err
		}
	}
	var err error
	if p.queue, err = queue.Open(ctx, options); err != nil {
		return err
	}
	p.db.UseQueue(p.queue)
	return nil
}

// logger writes to standard error: standard output belongs to what was asked for.
func (a *app) logger() (*slog.Logger, error) {
	l, err := config.ReadLog(a.source)
	if err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: l.Level}
	if l.Format == config.LogJSON {
		return slog.New(slog.NewJSONHandler(os.Stderr, options)), nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options)), nil
}

// logObserver logs a run as it goes.
func logObserver(log *slog.Logger) provisioning.Observer {
	return func(ctx context.Context, e provisioning.Event) {
		level := slog.LevelInfo
		attrs := []slog.Attr{
			slog.String("tenant_id", e.Tenant.ID.String()), slog.String("step", string(e.Step)),
			slog.String("status", string(e.Status)), slog.Int("attempt", e.Attempt),
		}
		if e.Duration > 0 {
			attrs = append(attrs, slog.Duration("took", e.Duration))
		}
		if e.Message != "" {
			level = slog.LevelWarn
			attrs = append(attrs, slog.String("message", e.Message))
		}
		if e.Cause != nil {
			log.LogAttrs(ctx, slog.LevelDebug, "cause of what follows", slog.String("tenant_id", e.Tenant.ID.String()), slog.String("error", e.Cause.Error()))
		}
		log.LogAttrs(ctx, level, "provisioning step", attrs...)
	}
}
