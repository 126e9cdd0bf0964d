package tenantschema

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/dbroles"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
)

// RoleInspection is the state of a tenant in the database: its schema, and its role with
// its privileges and what it owns. pg_shdepend lists every reference to a role, in this
// database and in others, so that no table has to be searched.
type RoleInspection struct {
	SchemaExists  bool
	SchemaVersion int      // Of the schema, from the ledger.
	MissingTables []string // Tables of the baseline that do not exist.
	RoleExists    bool
	Attributes    []string // Attributes that the role must not have.
	NeedsLogin    bool     // It cannot log in, and Citus connects as it.
	Groups        []string // Roles of which it is a member.
	Members       []string // Roles and logins of other tenants that are members of it.
	Settings      []string // What ALTER ROLE ... SET has set, with the database if it is for one.
	Objects       []roleObject

	SettingDatabases []string // The databases that Settings are for.

	OpenTo []openGrant // What PUBLIC, and so every tenant, or another tenant may access in the schema.
}

// openGrant is what another grantee than the tenant's role may do with an object of the
// tenant's schema.
type openGrant struct {
	Kind       string // SCHEMA, TABLE, SEQUENCE or ROUTINE, as in GRANT.
	Object     string // Quoted.
	Grantee    string // PUBLIC or a role.
	Privileges string // Such as "INSERT, SELECT".
}

// roleObject is one object that depends on the role.
type roleObject struct {
	Description string   // In its own schema "schema" or "table users"; else PostgreSQL's description.
	Privileges  []string // In its own schema; sorted.
	InOwnSchema bool     // A privilege on an object in the tenant's own schema.
	Owned       bool
}

// hasCitusSQL is true where Citus is installed.
const hasCitusSQL = `EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')`

// roleInspectionSQL is an expression over a row of tenants that returns a RoleInspection
// as JSON. It only reads indexes: its cost does not grow with the number of tenants. A name
// from the catalog has the collation "C", with which no index of the registry is used.
var roleInspectionSQL = `(SELECT jsonb_build_object(
	'schemaExists', EXISTS (SELECT FROM pg_namespace WHERE nspname = tenants.schema_name::name),
	'schemaVersion', coalesce((SELECT max(m.version) FROM tenant_migrations m WHERE m.tenant_id = tenants.id), 0),
	'missingTables', to_jsonb(ARRAY(SELECT name FROM unnest('{` + strings.Join(baselineTables(), ",") + `}'::text[]) AS name
		-- Not to_regclass, which fails without USAGE on the schema. Not a join, which finds the tables of all tenants first.
		WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.relname = name AND c.relnamespace = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = tenants.schema_name::name)))),
	'roleExists', r.oid IS NOT NULL,
	'attributes', ` + dbroles.AttributesSQL("r", "rolcanlogin AND NOT "+hasCitusSQL) + `,
	'needsLogin', ` + hasCitusSQL + ` AND NOT coalesce(rolcanlogin, false),
	'groups', to_jsonb(ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid ORDER BY 1)),
	'members', to_jsonb(ARRAY(SELECT DISTINCT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.member
		WHERE m.roleid = r.oid AND EXISTS (SELECT FROM tenants o WHERE o.schema_name = left(g.rolname::text, -9) COLLATE "default" AND o.id <> tenants.id
			UNION ALL SELECT FROM tenant_credentials c WHERE c.username = g.rolname::text COLLATE "default" AND c.tenant_id <> tenants.id) ORDER BY 1)),
	'settings', to_jsonb(ARRAY(SELECT coalesce('in database ' || d.datname || ' ', '') || unnest(s.setconfig)
		FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase WHERE s.setrole = r.oid ORDER BY 1)),
	'settingDatabases', to_jsonb(ARRAY(SELECT d.datname::text FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE s.setrole = r.oid)),
	'openTo', to_jsonb(ARRAY(` + openGrantsSQL + `)),
	'objects', to_jsonb(ARRAY(
		SELECT jsonb_build_object('owned', deptype = 'o', 'inOwnSchema', in_own_schema,
			'description', CASE
				WHEN in_own_schema AND classid = 'pg_namespace'::regclass THEN 'schema'
				WHEN in_own_schema AND attname IS NOT NULL THEN 'column ' || relname || '.' || attname
				WHEN in_own_schema AND relkind IS NOT NULL THEN CASE relkind WHEN 'r' THEN 'table ' ELSE 'relation ' END || relname
				WHEN in_own_schema THEN 'function ' || proname
				WHEN dbid <> 0 AND dbid <> own THEN 'something in the database ' || coalesce((SELECT datname::text FROM pg_database WHERE oid = dbid), '?')
				ELSE coalesce((SELECT type || ' ' || identity FROM pg_identify_object(classid, objid, objsubid)), 'an object') END,
			'privileges', to_jsonb(ARRAY(SELECT privilege_type || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
				FROM aclexplode(acl) WHERE in_own_schema AND grantee = r.oid ORDER BY 1)))
		FROM (
			SELECT d.*, c.relname, c.relkind, a.attname, p.proname, b.oid AS own,
				d.deptype = 'a' AND d.dbid = b.oid AND n.nspname IS NOT DISTINCT FROM tenants.schema_name::name AS in_own_schema,
				CASE WHEN a.attname IS NOT NULL THEN a.attacl ELSE coalesce(c.relacl, p.proacl, n.nspacl) END AS acl
			FROM pg_shdepend d
			CROSS JOIN (SELECT oid FROM pg_database WHERE datname = current_database()) b
			LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
			LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
			LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
			LEFT JOIN pg_namespace n ON n.oid = CASE d.classid WHEN 'pg_class'::regclass THEN c.relnamespace
				WHEN 'pg_proc'::regclass THEN p.pronamespace WHEN 'pg_namespace'::regclass THEN d.objid END
			WHERE d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid
			  -- What another tenant's login gave, on what is its own, is no drift of this tenant.
			  AND NOT (d.deptype = 'a' AND (d.dbid <> b.oid OR d.classid = 'pg_largeobject'::regclass) AND EXISTS (SELECT FROM pg_shdepend w JOIN pg_roles o ON o.oid = w.refobjid
				WHERE w.dbid = d.dbid AND w.classid = d.classid AND w.objid = d.objid AND w.deptype = 'o' AND ` + dbroles.MadeByLogins + `))
		) mentions ORDER BY deptype DESC, 1))
	) FROM (SELECT) one LEFT JOIN pg_roles r ON r.rolname = ` + tenantrow.RoleName("tenants") + `)`

// openGrantsSQL lists the privileges in the schema of a row of tenants that are not its own
// role's: those of PUBLIC, of other tenants' roles, and of logins. Others are the platform's.
// A function is only listed if it runs as its owner: PostgreSQL lets PUBLIC execute each.
const openGrantsSQL = `SELECT jsonb_build_object('kind', kind, 'object', object, 'grantee', coalesce(g.rolname, 'PUBLIC'),
		'privileges', string_agg(DISTINCT a.privilege_type, ', ' ORDER BY a.privilege_type))
	FROM pg_namespace n CROSS JOIN LATERAL (
		SELECT 'SCHEMA' AS kind, quote_ident(n.nspname) AS object, n.nspacl AS acl
		UNION ALL SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, quote_ident(n.nspname) || '.' || quote_ident(c.relname), acls.acl
			FROM pg_depend d JOIN pg_class c ON c.oid = d.objid CROSS JOIN LATERAL (
				SELECT c.relacl AS acl UNION ALL SELECT attacl FROM pg_attribute WHERE attrelid = c.oid AND attacl IS NOT NULL) acls
			WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid AND d.classid = 'pg_class'::regclass
		UNION ALL SELECT 'ROUTINE', p.oid::regprocedure::text, coalesce(p.proacl, acldefault('f', p.proowner))
			FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid AND p.prosecdef
			WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid AND d.classid = 'pg_proc'::regclass
	) o CROSS JOIN LATERAL aclexplode(o.acl) a LEFT JOIN pg_roles g ON g.oid = a.grantee
	WHERE n.nspname = tenants.schema_name::name AND (a.grantee = 0 OR g.oid <> r.oid AND (starts_with(g.rolname::text, 'healthcare_login_')
		OR (SELECT other.id FROM tenants other WHERE other.schema_name = left(g.rolname::text, -9) COLLATE "default") <> tenants.id)) -- Not EXISTS, for which all tenants can be read.
	GROUP BY kind, object, g.rolname ORDER BY kind, object, g.rolname`

// baselineTables are the tables of a schema at the newest version.
func baselineTables() (names []string) {
	const prefix = "CREATE TABLE {{schema}}."
	for _, statement := range baseline.statementsWithPrefix(prefix) {
		name, _, _ := strings.Cut(strings.TrimPrefix(statement, prefix), " ")
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// missingObjects describes objects that only a backup can restore.
func (r RoleInspection) missingObjects(schema string) []string {
	switch {
	case !r.SchemaExists:
		return []string{"the schema " + schema + " does not exist"}
	case r.SchemaVersion != Version || len(r.MissingTables) == 0:
		return nil
	}
	return []string{"the schema " + schema + " has no table " + strings.Join(r.MissingTables, ", ")}
}

// DriftFindings describes how the role differs from the baseline. Privileges are only
// compared for a schema at the newest version.
func (r RoleInspection) DriftFindings(role string) (findings []string) {
	add := func(format string, args ...any) {
		findings = append(findings, "the role "+role+" "+fmt.Sprintf(format, args...))
	}
	if !r.RoleExists {
		add("does not exist")
		return findings
	}
	if len(r.Attributes) > 0 {
		add("has %s", strings.Join(r.Attributes, ", "))
	}
	if r.NeedsLogin {
		add("has no LOGIN, with which Citus connects to its nodes")
	}
	if len(r.Groups) > 0 {
		add("is a member of %s", strings.Join(r.Groups, ", "))
	}
	if len(r.Members) > 0 {
		add("has the members %s, which are of other tenants", strings.Join(r.Members, ", "))
	}
	for _, setting := range r.Settings {
		add("has the setting %s", setting)
	}
	for _, g := range r.OpenTo {
		findings = append(findings, fmt.Sprintf("%s has %s on %s %s, which is of this tenant alone", g.who(), g.Privileges, strings.ToLower(g.Kind), g.Object))
	}
	findings = append(findings, r.manualFindings(role)...)
	if !r.SchemaExists || r.SchemaVersion != Version {
		return findings
	}
	for _, difference := range baselineGrants.diff(r.actualGrants()) {
		add("%s", difference)
	}
	return findings
}

func (g openGrant) who() string {
	if g.Grantee == "PUBLIC" {
		return "PUBLIC, and so every tenant,"
	}
	return "the role " + g.Grantee
}

// revoke is the statement that takes the privileges away.
func (g openGrant) revoke() string {
	grantee := g.Grantee
	if grantee != "PUBLIC" {
		grantee = pgx.Identifier{grantee}.Sanitize()
	}
	return "REVOKE ALL ON " + g.Kind + " " + g.Object + " FROM " + grantee + " CASCADE"
}

// ownedFindings describes what the role owns.
func (r RoleInspection) ownedFindings(role string) (findings []string) {
	for _, o := range r.Objects {
		if o.Owned {
			findings = append(findings, "the role "+role+" owns "+o.Description+", which the baseline does not give it")
		}
	}
	return findings
}

// manualFindings describes what no statement of this program repairs, because the reason is
// unknown: what the role owns, and what it may access outside of its own schema.
func (r RoleInspection) manualFindings(role string) []string {
	findings := r.ownedFindings(role)
	for _, o := range r.Objects {
		if !o.Owned && !o.InOwnSchema {
			findings = append(findings, "the role "+role+" has privileges on "+o.Description+", which the baseline does not give it")
		}
	}
	return findings
}

// actualGrants are the role's privileges in its own schema.
func (r RoleInspection) actualGrants() grants {
	actual := grants{}
	for _, o := range r.Objects {
		if o.InOwnSchema {
			actual[o.Description] = append(actual[o.Description], o.Privileges...)
		}
	}
	return actual.sorted()
}

// diff describes how a role's privileges differ from those of the baseline.
func (g grants) diff(actual grants) (diffs []string) {
	objects := maps.Clone(g)
	maps.Copy(objects, actual)
	for _, object := range slices.Sorted(maps.Keys(objects)) {
		if !slices.Equal(g[object], actual[object]) {
			diffs = append(diffs, fmt.Sprintf("has %s on its %s instead of %s", formatPrivileges(actual[object]), object, formatPrivileges(g[object])))
		}
	}
	return diffs
}

func formatPrivileges(privileges []string) string {
	if len(privileges) == 0 {
		return "nothing"
	}
	return strings.Join(privileges, ", ")
}
