package queue

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// failure classifies an error of River or of its driver. The words are ours,
// because theirs can name host, user and statement. Permissions and such are the
// registry's to report in detail: it uses the same database and comes first.
func failure(err error, op string) error {
	var (
		known *provisioning.Error
		state *pgconn.PgError
	)
	wrap := func(kind provisioning.Kind, message string) error {
		return provisioning.Wrap(err, kind, op, "%s", message)
	}
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return err
	case errors.As(err, &state):
		return wrap(kindOfState(state.Code), "the queue's database refused the operation (SQLSTATE "+state.Code+"); the log has the reason")
	case errors.Is(err, context.Canceled):
		return wrap(provisioning.KindCancelled, "the operation was cancelled")
	case unreachable(err):
		return wrap(provisioning.KindTransient, "the queue's database does not answer; check that it runs and that host, port and TLS mode are right")
	}
	return wrap(provisioning.KindPermanent, "the queue gave an unexpected answer; the log has it")
}

// kindOfState tells faults of the moment (connections, conflicts, resources,
// shutdown) from the others.
func kindOfState(code string) provisioning.Kind {
	for _, prefix := range []string{"08", "40", "53", "55P03", "57", "58", "25006"} {
		if strings.HasPrefix(code, prefix) {
			return provisioning.KindTransient
		}
	}
	return provisioning.KindPermanent
}

func unreachable(err error) bool {
	var (
		connect *pgconn.ConnectError
		network net.Error
	)
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) ||
		pgconn.SafeToRetry(err) || errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "conn closed") ||
		strings.Contains(err.Error(), "unexpected EOF")
}
