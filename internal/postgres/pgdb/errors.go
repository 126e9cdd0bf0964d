package pgdb

import (
	"context"
	"errors"
	"net"
	"strconv"
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

// workerSQLState is what a function of the registry raises for what only a server with a worker
// can do. The message says what.
const workerSQLState = "HT003"

// confusableSQLState is what tenant_name_confusable raises. The message is the name of the other
// tenant, the detail its id.
const confusableSQLState = "HT004"

// insufficientPrivilege is the SQLSTATE of a statement that the user may not run.
const insufficientPrivilege = "42501"

// IsInsufficientPrivilege reports whether PostgreSQL refused a statement because of a missing
// privilege.
func IsInsufficientPrivilege(err error) bool {
	var pgErr *pgconn.PgError
	return errors.As(err, &pgErr) && pgErr.Code == insufficientPrivilege
}

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
	case classifyTLSError(err, op) != nil:
		return classifyTLSError(err, op)
	case errors.As(err, &dnsErr):
		return errs.Wrap(err, errs.KindTransient, op,
			"the name of the database host cannot be resolved; check DATABASE_URL or DB_HOST")
	case isUnreachable(err):
		return errs.Wrap(err, errs.KindTransient, op,
			"the database does not answer; check that it runs and that host, port and TLS mode are correct")
	}
	return errs.Wrap(err, errs.KindPermanent, op, "the database returned an unexpected response; see the log")
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
	case code == workerSQLState:
		return wrap(errs.KindNoWorker, pgErr.Message)
	case code == confusableSQLState:
		return confusableName(err, pgErr, op)
	case code == "23505":
		return uniqueViolation(err, pgErr, op)
	case code == "08P01":
		return wrap(poolerError(pgErr.Message))
	case isTransientState(pgErr):
		return wrap(errs.KindTransient, transientMessage(pgErr))
	case code == "26000", code == "42P05":
		return wrap(errs.KindPermanent, "a prepared statement was in another session, as behind a pooler in transaction mode; "+transactionPooler)
	case code == "58P01":
		return wrap(errs.KindPermanent,
			"the database lacks a file: a library of an extension that is not installed on this server, or a tablespace; install or restore it (the log has its name)")
	case strings.HasPrefix(code, "28"):
		return wrap(errs.KindPermanent, "the database refused the login; check user, password and pg_hba.conf")
	case code == "3D000":
		return wrap(errs.KindPermanent, "the database of that name does not exist; create it or correct the name")
	case code == insufficientPrivilege:
		return wrap(errs.KindPermanent, refusedMessage(pgErr, op))
	case code == "42704":
		return wrap(errs.KindPermanent, "the database lacks something that "+strconv.Quote(op)+" needs: "+serverText(pgErr)+"; "+platformCheck)
	case code == "42P06", code == "42710":
		return wrap(errs.KindPermanent,
			"a schema or role with the tenant's name exists already and does not belong to this registry; check its content, then rename or drop it")
	}
	return wrap(errs.KindPermanent, "the database refused the operation (SQLSTATE "+pgErr.Code+"); the log has the reason")
}

// platformCheck is what to do about a missing privilege or object: which one it is, and the
// statement, depends on more than the one error.
const platformCheck = "run tenant-api platform check, which names the object and the statement that repairs it"

// refusedMessage is the message for a statement that the user may not run. PostgreSQL's own
// names the object, and from version 16 on the detail names the missing privilege.
func refusedMessage(pgErr *pgconn.PgError, op string) string {
	return "the database did not permit " + strconv.Quote(op) + ": " + serverText(pgErr) + "; " + platformCheck
}

// maxServerText limits what a message quotes of the server's, in characters.
const maxServerText = 220

// serverText is the server's message, for errors whose messages have names of objects and no
// values.
func serverText(pgErr *pgconn.PgError) string {
	text := strings.TrimSuffix(pgErr.Message, ".")
	if pgErr.Detail != "" {
		text += " (" + strings.TrimSuffix(pgErr.Detail, ".") + ")"
	}
	return errs.Truncate(text, maxServerText)
}

// isTransientState reports whether another try may succeed.
func isTransientState(pgErr *pgconn.PgError) bool {
	switch pgErr.Code {
	case "25P03", "25P04", "25006", "40001", "40003", "40P01", "55P03", "57014":
		return true
	case "XX000": // The message is translated, the names of functions are not.
		return strings.Contains(pgErr.Message, "concurrently updated") || strings.HasPrefix(pgErr.Routine, "simple_heap_")
	case "0A000":
		return isChangedPlan(pgErr)
	case "58P01":
		return false
	}
	class := pgErr.Code[:min(2, len(pgErr.Code))]
	return class == "08" || class == "53" || class == "58" || strings.HasPrefix(pgErr.Code, "57P")
}

// isChangedPlan reports whether a prepared statement no longer fits its tables, as in the
// upgrade of one process while others run. The driver prepares it again with the next try.
func isChangedPlan(pgErr *pgconn.PgError) bool {
	return pgErr.Code == "0A000" && (pgErr.Routine == "RevalidateCachedQuery" || strings.Contains(pgErr.Message, "cached plan"))
}

func transientMessage(pgErr *pgconn.PgError) string {
	switch code := pgErr.Code; {
	case code == "25006":
		return readOnlyMessage
	case code == "25P03", code == "25P04", code == "57P05":
		return "the database ended a session or transaction that took too long; a setting or a person limits that"
	case code == "57014":
		return "the database cancelled the statement: a person did, or a statement_timeout that this program could not change"
	case code == tooManyConnections:
		return "the database is out of connections: the limit of the server (max_connections), of the user or of the database is reached; close others, or raise the limit"
	case code == "57P01", code == "57P02", code == "57P03", code == "57P04":
		return "the database is starting or stopping, or a person ended the connection"
	case strings.HasPrefix(code, "08"):
		return "the connection to the database was lost"
	case code == "53100":
		return "the database's disk is full; free or add space"
	case strings.HasPrefix(code, "53"), strings.HasPrefix(code, "58"):
		return "the database is out of memory or another resource, or its storage has a fault"
	case code == "0A000":
		return "a table was changed while statements on it were prepared; the next try prepares them again"
	}
	return "the database was busy with conflicting work"
}

// tooManyConnections is the SQLSTATE of a server without a free connection.
const tooManyConnections = "53300"

// readOnlyMessage is for a server that cannot be written.
const readOnlyMessage = "the database is read-only: it is a standby, or default_transaction_read_only is on, as when its disk is full; connect to the primary, or reset the setting"

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

// confusableName returns the conflict of a name that looks like that of another tenant.
func confusableName(err error, pgErr *pgconn.PgError, op string) error {
	message := "looks like " + strconv.Quote(pgErr.Message) + ", the name of the tenant " + pgErr.Detail +
		", in letters of another script; choose another name, or set allowConfusableName if both are meant"
	return &errs.Error{
		Kind: errs.KindConflict, Op: op, Message: "name " + message, Err: err,
		Fields: []errs.FieldError{{Field: "name", Message: message}},
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
