package app

import (
	"context"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/webhook"
)

// Options are the settings of an App.
type Options struct {
	Name          string // Of the program; PostgreSQL shows it in pg_stat_activity.
	Database      config.Database
	ManualMigrate bool // Do not migrate the registry; an older one is an error.
	KeepMissing   bool // Do not make a missing registry, unless the context is of MakeRegistry.
	Soroban       config.Soroban
	Mail          config.Mail
	Webhook       config.Webhook          // Of blueprints' own steps.
	Observers     []provisioning.Observer // Called with each event of a run, in this order.
	Serves        bool                    // For the API or workers, which record refusals themselves; else the services record them.
	Instruments   Instruments             // Count runs, mails and requests of own steps. Nil: nothing does.
}

// Instruments count what runs do.
type Instruments interface {
	ObserveRun(provisioning.RunEnd)
	// Mailer returns a mailer that counts what becomes of the mails of next.
	Mailer(next provisioning.Mailer) provisioning.Mailer
	// StepSender returns a sender that counts the requests of next.
	StepSender(next provisioning.StepSender) provisioning.StepSender
}

// App is everything that provisioning needs.
type App struct {
	*Services
	DB        *postgres.DB
	Deployer  *soroban.Deployer
	Contracts *contracts.Reconciler
	Pipeline  *provisioning.Pipeline
	Mailer    *mail.Mailer
}

// Open makes an App from settings. It connects to nothing; the parts connect when they
// are used. ctx bounds the lifetime of the database pool's connects, not the call.
func Open(ctx context.Context, o Options) (*App, error) {
	options := registryOptions(o.Name, o.Database, o.ManualMigrate)
	options.KeepMissing = o.KeepMissing
	db, err := postgres.Open(ctx, options)
	if err != nil {
		return nil, err
	}
	a, err := build(db, o)
	if err != nil {
		db.Close()
		return nil, err
	}
	return a, nil
}

// Close ends conversations with the mail server, those that wait for an answer when ctx ends,
// and then closes the registry's connections: the outcomes are recorded there.
func (a *App) Close(ctx context.Context) {
	a.Mailer.Close(ctx)
	a.DB.Close()
}

func build(db *postgres.DB, o Options) (*App, error) {
	a := &App{DB: db}
	var err error
	if a.Deployer, err = NewDeployer(o.Soroban); err != nil {
		return nil, err
	}
	if a.Mailer, err = mail.New(mail.Options{Mail: o.Mail, Blueprints: db.Blueprints}); err != nil {
		return nil, err
	}
	options, mailer := provisioning.PipelineOptions{
		MailFailure: provisioning.MailFailurePolicy(o.Mail.FailurePolicy), InvitationTTL: o.Mail.InvitationTTL, Observer: notifyAll(o.Observers),
		StepSender: webhook.New(webhook.Options{Webhook: o.Webhook}), OpaqueSchemaNames: o.Database.OpaqueSchemaNames, DefaultBlueprint: o.Database.DefaultBlueprint,
	}, provisioning.Mailer(a.Mailer)
	if i := o.Instruments; i != nil {
		options.RunObserver, options.StepSender, mailer = i.ObserveRun, i.StepSender(options.StepSender), i.Mailer(mailer)
	}
	a.Pipeline, err = provisioning.NewPipeline(db, a.Deployer, mailer, options)
	if err != nil {
		return nil, err
	}
	if a.Contracts, err = NewContractReconciler(db, a.Deployer, o.Soroban); err != nil {
		return nil, err
	}
	a.Services, err = NewServices(db, a.Pipeline, Contracts{Reader: a.Deployer, Reconciler: a.Contracts}, nil)
	if err != nil {
		return nil, err
	}
	if o.Database.RequireCredentialReason {
		a.Services = a.WithRequiredReasons()
	}
	if !o.Serves {
		a.Services = a.WithRefusals()
	}
	return a, nil
}

func notifyAll(observers []provisioning.Observer) provisioning.Observer {
	return func(ctx context.Context, e provisioning.Event) {
		for _, observe := range observers {
			observe(ctx, e)
		}
	}
}

// OpenRegistry opens the registry alone, for commands that need no more. It does not
// connect yet. A missing registry is made only in a context of MakeRegistry.
func OpenRegistry(ctx context.Context, name string, d config.Database, manualMigrate bool) (*postgres.DB, error) {
	options := registryOptions(name, d, manualMigrate)
	options.KeepMissing = true
	return postgres.Open(ctx, options)
}

func registryOptions(name string, d config.Database, manualMigrate bool) pgdb.Options {
	return pgdb.Options{
		URL: d.SessionURL().Reveal(), Role: d.Role, MaxConnections: d.MaxConnections, ManualMigrate: manualMigrate, ApplicationName: name,
	}
}

// MakeRegistry returns a context in which a missing registry is made, in spite of
// Options.KeepMissing.
func MakeRegistry(ctx context.Context) context.Context { return pgdb.MakeRegistry(ctx) }

// NewDeployer makes the deployer of tenant contracts.
func NewDeployer(s config.Soroban) (*soroban.Deployer, error) {
	return soroban.New(soroban.Options{
		Passphrase: s.Passphrase, RPCURL: s.RPCURL, RPCHeaders: s.RPCHeaders, Secrets: s.Secrets(), DeployerSecret: s.DeployerSecret.Reveal(), DeployerAccount: s.DeployerAccount,
		MaxFee: s.MaxFee, MaxUploadFee: s.MaxUploadFee, Channels: s.Channels,
	})
}

// NewContractReconciler makes the reconciler of existing contracts. At most half of the
// channel accounts carry its changes, so that new tenants find free ones.
func NewContractReconciler(db *postgres.DB, deployer *soroban.Deployer, s config.Soroban) (*contracts.Reconciler, error) {
	anchorInterval := s.AnchorInterval
	if anchorInterval == 0 {
		anchorInterval = -1 // On demand alone.
	}
	return contracts.NewReconciler(db, deployer, contracts.ReconcilerOptions{
		AnchorInterval: anchorInterval, MaxConcurrentChanges: s.Channels / 2,
	})
}
