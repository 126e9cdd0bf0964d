package queue

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// classify maps an error of River or its driver to a kind. The message does not repeat
// their text, which can name host, user and statement. The registry reports missing
// permissions in detail: it uses the same database and is opened first.
func classify(err error, op string) error {
	var (
		typed *errs.Error
		pgErr *pgconn.PgError
	)
	wrap := func(kind errs.Kind, message string) error {
		return errs.Wrap(err, kind, op, "%s", message)
	}
	switch {
	case err == nil:
		return nil
	case errors.As(err, &typed):
		return err
	case errors.As(err, &pgErr):
		return wrap(kindOfSQLState(pgErr.Code), "the queue's database refused the operation (SQLSTATE "+pgErr.Code+"); the log has the reason")
	case errors.Is(err, context.Canceled):
		return wrap(errs.KindCancelled, "the operation was cancelled")
	case isUnreachable(err):
		return wrap(errs.KindTransient, "the queue's database does not answer; check that it runs and that host, port and TLS mode are right")
	}
	return wrap(errs.KindPermanent, "the queue returned an unexpected error; the log has the cause")
}

// kindOfSQLState distinguishes transient faults (connections, conflicts, resources,
// shutdown) from the others.
func kindOfSQLState(code string) errs.Kind {
	for _, prefix := range []string{"08", "40", "53", "55P03", "57", "58", "25006"} {
		if strings.HasPrefix(code, prefix) {
			return errs.KindTransient
		}
	}
	return errs.KindPermanent
}

func isUnreachable(err error) bool {
	var (
		connectErr *pgconn.ConnectError
		networkErr net.Error
	)
	return errors.As(err, &connectErr) || errors.As(err, &networkErr) || errors.Is(err, context.DeadlineExceeded) ||
		pgconn.SafeToRetry(err) || errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "conn closed") ||
		strings.Contains(err.Error(), "unexpected EOF")
}
