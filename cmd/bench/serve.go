//go:build unix

package main

import (
	"context"
	"log/slog"
	"net"
	"os"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/mail"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/notify"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
)

// serve runs tenant-api's HTTP server and worker, with a deployer that takes no time. It
// runs in a separate process, as tenant-api does.
func serve(ctx context.Context) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	database, err := config.ReadDatabase(config.Environment)
	if err != nil {
		return err
	}
	settings, err := config.ReadMail(config.Environment)
	if err != nil {
		return err
	}
	db, err := postgres.Open(ctx, pgdb.Options{URL: database.SessionURL().Reveal(), Role: database.Role, MaxConnections: 16})
	if err != nil {
		return err
	}
	defer db.Close()
	notifier := notify.New(db.DB)
	mailer, err := mail.New(mail.Options{Mail: settings})
	if err != nil {
		return err
	}
	pipeline, err := provisioning.NewPipeline(db, instantDeployer{}, mailer, provisioning.PipelineOptions{Observer: notifier.Observe})
	if err != nil {
		return err
	}
	service, err := app.NewServices(db, pipeline, app.Contracts{}, nil)
	if err != nil {
		return err
	}
	q, err := queue.Open(ctx, queue.Options{URL: database.SessionURL().Reveal(), Role: database.Role, Runner: pipeline, Logger: log})
	if err != nil {
		return err
	}
	defer q.Close()
	db.UseQueue(q)
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	if err := q.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	notifierCtx, stopNotifier := context.WithCancel(context.WithoutCancel(ctx))
	defer stopNotifier()
	go notifier.Run(notifierCtx)
	handler, err := api.New(api.Options{Service: service.WithCancelOnDisconnect(), Jobs: q, Notifier: notifier, Keys: db.APIKeys, Blueprints: db.Blueprints, Maintenance: app.NewMaintenance(db, service.Provisioning, app.Ledger{}), RateLimit: 1_000_000_000, Logger: log})
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	httpServer := api.NewServer(handler)
	go func() { _ = httpServer.Serve(listener) }() // It returns on Shutdown.
	log.Info("serving", slog.String("url", "http://"+listener.Addr().String()))
	<-ctx.Done()
	shutdownCtx := context.WithoutCancel(ctx)
	_ = httpServer.Shutdown(shutdownCtx) // No request is open.
	handler.Close(shutdownCtx)
	return q.Stop(shutdownCtx)
}
