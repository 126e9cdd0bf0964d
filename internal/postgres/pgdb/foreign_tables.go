package pgdb

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// checkNames returns KindPermanent when schema public has tables of another program whose names the
// registry needs. It is for a database that has no registry yet.
func (db *DB) checkNames(ctx context.Context) error {
	const op = "migrate registry"
	rows, _ := db.pool.Query(ctx, `SELECT 'public.' || relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
		AND relname IN ('tenants', 'provisioning_logs') ORDER BY 1`)
	taken, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(taken) == 0 {
		return Classify(err, op)
	}
	return errs.Errorf(errs.KindPermanent, op,
		"the database has %s of another program, and the registry needs these names; move them away (ALTER TABLE %s SET SCHEMA legacy), or use another database",
		strings.Join(taken, " and "), taken[0])
}
