// Package postgrestest prepares databases for tests that need a registry.
package postgrestest

import (
	"context"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/queue"
)

// Migrate brings the database's registry, and the queue's tables in it, to the
// newest version. It is what pgtest.Main wants for the template that each test's
// database is copied from.
func Migrate(ctx context.Context, url string) error {
	db, err := postgres.Open(ctx, pgdb.Options{URL: url})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	q, err := queue.Open(ctx, queue.Options{URL: url})
	if err != nil {
		return err
	}
	defer q.Close()
	return q.Migrate(ctx)
}
