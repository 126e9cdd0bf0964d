package platform

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// privileges are what one query reads about the current user, the database and the connect role.
type privileges struct {
	User, Database                 string
	Version                        int // Major.
	Superuser, CreateRole, Inherit bool

	OwnsDatabase, MayGrantConnect, MayCreate bool
	OpenConnect, OpenTemporary               bool // Of every role.

	Public, OwnsPublic, MayCreateInPublic, OpenPublic bool

	Registry      bool // It exists.
	RegistryOwner string
	OwnsRegistry  bool

	ConnectRole        string // Empty: the registry cannot be read.
	ConnectRoleExists  bool
	ConnectRoleSurplus surplus // Privileges without CONNECT on this database.
	ForeignGroups      bool    // The user may not take the connect role out of all of its groups.
	Connect            bool    // The connect role's own, not that of every role.
	Admin              bool    // The current user's on the connect role.

	schemaOwner
}

// privilegesSQL reads privileges as JSON. source is a FROM item with the connect role and the schema owner.
func privilegesSQL(source string) string {
	return `SELECT jsonb_build_object(
		'user', u.rolname, 'database', d.datname, 'version', current_setting('server_version_num')::int / 10000,
		'superuser', u.rolsuper, 'createRole', u.rolcreaterole, 'inherit', u.rolinherit,
		'ownsDatabase', pg_has_role(d.datdba, 'USAGE'), 'mayGrantConnect', has_database_privilege(d.oid, 'CONNECT WITH GRANT OPTION'),
		'mayCreate', has_database_privilege(d.oid, 'CREATE'),
		'openConnect', has_database_privilege('public', d.oid, 'CONNECT'), 'openTemporary', has_database_privilege('public', d.oid, 'TEMPORARY'),
		'public', n.oid IS NOT NULL, 'ownsPublic', coalesce(pg_has_role(n.nspowner, 'USAGE'), false),
		'mayCreateInPublic', coalesce(has_schema_privilege(n.oid, 'CREATE') AND has_schema_privilege(n.oid, 'USAGE'), false),
		'openPublic', coalesce(has_schema_privilege('public', n.oid, 'CREATE'), false),
		'registry', t.oid IS NOT NULL, 'registryOwner', coalesce(o.rolname, ''), 'ownsRegistry', coalesce(pg_has_role(t.relowner, 'USAGE'), false),
		'connectRole', coalesce(r.connect_role, ''), 'connectRoleExists', g.oid IS NOT NULL,
		'connectRoleSurplus', ` + surplusSQL("g", "g.rolcanlogin") + `,
		-- Not EXISTS, for which all memberships can be read.
		'foreignGroups', coalesce((SELECT bool_or(NOT pg_has_role(m.roleid, 'MEMBER WITH ADMIN OPTION')) FROM pg_auth_members m WHERE m.member = g.oid), false),
		'connect', EXISTS (SELECT FROM aclexplode(d.datacl) a WHERE a.grantee = g.oid AND a.privilege_type = 'CONNECT'),
		-- The function comes last: it goes through all roles of which the user is a member.
		'admin', CASE WHEN EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = g.oid AND m.member = u.oid AND m.admin_option) THEN true
			ELSE coalesce(pg_has_role(g.oid, 'MEMBER WITH ADMIN OPTION'), false) END,
		` + schemaOwnerSQL + `)
	FROM pg_database d JOIN pg_roles u ON u.rolname = current_user LEFT JOIN pg_namespace n ON n.nspname = 'public'
	LEFT JOIN pg_class t ON t.relnamespace = n.oid AND t.relname = 'registry' LEFT JOIN pg_roles o ON o.oid = t.relowner
	LEFT JOIN ` + source + ` r ON true LEFT JOIN pg_roles g ON g.rolname = r.connect_role LEFT JOIN pg_roles s ON s.rolname = r.schema_owner
	WHERE d.datname = current_database()`
}

var (
	privilegesWithRegistrySQL    = privilegesSQL(`public.registry`)
	privilegesWithoutRegistrySQL = privilegesSQL(`(SELECT NULL::name AS connect_role, NULL::name AS schema_owner)`)
)

// readPrivileges reads privileges, in one round trip if the registry can be read.
func readPrivileges(ctx context.Context, pool *pgxpool.Pool) (r privileges, err error) {
	if err = pool.QueryRow(ctx, privilegesWithRegistrySQL).Scan(&r); isUnreadable(err) {
		err = pool.QueryRow(ctx, privilegesWithoutRegistrySQL).Scan(&r)
	}
	return r, err
}

// isUnreadable reports whether an error says that there is no registry yet, or none that this
// user may read.
func isUnreadable(err error) bool {
	var pgErr *pgconn.PgError
	return pgdb.IsInsufficientPrivilege(err) || errors.As(err, &pgErr) && (pgErr.Code == "42P01" || pgErr.Code == "3F000")
}

// maxStatements is the length of statements that an error of CheckPrivileges has: half a statement
// would be of no use, and messages are cut.
const maxStatements = 180

// CheckPrivileges is the part of Check that costs one round trip: privileges of the current user,
// connect role, and who may connect. It is no error that there is no registry yet, if the
// user may make it. KindPermanent with the object and the statement of the first finding.
func (p *Platform) CheckPrivileges(ctx context.Context) error {
	const op = "check platform"
	r, err := readPrivileges(ctx, p.db.Pool())
	if err != nil {
		return pgdb.Classify(err, op)
	}
	findings := r.findings()
	if len(findings) == 0 {
		return nil
	}
	first, more := findings[0], ""
	if n := len(findings) - 1; n > 0 {
		more = " the first of several findings;"
	}
	remedy := "run tenant-api platform repair"
	if statements := strings.Join(first.Statements, "; "); !first.Repairable && len(statements) <= maxStatements {
		remedy = "have a DBA run in the database " + r.Database + ": " + statements
	} else if !first.Repairable {
		remedy = "have a DBA run what tenant-api platform repair prints"
	}
	return errs.Errorf(errs.KindPermanent, op, "%s %s;%s tenant-api platform check lists all; %s", first.Object, first.Message, more, remedy)
}

// Isolation returns what Check finds about the connect role, the schema owner and about who may
// connect.
func Isolation(ctx context.Context, tx pgx.Tx) ([]Finding, error) {
	var r privileges
	if err := tx.QueryRow(ctx, privilegesWithRegistrySQL).Scan(&r); err != nil {
		return nil, err
	}
	return slices.Concat(r.openFindings(), r.connectRoleFindings(), r.schemaOwnerFindings()), nil
}

func (r privileges) findings() []Finding {
	return slices.Concat(r.userFindings(), r.openFindings(), r.connectRoleFindings(), r.schemaOwnerFindings())
}

// mayChangeRoles reports whether the user may create roles, and change those that it has
// ADMIN on.
func (r privileges) mayChangeRoles() bool { return r.Superuser || r.CreateRole }

// userFindings are what the current user lacks.
func (r privileges) userFindings() (findings []Finding) {
	if r.Superuser {
		return r.registryFindings()
	}
	user, role := quote(r.User), "role "+quote(r.User)
	if !r.CreateRole {
		findings = append(findings, Finding{Check: CreateRoleMissing, Object: role, Message: "has no CREATEROLE, so it cannot make the roles of tenants",
			Statements: []string{`ALTER ROLE ` + user + ` CREATEROLE`}})
	}
	// Later versions have the option in each membership, and this program sets it.
	if !r.Inherit && r.Version < 16 {
		findings = append(findings, Finding{Check: NoInherit, Object: role, Message: "is NOINHERIT, so it cannot end the sessions of logins",
			Statements: []string{`ALTER ROLE ` + user + ` INHERIT`}, Repairable: r.CreateRole})
	}
	if !r.MayCreate {
		findings = append(findings, Finding{Check: DatabaseCreate, Object: r.database(), Message: "does not let " + role + " create schemas",
			Statements: []string{`GRANT CREATE ON DATABASE ` + quote(r.Database) + ` TO ` + user}, Repairable: r.OwnsDatabase})
	}
	switch {
	case !r.Public:
		findings = append(findings, Finding{Check: PublicSchemaMissing, Object: `schema "public"`, Message: "does not exist; the registry is made there",
			Statements: []string{`CREATE SCHEMA public AUTHORIZATION ` + user}, Repairable: r.MayCreate})
	case !r.MayCreateInPublic && (r.Inherit || r.Version >= 16): // From PostgreSQL 15 on, an owner inherits it.
		findings = append(findings, Finding{Check: PublicSchemaCreate, Object: `schema "public"`, Message: "does not let " + role + " create tables",
			Statements: []string{`GRANT USAGE, CREATE ON SCHEMA public TO ` + user}, Repairable: r.OwnsPublic})
	}
	return append(findings, r.registryFindings()...)
}

func (r privileges) database() string { return "database " + quote(r.Database) }

// registryFindings report a registry that cannot be read.
func (r privileges) registryFindings() []Finding {
	if !r.Registry || r.OwnsRegistry {
		return nil
	}
	return []Finding{registryOwner("TABLE", `"public"."registry"`, r.RegistryOwner, r.User)}
}

func registryOwner(kind, name, owner, user string) Finding {
	return foreignOwner(RegistryOwner, kind, name, owner, user)
}

func foreignOwner(check Check, kind, name, owner, user string) Finding {
	return Finding{Check: check, Object: strings.ToLower(kind) + " " + name,
		Message:    "belongs to role " + quote(owner) + " and not to role " + quote(user),
		Statements: []string{`ALTER ` + kind + ` ` + name + ` OWNER TO ` + quote(user)}}
}
