package pgdb

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// classifyTLSError returns nil for an error that is not of TLS.
func classifyTLSError(err error, op string) error {
	var (
		unknown *x509.UnknownAuthorityError
		byValue x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		verify  *tls.CertificateVerificationError
		alert   tls.AlertError
		message string
	)
	switch {
	case errors.As(err, &host):
		message = "the certificate of the database is for another host name; connect with a name that it has, or have one made for this host"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		message = "the certificate of the database has expired or is not valid yet; renew it, and check the clocks of both machines"
	case errors.As(err, &unknown), errors.As(err, &byValue), errors.As(err, &invalid), errors.As(err, &verify):
		message = "the certificate of the database is not from an authority that is trusted here; give the authority's certificate in sslrootcert"
	case errors.As(err, &alert):
		message = "the database refused the TLS connection (" + alert.Error() + "); check sslcert, sslkey and the server's TLS settings"
	case strings.Contains(err.Error(), "server refused TLS connection"): // The driver has no type for it.
		message = "the database offers no TLS, but the settings require it; enable TLS in the database, or change sslmode"
	default:
		return nil
	}
	return errs.Wrap(err, errs.KindPermanent, op, "%s", message)
}

func isUnreachable(err error) bool {
	var (
		connectErr *pgconn.ConnectError
		networkErr net.Error
	)
	return errors.As(err, &connectErr) || errors.As(err, &networkErr) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		pgconn.SafeToRetry(err) || errors.Is(err, pgconn.ErrConnClosed) || strings.Contains(err.Error(), "conn closed")
}

// transactionPooler is what to do about a pooler that gives each transaction another
// session.
const transactionPooler = "this program needs a session of its own; use the pooler in session mode, or set DATABASE_DIRECT_URL to an address that leads to the database without it"

// startParameter matches what PgBouncer says about parameters of the start-up message.
var startParameter = regexp.MustCompile(`^unsupported startup parameter(?: in options)?: ([A-Za-z0-9_.]{1,64})$`)

// poolerError returns kind and message of an error with SQLSTATE 08P01. PostgreSQL raises
// it for messages that do not fit together; PgBouncer for all of its own errors, always in
// English.
func poolerError(text string) (errs.Kind, string) {
	has := func(parts ...string) bool {
		for _, part := range parts {
			if strings.Contains(text, part) {
				return true
			}
		}
		return false
	}
	if parts := startParameter.FindStringSubmatch(text); parts != nil {
		return errs.KindPermanent, "the pooler does not pass on the parameter " + parts[1] +
			"; remove it from the connection string (or from PGOPTIONS), or add it to ignore_startup_parameters of PgBouncer"
	}
	switch {
	case has("pooling mode", "Long transactions not allowed"):
		return errs.KindPermanent, "the pooler allows no transactions (statement mode); " + transactionPooler
	case has("bind message", "prepared statement", "portal"):
		return errs.KindPermanent, "the pooler gives each transaction another session; " + transactionPooler
	case has("no more connections allowed", "query_wait_timeout", "client_login_timeout", "too many clients"):
		return errs.KindTransient, "the pooler is out of connections: none became free in time; raise its pool size or its limits"
	case has("no such user", "authentication failed", "auth failed"):
		return errs.KindPermanent, "the pooler refused the login; check user and password, and that the pooler knows the user"
	case has("no such database"):
		return errs.KindPermanent, "the pooler knows no database of that name; add it to the pooler, or correct the name"
	case has("server login", "server conn crashed", "cannot connect", "connect failed", "pgbouncer"):
		return errs.KindTransient, "the pooler cannot connect to the database, or is stopping; its log has the reason"
	}
	return errs.KindTransient, "the database, or a pooler before it, closed the connection; the log has the reason"
}
