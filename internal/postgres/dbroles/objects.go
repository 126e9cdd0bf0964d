package dbroles

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

const (
	// maxDatabases limits the other databases that one call visits; the next call
	// continues.
	maxDatabases = 16
	// databaseTimeout limits the work in one other database.
	databaseTimeout = 10 * time.Second
	// largeObjectBatch is how many large objects one transaction removes: each takes a lock,
	// of which a server has a few thousand.
	largeObjectBatch = 1000
)

// inTx runs f in a transaction of one database.
type inTx func(ctx context.Context, f func(pgx.Tx) error) error

// DropElsewhere drops all that a role owns or may access in other databases of the server,
// and its large objects in this one. PostgreSQL lets every role connect to databases such
// as postgres, and make large objects in each. Drop does the rest.
func DropElsewhere(ctx context.Context, db *pgdb.DB, role string) error {
	here := func(ctx context.Context, f func(pgx.Tx) error) error { return db.InTx(ctx, "drop large objects", f) }
	if err := dropLargeObjects(ctx, here, role); err != nil {
		return err
	}
	return inOthers(ctx, db, role, `true`, func(ctx context.Context, in inTx) error {
		if err := dropLargeObjects(ctx, in, role); err != nil {
			return err
		}
		return in(ctx, func(tx pgx.Tx) error { return dropOwnedAndGiven(ctx, tx, role) })
	})
}

// DropOwned drops what a role owns, such as large objects, in this database and others, and
// leaves its privileges. A role that owns nothing by design, such as a tenant's, can own
// objects that a login made after SET ROLE.
func DropOwned(ctx context.Context, db *pgdb.DB, role string) error {
	drop := func(ctx context.Context, in inTx) error {
		if err := dropLargeObjects(ctx, in, role); err != nil {
			return err
		}
		return in(ctx, func(tx pgx.Tx) error { return dropOwned(ctx, tx, role) })
	}
	here := func(ctx context.Context, f func(pgx.Tx) error) error { return db.InTx(ctx, "drop objects", f) }
	return errors.Join(drop(ctx, here), inOthers(ctx, db, role, `s.deptype = 'o'`, drop))
}

// dependentFrom joins the objects, in all databases, that depend on the role of parameter 1.
const dependentFrom = ` FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid
	WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = (SELECT oid FROM pg_roles WHERE rolname = $1)`

// inOthers calls f for each other database with objects that depend on the role and fulfil
// the condition.
func inOthers(ctx context.Context, db *pgdb.DB, role, condition string, f func(context.Context, inTx) error) error {
	pool, err := db.ReadyPool(ctx)
	if err != nil {
		return err
	}
	rows, _ := pool.Query(ctx, `SELECT DISTINCT d.datname`+dependentFrom+` AND d.datname <> current_database() AND `+condition+` LIMIT $2`, role, maxDatabases)
	databases, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return pgdb.Classify(err, "list objects")
	}
	var failures []error
	for _, name := range databases {
		if err := inDatabase(ctx, db, name, role, condition, f); err != nil {
			failures = append(failures, elsewhereError(err, role, name))
		}
	}
	return errors.Join(failures...)
}

func inDatabase(ctx context.Context, db *pgdb.DB, name, role, condition string, f func(context.Context, inTx) error) error {
	ctx, cancel := context.WithTimeout(ctx, databaseTimeout)
	defer cancel()
	config := db.Pool().Config().ConnConfig
	config.Database = name
	config.RuntimeParams["search_path"] = "pg_catalog" // Others can have functions in public there.
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	err = f(ctx, func(ctx context.Context, f func(pgx.Tx) error) error { return pgx.BeginFunc(ctx, conn, f) })
	left, listErr := describeDependent(ctx, conn, role, condition)
	if err == nil && listErr == nil && left != "" {
		err = errGivenByOthers
	}
	if err != nil {
		return dependentError{err, left}
	}
	return nil
}

// errGivenByOthers is the error of privileges that DROP OWNED does not take back.
var errGivenByOthers = errors.New("privileges that others gave are left")

// dependentError is an error with the objects of a role that are left in a database.
type dependentError struct {
	error
	objects string
}

func (e dependentError) Unwrap() error { return e.error }

// describeDependent lists the objects in this database that depend on a role.
func describeDependent(ctx context.Context, conn *pgx.Conn, role, condition string) (list string, err error) {
	err = conn.QueryRow(ctx, `SELECT coalesce(string_agg(DISTINCT pg_catalog.pg_describe_object(s.classid, s.objid, 0), ', '), '')`+dependentFrom+` AND d.datname = current_database() AND `+condition, role).Scan(&list)
	return errs.Truncate(list, maxObjectsText), err
}

// elsewhereError says what to do about objects in a database that this user cannot clean up.
func elsewhereError(err error, role, database string) error {
	kind := errs.KindPermanent
	var (
		pgErr     *pgconn.PgError
		dependent dependentError
		objects   string
	)
	_ = errors.As(err, &dependent)
	if errors.Is(err, errGivenByOthers) {
		return errs.Wrap(err, errs.KindPermanent, "drop objects", "others gave the role %s privileges in the database %s: %s; have them revoked there by the roles that gave them, or with REVOKE ... GRANTED BY",
			role, database, dependent.objects)
	}
	if dependent.objects != "" {
		objects = ": " + dependent.objects
	}
	if !errors.As(err, &pgErr) {
		kind = errs.KindTransient
	}
	return errs.Wrap(err, kind, "drop objects",
		"the role %s has objects or privileges in the database %s, which this program cannot drop%s; run there, as its owner or a superuser: DROP OWNED BY %s",
		role, database, objects, pgx.Identifier{role}.Sanitize())
}

// dropLargeObjects drops the large objects that a role owns in one database, in batches: a
// login can make any number.
func dropLargeObjects(ctx context.Context, in inTx, role string) error {
	for {
		var dropped int
		err := in(ctx, func(tx pgx.Tx) error {
			var exists bool
			err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT`+dependentFrom+largeObjectsHere+`)`, role).Scan(&exists)
			if err != nil || !exists {
				return err
			}
			return asMember(ctx, tx, role, func() error {
				return tx.QueryRow(ctx, `SELECT count(pg_catalog.lo_unlink(objid)) FROM (SELECT s.objid`+dependentFrom+largeObjectsHere+` LIMIT $2) x`,
					role, largeObjectBatch).Scan(&dropped)
			})
		})
		if err != nil || dropped < largeObjectBatch {
			return err
		}
	}
}

const largeObjectsHere = ` AND d.datname = current_database() AND s.deptype = 'o' AND s.classid = 'pg_largeobject'::regclass`

// dropOwned drops the objects that a role owns in the database of the transaction, one by
// one: DROP OWNED would revoke the role's privileges, too. What belongs to another object,
// as the sequence of a column, is dropped with that.
func dropOwned(ctx context.Context, tx pgx.Tx, role string) error {
	rows, _ := tx.Query(ctx, `SELECT 'DROP ' || replace(o.type, 'composite ', '') || ' ' || o.identity FROM pg_shdepend s JOIN pg_database d ON d.oid = s.dbid, pg_identify_object(s.classid, s.objid, 0) o
		WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = (SELECT oid FROM pg_roles WHERE rolname = $1)
		  AND d.datname = current_database() AND s.deptype = 'o' AND s.classid <> 'pg_largeobject'::regclass
		  AND NOT EXISTS (SELECT FROM pg_depend p WHERE p.classid = s.classid AND p.objid = s.objid AND p.deptype IN ('a', 'i'))
		ORDER BY s.objid DESC`, role)
	statements, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(statements) == 0 {
		return err
	}
	return asMember(ctx, tx, role, func() error {
		for _, statement := range statements { // What was made last cannot be needed by what was made before.
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

// asMember runs f as a member of a role, and leaves the membership as it was: who is a
// member of many roles pays for it with each SET ROLE.
func asMember(ctx context.Context, tx pgx.Tx, role string, f func() error) error {
	added, err := becomeMember(ctx, tx, role)
	if err != nil {
		return err
	}
	if err := f(); err != nil || !added {
		return err
	}
	_, err = tx.Exec(ctx, `REVOKE `+pgx.Identifier{role}.Sanitize()+` FROM CURRENT_USER`)
	return err
}
