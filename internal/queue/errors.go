package queue

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// classify maps an error of River or its driver to a kind. The message does not repeat
// their text, which can name host, user and statement.
func classify(err error, op string) error {
	classified := pgdb.Classify(err, op)
	var (
		typed *errs.Error
		pgErr *pgconn.PgError
	)
	if errs.KindOf(classified) == errs.KindPermanent && !errors.As(err, &typed) && !errors.As(err, &pgErr) {
		return errs.Wrap(err, errs.KindPermanent, op, "the queue returned an unexpected error; the log has the cause")
	}
	return classified
}
