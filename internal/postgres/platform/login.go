package platform

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/dbroles"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
)

// login is an open login of a tenant whose role is not as it was made.
type login struct {
	TenantID uuid.UUID
	ID       uuid.UUID // Of the credential.
	Name     string
	Missing  []string // Roles of which it is no member, or whose privileges it does not inherit.
	surplus
}

// driftedLoginsSQL reads the open logins of tenants that are not as they were made. It only
// reads indexes.
var driftedLoginsSQL = `SELECT * FROM (SELECT c.tenant_id, c.id, r.rolname::text,
		ARRAY(SELECT n.name::text FROM unnest(ARRAY[` + roleName + `, g.connect_role]) AS n(name)
			WHERE NOT coalesce((SELECT pg_has_role(r.oid, x.oid, 'USAGE') FROM pg_roles x WHERE x.rolname = n.name), false)) AS missing,
		ARRAY(SELECT DISTINCT x.rolname::text FROM pg_auth_members m JOIN pg_roles x ON x.oid = m.roleid WHERE m.member = r.oid AND x.rolname <> ALL (ARRAY[` + roleName + `, g.connect_role]) ORDER BY 1) AS groups,
		array_remove(ARRAY[CASE WHEN r.rolsuper THEN 'SUPERUSER' END, CASE WHEN r.rolcreatedb THEN 'CREATEDB' END, CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
			CASE WHEN r.rolreplication THEN 'REPLICATION' END, CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END], NULL) AS attributes,
		` + connectPrivilegesSQL(`r.oid`) + ` AS privileges
	FROM tenant_credentials c JOIN tenants t ON t.id = c.tenant_id JOIN pg_roles r ON r.rolname = c.username::name CROSS JOIN registry g
	JOIN pg_database d ON d.datname = current_database()
	WHERE c.tenant_id = ANY ($1) AND c.closed_at IS NULL AND c.expires_at > now()) found
	WHERE missing <> '{}' OR groups <> '{}' OR attributes <> '{}' OR privileges <> '[]' ORDER BY 1, 2`

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func driftedLogins(ctx context.Context, db querier, ids []uuid.UUID) (map[uuid.UUID][]login, error) {
	rows, _ := db.Query(ctx, driftedLoginsSQL, ids)
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[login])
	found := map[uuid.UUID][]login{}
	for _, l := range list {
		found[l.TenantID] = append(found[l.TenantID], l)
	}
	return found, err
}

// mayGrant reports whether the user may make logins members of a tenant's role or of the
// connect role. without are the roles that it may not change.
func (c *checker) mayGrant(role string, without []string) bool {
	return c.privileges.Superuser || c.privileges.Version < 16 || !slices.Contains(without, role) && (role != c.privileges.ConnectRole || c.privileges.Admin || !c.privileges.ConnectRoleExists)
}

func (c *checker) loginDrift(id uuid.UUID, l login, admin bool) Finding {
	f := Finding{Check: LoginDrift, TenantID: id, Object: "role " + quote(l.Name), Statements: l.statements(l.Name, ""), Repairable: c.privileges.mayChange(l.Attributes, admin)}
	var wrong []string
	for _, role := range l.Missing {
		wrong = append(wrong, "is no member of role "+quote(role))
		f.Statements = append(f.Statements, `GRANT `+quote(role)+` TO `+quote(l.Name))
	}
	f.Message = "is an open login and " + strings.Join(append(wrong, l.descriptions()...), ", ")
	return f
}

// repairLogins gives the open logins of a tenant what they lack, and takes what they have
// beside it. A login that keeps some of that, because a superuser granted it, is ended.
func (p *Platform) repairLogins(ctx context.Context, id uuid.UUID) error {
	const op = "repair logins"
	var kept []login
	err := p.db.InTx(ctx, op, func(tx pgx.Tx) error {
		locked, err := tenantrow.Lock(ctx, tx, id)
		if err != nil {
			return err
		}
		found, err := driftedLogins(ctx, tx, []uuid.UUID{id})
		if err != nil {
			return err
		}
		connectRole, err := dbroles.ConnectRole(ctx, tx)
		if err != nil {
			return err
		}
		for _, l := range found[id] {
			for _, statement := range l.statements(l.Name, "") {
				if err := dbroles.ExecIfPermitted(ctx, tx, statement); err != nil {
					return err
				}
			}
			if len(l.Missing) > 0 {
				if err := dbroles.Grant(ctx, tx, l.Name, locked.Tenant.DatabaseRole, connectRole); err != nil {
					return err
				}
			}
		}
		found, err = driftedLogins(ctx, tx, []uuid.UUID{id})
		kept = found[id]
		return err
	})
	failures := []error{pgdb.Classify(err, op)}
	for _, l := range kept {
		failures = append(failures, p.logins.CloseCredential(ctx, id, l.ID))
	}
	return errors.Join(failures...)
}
