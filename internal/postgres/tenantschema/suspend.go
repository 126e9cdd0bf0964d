package tenantschema

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/logins"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// RevokeUse takes the use of a locked tenant's schema from its role and from the platform's roles.
// KindPermanent when the tenant's role could use it all the same.
func (s *Schemas) RevokeUse(ctx context.Context, tx pgx.Tx, t tenant.Tenant) error {
	template, err := s.Template(ctx, tx, t)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, blueprintsql.Names(t, "").Replace(template.SuspendStatement())); err != nil {
		return err
	}
	var usable bool
	err = tx.QueryRow(ctx, `SELECT has_schema_privilege($1, $2, 'USAGE')`, t.DatabaseRole, t.SchemaName).Scan(&usable)
	if err == nil && usable {
		err = errs.Errorf(errs.KindPermanent, "suspend tenant",
			"the role %s could still use the schema %s: PUBLIC or another role gives it that; tenants verify names it, and tenants repair takes it away",
			t.DatabaseRole, t.SchemaName)
	}
	return err
}

// GrantUse gives the use of a locked tenant's schema back.
func (s *Schemas) GrantUse(ctx context.Context, tx pgx.Tx, t tenant.Tenant) error {
	template, err := s.Template(ctx, tx, t)
	if err == nil {
		_, err = tx.Exec(ctx, blueprintsql.Names(t, "").Replace(template.ResumeStatement()))
	}
	return err
}

// remainingSessionsSQL counts, by login, the sessions of members of a tenant's role that are not
// this registry's logins. A session keeps the name that it logged in with.
const remainingSessionsSQL = `SELECT a.usename::text, count(*) FROM pg_stat_activity a JOIN pg_roles m ON m.rolname = a.usename
	JOIN pg_roles g ON g.rolname = $1
	WHERE a.datname = current_database() AND m.rolname <> current_user AND NOT m.rolsuper AND NOT starts_with(m.rolname::text, $2)
	  AND EXISTS (WITH RECURSIVE up AS (SELECT roleid FROM pg_auth_members WHERE member = m.oid
		UNION SELECT x.roleid FROM pg_auth_members x JOIN up ON x.member = up.roleid) SELECT FROM up WHERE up.roleid = g.oid)
	GROUP BY 1 ORDER BY 1`

// RemainingSessions says which sessions of logins that others made are still open beside a suspended
// tenant. They cannot use its schema in a new statement; an open cursor or a running statement goes
// on. This program does not end them: they can be in use for other tenants. The roles of the platform
// that could still use the schema are named, too.
func (s *Schemas) RemainingSessions(ctx context.Context, t tenant.Tenant) (warnings []string, err error) {
	const op = "list sessions"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := pool.Query(ctx, remainingSessionsSQL, t.DatabaseRole, logins.Prefix)
	type open struct {
		Login    string
		Sessions int
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByPos[open])
	if err != nil {
		return nil, pgdb.Classify(err, op)
	}
	for _, o := range found {
		warnings = append(warnings, fmt.Sprintf("the login %s, which this registry has not made, has %d open sessions: new statements on the schema fail, a running one or an open cursor goes on; to end them, have a DBA run: %s",
			o.Login, o.Sessions, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = "+quoteLiteral(o.Login)))
	}
	template, err := s.Template(ctx, pool, t)
	if err != nil {
		return warnings, err
	}
	for _, g := range template.Grants {
		var usable bool
		err := pool.QueryRow(ctx, `SELECT coalesce((SELECT has_schema_privilege(r.oid, n.oid, 'USAGE') FROM pg_roles r, pg_namespace n WHERE r.rolname = $1 AND n.nspname = $2), false)`, g.Role, t.SchemaName).Scan(&usable)
		if err != nil {
			return warnings, pgdb.Classify(err, op)
		}
		if usable {
			warnings = append(warnings, fmt.Sprintf("the role %s can still use the schema %s: it is a superuser, or a member of a role that may", g.Role, t.SchemaName))
		}
	}
	return warnings, nil
}

func quoteLiteral(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
