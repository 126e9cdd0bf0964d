package main

import (
	"context"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
)

// tables are both parts of schema public: the registry's and the queue's.
type tables struct {
	db    *postgres.DB
	queue *queue.Queue
}

// openTables opens them for who looks at versions alone.
func (a *app) openTables(ctx context.Context) (t tables, err error) {
	database, err := config.ReadDatabase(a.source)
	if err != nil {
		return t, err
	}
	if t.db, err = openRegistry(ctx, database, true); err != nil {
		return t, err
	}
	if t.queue, err = queue.Open(ctx, queue.Options{URL: database.URL.Reveal()}); err != nil {
		t.db.Close()
	}
	return t, err
}

func (t tables) close() {
	t.queue.Close()
	t.db.Close()
}

// migrate brings both up to date.
func (t tables) migrate(ctx context.Context) error {
	if err := t.db.Migrate(ctx); err != nil {
		return err
	}
	return t.queue.Migrate(ctx)
}

// versions are where both are, and where this program wants them.
type versions struct{ registry, registryWanted, queue, queueWanted int64 }

func (v versions) current() bool { return v.registry == v.registryWanted && v.queue == v.queueWanted }

func (t tables) versions(ctx context.Context) (v versions, err error) {
	if v.registry, v.registryWanted, err = t.db.Versions(ctx); err != nil {
		return v, err
	}
	queued, wanted, err := t.queue.Versions(ctx)
	v.queue, v.queueWanted = int64(queued), int64(wanted)
	return v, err
}

// checkVersions refuses a database that somebody has to migrate first.
func (t tables) checkVersions(ctx context.Context) error {
	v, err := t.versions(ctx)
	if err != nil || v.current() {
		return err
	}
	return provisioning.Errorf(provisioning.KindPermanent, "check versions",
		"the registry is at version %d and this program needs %d, the queue at %d and needs %d: run tenant-api migrate up, or a release of those versions",
		v.registry, v.registryWanted, v.queue, v.queueWanted)
}
