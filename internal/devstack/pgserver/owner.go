//go:build unix

package pgserver

import (
	"context"
	"fmt"
	"net/url"

	"github.com/jackc/pgx/v5"
)

// Owner is the role that owns the databases of CreateDatabase. It is what a platform has on
// its own servers: an ordinary role with CREATEROLE, no superuser.
const Owner = "platform"

// OwnerURL is the connection string of one of the server's databases for Owner.
func (s *Server) OwnerURL(database string) string {
	return s.urlFor(Owner, database)
}

// CreateDatabase creates a database that belongs to Owner, unless it exists. It creates
// Owner, too, if it does not exist.
func (s *Server) CreateDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := s.createOwner(ctx, conn); err != nil {
		return fmt.Errorf("create role %s: %w", Owner, err)
	}
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)`, name).Scan(&exists); err != nil || exists {
		return err
	}
	if _, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()+" OWNER "+Owner); err != nil {
		return err
	}
	return s.ownPublicSchema(ctx, name)
}

// ownPublicSchema gives Owner the schema public, which the owner of a database has only
// from PostgreSQL 15 on.
func (s *Server) ownPublicSchema(ctx context.Context, database string) error {
	conn, err := pgx.Connect(ctx, s.URL(database))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var version int
	if err := conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil || version >= 150000 {
		return err
	}
	_, err = conn.Exec(ctx, "ALTER SCHEMA public OWNER TO "+Owner)
	return err
}

func (s *Server) createOwner(ctx context.Context, conn *pgx.Conn) error {
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)`, Owner).Scan(&exists); err != nil || exists {
		return err
	}
	secret, err := conn.PgConn().EscapeString(s.password)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE ROLE "+Owner+" LOGIN CREATEROLE PASSWORD '"+secret+"'")
	return err
}

// urlFor is the connection string of a database for a role with the server's password.
func (s *Server) urlFor(role, database string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(role, s.password),
		Host: s.address(), Path: "/" + database, RawQuery: "sslmode=disable",
	}
	return u.String()
}
