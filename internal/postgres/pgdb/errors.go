package pgdb

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// fencedSQLState is what tenant_fence raises.
const fencedSQLState = "HT001"

// setupSQLState is what the registry's migrations raise when a DBA has something to do. The
// message says what.
const setupSQLState = "HT002"

// ErrFenced is the error of a write by a superseded run.
var ErrFenced = errs.Errorf(errs.KindFenced, "write",
	"a newer run owns this tenant; this run stopped without changes")

// Classify classifies an error of the driver. It replaces the driver's messages,
// because they can contain host, user, statement and values.
func Classify(err error, op string) error {
	var (
		typed  *errs.Error
		pgErr  *pgconn.PgError
		dnsErr *net.DNSError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &typed):
		return err
	case errors.As(err, &pgErr):
		return classifyServerError(err, pgErr, op)
	case errors.Is(err, context.Canceled):
		return errs.Wrap(err, errs.KindCancelled, op, "the operation was cancelled")
	case errors.Is(err, puddle.ErrClosedPool):
		return errs.Wrap(err, errs.KindCancelled, op, "this program is stopping")
	case errors.As(err, &dnsErr):
		return errs.Wrap(err, errs.KindTransient, op,
			"the name of the database host cannot be resolved; check DATABASE_URL or DB_HOST")
	case strings.Contains(err.Error(), "server refused TLS connection"): // The driver has no type for it.
		return errs.Wrap(err, errs.KindPermanent, op,
			"the database offers no TLS, but the settings require it; enable TLS in the database, or change sslmode")
	case isUnreachable(err):
		return errs.Wrap(err, errs.KindTransient, op,
			"the database does not answer; check that it runs and that host, port and TLS mode are correct")
	}
	return errs.Wrap(err, errs.KindPermanent, op, "the database returned an unexpected response; see the log")
}

func isUnreachable(err error) bool {
	var (
		connectErr *pgconn.ConnectError
		networkErr net.Error
	)
	return errors.As(err, &connectErr) || errors.As(err, &networkErr) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		pgconn.SafeToRetry(err) || strings.Contains(err.Error(), "conn closed")
}

func classifyServerError(err error, pgErr *pgconn.PgError, op string) error {
	wrap := func(kind errs.Kind, message string) error {
		return errs.Wrap(err, kind, op, "%s", message)
	}
	switch code := pgErr.Code; {
	case code == fencedSQLState:
		return ErrFenced
	case code == setupSQLState:
		return wrap(errs.KindPermanent, pgErr.Message)
	case code == "23505":
		return uniqueViolation(err, pgErr, op)
	case code == "25P03", code == "25P04":
		return wrap(errs.KindTransient, "the database ended a transaction that took too long; its own settings limit that")
	case code == "40001", code == "40003", code == "40P01", code == "55P03", code == "57014":
		return wrap(errs.KindTransient, "the database was busy with conflicting work")
	case code == "XX000" && strings.Contains(pgErr.Message, "concurrently updated"):
		return wrap(errs.KindTransient, "the database was busy with conflicting work")
	case strings.HasPrefix(code, "08"), strings.HasPrefix(code, "57P"), code == "53300":
		return wrap(errs.KindTransient, "the database is starting, stopping or out of connections")
	case strings.HasPrefix(code, "53"), strings.HasPrefix(code, "58"):
		return wrap(errs.KindTransient, "the database is out of disk space, memory or another resource")
	case strings.HasPrefix(code, "28"):
		return wrap(errs.KindPermanent, "the database refused the login; check user, password and pg_hba.conf")
	case code == "3D000":
		return wrap(errs.KindPermanent, "the database of that name does not exist; create it or correct the name")
	case code == "42501":
		return wrap(errs.KindPermanent,
			"the database user may not do this; it must own the database and have CREATEROLE")
	case code == "42P06", code == "42710":
		return wrap(errs.KindPermanent,
			"a schema or role with the tenant's name exists already and does not belong to this registry; check its content, then rename or drop it")
	case code == "25006":
		return wrap(errs.KindTransient, "the database is read-only; connect to the primary")
	}
	return wrap(errs.KindPermanent, "the database refused the operation (SQLSTATE "+pgErr.Code+"); the log has the reason")
}

// uniqueViolation returns a conflict that names the field whose value is in use.
func uniqueViolation(err error, pgErr *pgconn.PgError, op string) error {
	var field, message string
	switch pgErr.ConstraintName {
	case "tenants_name_unique":
		field, message = "name", "is the name of another live tenant; choose another one"
	case "tenants_external_id":
		field, message = "externalId", "belongs to another tenant; choose another one"
	case "users_email_key":
		field, message = "adminEmail", "belongs to another user of this tenant; choose another one"
	default:
		return errs.Wrap(err, errs.KindConflict, op, "a value that must be unique is taken (%s)", pgErr.ConstraintName)
	}
	return &errs.Error{
		Kind: errs.KindConflict, Op: op, Message: field + " " + message, Err: err,
		Fields: []errs.FieldError{{Field: field, Message: message}},
	}
}

// FencedUnlessUpdated returns ErrFenced when a statement without an error changed no row.
func FencedUnlessUpdated(rows int64, err error) error {
	if err == nil && rows == 0 {
		return ErrFenced
	}
	return err
}

// FencedIfNoRows returns ErrFenced in place of pgx.ErrNoRows.
func FencedIfNoRows(err error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrFenced
	}
	return err
}
