package pgdb

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// roleSetting is the setting that SET ROLE changes.
const roleSetting = "role"

// literal quotes a value whatever standard_conforming_strings is.
func literal(value string) string {
	return `E'` + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(value) + `'`
}

// roleError says why the role of the settings could not be set, if that is what failed. The
// error has no type of its own, so it asks the server.
func (s *session) roleError(ctx context.Context, c *pgconn.PgConn, err error) error {
	const op = "connect to the database"
	var pgErr *pgconn.PgError
	if s.role == "" || !errors.As(err, &pgErr) || pgErr.Code != "22023" && pgErr.Code != insufficientPrivilege {
		return err
	}
	results, readErr := c.Exec(ctx, `SELECT session_user, EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = `+literal(s.role)+`)`).ReadAll()
	if readErr != nil || len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) != 2 {
		return err
	}
	user, exists := string(results[0].Rows[0][0]), string(results[0].Rows[0][1]) == "t"
	switch {
	case !exists:
		return errs.Wrap(err, errs.KindPermanent, op, "the role %s of DATABASE_ROLE does not exist; correct the name, or have a DBA create the role that owns the registry", s.role)
	case pgErr.Code == insufficientPrivilege:
		withSet := ""
		if majorVersion(c.ParameterStatus("server_version")) >= 16 { // A member may not, if it was made one WITH SET FALSE.
			withSet = " WITH SET TRUE"
		}
		return errs.Wrap(err, errs.KindPermanent, op, "the database user %s may not set the role %s of DATABASE_ROLE; have a DBA run: GRANT %s TO %s%s",
			user, s.role, pgx.Identifier{s.role}.Sanitize(), pgx.Identifier{user}.Sanitize(), withSet)
	}
	return err
}
