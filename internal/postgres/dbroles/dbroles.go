// Package dbroles grants, disables and drops the database roles of tenants and of their
// logins. It works for an ordinary role with CREATEROLE, which may neither end a session
// nor drop an object of a role that it is no member of.
package dbroles

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// inheritOnly is the option of GRANT that gives a member the privileges of a role, and
// from PostgreSQL 16 on not the right to become it with SET ROLE.
func inheritOnly(conn *pgx.Conn) string {
	if pgdb.ServerVersion(conn) < 16 {
		return ""
	}
	return ` WITH INHERIT TRUE, SET FALSE`
}

// AttributesSQL is an expression over a row of pg_roles with the attributes that neither the role
// of a tenant nor the connect role may have, as a JSON array. login is the condition for LOGIN.
func AttributesSQL(row, login string) string {
	return strings.ReplaceAll(`to_jsonb(array_remove(ARRAY[CASE WHEN `+login+` THEN 'LOGIN' END, CASE WHEN {{row}}.rolsuper THEN 'SUPERUSER' END, CASE WHEN {{row}}.rolcreatedb THEN 'CREATEDB' END,
		CASE WHEN {{row}}.rolcreaterole THEN 'CREATEROLE' END, CASE WHEN {{row}}.rolreplication THEN 'REPLICATION' END, CASE WHEN {{row}}.rolbypassrls THEN 'BYPASSRLS' END], NULL))`, "{{row}}", row)
}

// CreateSQL is the statement that makes the role of a tenant, the connect role or the schema owner:
// none of them may do anything by itself. name is quoted.
func CreateSQL(name string) string {
	return `CREATE ROLE ` + name + ` NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS`
}

// Grant makes a role the member of others: it has their privileges and, from PostgreSQL 16
// on, cannot become one of them.
func Grant(ctx context.Context, tx pgx.Tx, member string, roles ...string) error {
	quoted := make([]string, len(roles))
	for i, role := range roles {
		quoted[i] = pgx.Identifier{role}.Sanitize()
	}
	_, err := tx.Exec(ctx, `GRANT `+strings.Join(quoted, ", ")+` TO `+pgx.Identifier{member}.Sanitize()+inheritOnly(tx.Conn()))
	return err
}

// ConnectRole is the role that gives its members CONNECT on the registry's database.
func ConnectRole(ctx context.Context, tx pgx.Tx) (role string, err error) {
	err = tx.QueryRow(ctx, `SELECT connect_role FROM registry`).Scan(&role)
	return role, err
}

// Disable takes password, memberships and members from a login, so that it cannot connect
// any more. Its open sessions keep what they have until EndSessions, which then may end
// them: the current user becomes a member.
func Disable(ctx context.Context, tx pgx.Tx, login string) error {
	name := pgx.Identifier{login}.Sanitize()
	if _, err := tx.Exec(ctx, `ALTER ROLE `+name+` NOLOGIN PASSWORD NULL CONNECTION LIMIT 0`); err != nil {
		return err
	}
	rows, _ := tx.Query(ctx, `SELECT DISTINCT g.rolname, m.rolname FROM pg_auth_members x
		JOIN pg_roles g ON g.oid = x.roleid JOIN pg_roles m ON m.oid = x.member
		WHERE m.rolname = $1 OR g.rolname = $1 AND m.rolname <> current_user`, login)
	type membership struct{ Role, Member string }
	memberships, err := pgx.CollectRows(rows, pgx.RowToStructByPos[membership])
	if err != nil {
		return err
	}
	for _, m := range memberships {
		// What a superuser granted, this user may not revoke from PostgreSQL 16 on. It ends with the role.
		if err := ExecIfPermitted(ctx, tx, `REVOKE `+pgx.Identifier{m.Role}.Sanitize()+` FROM `+pgx.Identifier{m.Member}.Sanitize()); err != nil {
			return err
		}
	}
	_, err = becomeMember(ctx, tx, login)
	return err
}

// ExecIfPermitted runs a statement in a savepoint. It does nothing, and that is no error, if
// the current user has not the privileges for it.
func ExecIfPermitted(ctx context.Context, tx pgx.Tx, statement string) error {
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, statement)
		return err
	})
	if pgdb.IsInsufficientPrivilege(err) {
		return nil
	}
	return err
}

// becomeMember makes the current user a member of a role, and reports whether it was none:
// whether it had not the role's privileges already.
func becomeMember(ctx context.Context, tx pgx.Tx, role string) (added bool, err error) {
	var member bool
	if err := tx.QueryRow(ctx, `SELECT pg_has_role(current_user, $1, 'USAGE')`, role).Scan(&member); err != nil || member {
		return false, err
	}
	_, err = tx.Exec(ctx, `GRANT `+pgx.Identifier{role}.Sanitize()+` TO CURRENT_USER`+inheritOnly(tx.Conn()))
	return true, err
}

// Join gives the current user the privileges of a role, if it exists.
func Join(ctx context.Context, tx pgx.Tx, role string) error {
	exists, err := Exists(ctx, tx, role)
	if err == nil && exists {
		_, err = becomeMember(ctx, tx, role)
	}
	return err
}

// Exists reports whether there is a role of that name.
func Exists(ctx context.Context, tx pgx.Tx, role string) (exists bool, err error) {
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, role).Scan(&exists)
	return exists, err
}

// MadeByLogins is a condition that a role, pg_roles o, is a login, a tenant's role or a connect
// role: what it owns, a tenant's login made.
const MadeByLogins = `o.rolname ~ '^healthcare_(login|connect)_|_[0-9a-f]{8}$'`

// Drop drops a role with all that it owns or may access in this database. DropElsewhere
// comes first for other databases.
func Drop(ctx context.Context, tx pgx.Tx, role string) error {
	if err := dropOwnedAndGiven(ctx, tx, role); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DROP ROLE `+pgx.Identifier{role}.Sanitize())
	var pgErr *pgconn.PgError
	if errors.As(err, &pgErr) && pgErr.Code == "2BP01" { // Dependent objects, which the detail lists.
		return errs.Wrap(err, errs.KindPermanent, "drop role", "the role %s cannot be dropped, because others gave it privileges: %s; have them revoked by the roles that gave them",
			role, errs.Truncate(strings.ReplaceAll(pgErr.Detail, "\n", ", "), maxObjectsText))
	}
	return err
}

// maxObjectsText limits what a message quotes of a list of objects, in characters.
const maxObjectsText = 300

// dropOwnedAndGiven drops what a role owns in the database of a transaction, and its
// privileges: also those that the logins of tenants gave it, on what is theirs.
func dropOwnedAndGiven(ctx context.Context, tx pgx.Tx, role string) error {
	rows, _ := tx.Query(ctx, `SELECT DISTINCT o.rolname FROM pg_shdepend s
		JOIN pg_database d ON d.oid = s.dbid AND d.datname = current_database()
		JOIN pg_shdepend w ON w.dbid = s.dbid AND w.classid = s.classid AND w.objid = s.objid AND w.deptype = 'o' JOIN pg_roles o ON o.oid = w.refobjid
		WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = (SELECT oid FROM pg_roles WHERE rolname = $1) AND s.deptype = 'a' AND `+MadeByLogins, role)
	owners, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	// PostgreSQL lets the owner of an object take a privilege on it from another role.
	var joined []string
	for _, owner := range append(owners, role) {
		added, err := becomeMember(ctx, tx, owner)
		if err != nil {
			return err
		}
		if added && owner != role {
			joined = append(joined, owner)
		}
	}
	if _, err := tx.Exec(ctx, `DROP OWNED BY `+pgx.Identifier{role}.Sanitize()); err != nil {
		return err
	}
	for _, owner := range joined {
		if _, err := tx.Exec(ctx, `REVOKE `+pgx.Identifier{owner}.Sanitize()+` FROM CURRENT_USER`); err != nil {
			return err
		}
	}
	return nil
}
