package main

import (
	"context"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
)

// publicSchema is the schema public: the tables of the registry and of the queue.
type publicSchema struct {
	db    *postgres.DB
	queue *queue.Queue
}

// openSchema opens both parts without a migration, for commands about versions.
func (a *cli) openSchema(ctx context.Context) (t publicSchema, err error) {
	var database config.Database
	if err := a.read(into(&database, config.ReadDatabase)); err != nil {
		return t, err
	}
	if t.db, err = app.OpenRegistry(ctx, programName, database, true); err != nil {
		return t, err
	}
	if t.queue, err = queue.Open(ctx, queue.Options{URL: database.SessionURL().Reveal(), Role: database.Role}); err != nil {
		t.db.Close()
	}
	return t, err
}

func (t publicSchema) close() {
	t.queue.Close()
	t.db.Close()
}

// migrate migrates both parts.
func (t publicSchema) migrate(ctx context.Context) error {
	if err := t.db.Migrate(ctx); err != nil {
		return err
	}
	return t.queue.Migrate(ctx)
}

// schemaVersions are the current versions of both parts, and the versions that this program
// needs.
type schemaVersions struct{ registry, registryNewest, queue, queueNewest int64 }

func (v schemaVersions) upToDate() bool {
	return v.registry == v.registryNewest && v.queue == v.queueNewest
}

func (t publicSchema) versions(ctx context.Context) (v schemaVersions, err error) {
	if v.registry, v.registryNewest, err = t.db.Versions(ctx); err != nil {
		return v, err
	}
	queueVersion, queueNewest, err := t.queue.Versions(ctx)
	v.queue, v.queueNewest = int64(queueVersion), int64(queueNewest)
	return v, err
}

// checkVersions returns KindPermanent for a database that must be migrated first.
func (t publicSchema) checkVersions(ctx context.Context) error {
	v, err := t.versions(ctx)
	if err != nil || v.upToDate() {
		return err
	}
	return errs.Errorf(errs.KindPermanent, "check versions",
		"the registry is at version %d and this program needs %d, the queue at %d and needs %d: run tenant-api migrate up, or a release of those versions",
		v.registry, v.registryNewest, v.queue, v.queueNewest)
}
