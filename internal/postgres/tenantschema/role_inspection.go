package tenantschema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/dbroles"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// RoleInspection is the state of a tenant in the database: its schema, and its role with
// its privileges and what it owns. pg_shdepend lists every reference to a role, in this
// database and in others, so that no table has to be searched.
type RoleInspection struct {
	SchemaExists bool
	Versions     map[string]int // Of the schema by blueprint, from the ledger.
	Tables       []string       // And views, that exist.
	RoleExists   bool
	Attributes   []string // Attributes that the role must not have.
	NeedsLogin   bool     // It cannot log in, and Citus connects as it.
	Groups       []string // Roles of which it is a member.
	Members      []string // Roles and logins of other tenants that are members of it.
	Settings     []string // What ALTER ROLE ... SET has set, with the database if it is for one.
	Objects      []roleObject

	SettingDatabases []string // The databases that Settings are for.

	OpenTo []openGrant // What PUBLIC, and so every tenant, or another tenant may access in the schema.
	Others []roleGrant // What other roles may access in the schema: those of the platform.

	template  *blueprintsql.Template // What the tenant is compared with, with the names of its schema.
	suspended bool                   // No role may use the schema.
}

// openGrant is what another grantee than the tenant's role may do with an object of the
// tenant's schema.
type openGrant struct {
	Kind       string // SCHEMA, TABLE, SEQUENCE or ROUTINE, as in GRANT.
	Object     string // Quoted.
	Grantee    string // PUBLIC or a role.
	Privileges string // Such as "INSERT, SELECT".
}

// roleGrant is what a role of the platform may do with an object of the tenant's schema.
type roleGrant struct {
	Role       string
	Kind       blueprintsql.ObjectKind
	Name       string // Of a function with its argument types.
	Privileges []string
}

// roleObject is one object that depends on the role.
type roleObject struct {
	Description string                  // Outside of its own schema: PostgreSQL's description.
	Kind        blueprintsql.ObjectKind // In its own schema.
	Name        string                  // In its own schema; of a function with its argument types.
	Column      string                  // Of a privilege on one column.
	Privileges  []string                // In its own schema; sorted.
	InOwnSchema bool                    // The object is in the tenant's own schema.
	Owned       bool
}

// object is the object in the tenant's own schema.
func (o roleObject) object() blueprintsql.Object {
	return blueprintsql.Object{Kind: o.Kind, Name: o.Name}
}

// roleInspectionSQL is an expression over a row of tenants that returns a RoleInspection
// as JSON. It only reads indexes: its cost does not grow with the number of tenants. A name
// from the catalog has the collation "C", with which no index of the registry is used.
var roleInspectionSQL = `(SELECT jsonb_build_object(
	'schemaExists', EXISTS (SELECT FROM pg_namespace WHERE nspname = tenants.schema_name::name),
	'versions', (SELECT coalesce(jsonb_object_agg(blueprint, version), '{}') FROM (
		SELECT m.blueprint, max(m.version) AS version FROM tenant_migrations m WHERE m.tenant_id = tenants.id GROUP BY m.blueprint) newest),
	-- Not a join, which finds the tables of all tenants first.
	'tables', to_jsonb(ARRAY(SELECT relname FROM (SELECT (SELECT c.relname FROM pg_class c WHERE c.oid = d.objid AND c.relkind <> 'S') AS relname FROM pg_depend d
		WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = (SELECT n.oid FROM pg_namespace n WHERE n.nspname = tenants.schema_name::name)
		  AND d.classid = 'pg_class'::regclass) found WHERE relname IS NOT NULL ORDER BY 1)),
	'roleExists', r.oid IS NOT NULL,
	'attributes', ` + dbroles.AttributesSQL("r", "rolcanlogin AND NOT "+pgdb.HasCitusSQL) + `,
	'needsLogin', ` + pgdb.HasCitusSQL + ` AND NOT coalesce(rolcanlogin, false),
	'groups', to_jsonb(ARRAY(SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid ORDER BY 1)),
	'members', to_jsonb(ARRAY(SELECT DISTINCT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.member
		WHERE m.roleid = r.oid AND EXISTS (SELECT FROM tenants o WHERE o.schema_name = left(g.rolname::text, -9) COLLATE "default" AND o.id <> tenants.id
			UNION ALL SELECT FROM tenant_credentials c WHERE c.username = g.rolname::text COLLATE "default" AND c.tenant_id <> tenants.id) ORDER BY 1)),
	'settings', to_jsonb(ARRAY(SELECT coalesce('in database ' || d.datname || ' ', '') || unnest(s.setconfig)
		FROM pg_db_role_setting s LEFT JOIN pg_database d ON d.oid = s.setdatabase WHERE s.setrole = r.oid ORDER BY 1)),
	'settingDatabases', to_jsonb(ARRAY(SELECT d.datname::text FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase WHERE s.setrole = r.oid)),
	'openTo', to_jsonb(ARRAY(` + openGrantsSQL + `)),
	-- The blueprint standard has no grants.
	'others', CASE WHEN tenants.blueprint = '` + tenant.StandardBlueprint + `' THEN '[]' ELSE to_jsonb(ARRAY(` + otherGrantsSQL + `)) END,
	'objects', to_jsonb(ARRAY(
		SELECT jsonb_build_object('owned', deptype = 'o', 'inOwnSchema', in_own_schema,
			'kind', CASE WHEN NOT in_own_schema THEN '' WHEN classid = 'pg_namespace'::regclass THEN 'SCHEMA' WHEN relkind = 'S' THEN 'SEQUENCE' WHEN relkind IS NOT NULL THEN 'TABLE'
				WHEN proname IS NOT NULL THEN 'FUNCTION' ELSE upper((SELECT type FROM pg_identify_object(classid, objid, objsubid))) END,
			'name', CASE WHEN NOT in_own_schema OR classid = 'pg_namespace'::regclass THEN '' WHEN relkind IS NOT NULL THEN relname
				WHEN proname IS NOT NULL THEN proname || '(' || replace(pg_get_function_identity_arguments(objid), quote_ident(tenants.schema_name) || '.', '') || ')'
				ELSE (SELECT identity FROM pg_identify_object(classid, objid, objsubid)) END,
			'column', coalesce(attname, ''),
			'description', CASE WHEN in_own_schema THEN ''
				WHEN dbid <> 0 AND dbid <> own THEN 'something in the database ' || coalesce((SELECT datname::text FROM pg_database WHERE oid = dbid), '?')
				ELSE coalesce((SELECT type || ' ' || identity FROM pg_identify_object(classid, objid, objsubid)), 'an object') END,
			'privileges', to_jsonb(ARRAY(SELECT privilege_type || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
				FROM aclexplode(acl) WHERE in_own_schema AND deptype = 'a' AND grantee = r.oid ORDER BY 1)))
		FROM (
			SELECT d.*, c.relname, c.relkind, a.attname, p.proname, b.oid AS own,
				d.deptype IN ('a', 'o') AND d.dbid = b.oid AND n.nspname IS NOT DISTINCT FROM tenants.schema_name::name AS in_own_schema,
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

// otherGrantsSQL lists the privileges in the schema of a row of tenants that roles have which are
// neither its owner nor the tenant's. Objects without a privilege for another role cost nothing.
const otherGrantsSQL = `SELECT jsonb_build_object('role', g.rolname, 'kind', kind, 'name', name, 'privileges', to_jsonb(array_agg(a.privilege_type ORDER BY a.privilege_type)))
	FROM pg_namespace n CROSS JOIN LATERAL (
		SELECT 'SCHEMA' AS kind, '' AS name, n.nspacl AS acl
		UNION ALL SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, c.relname, c.relacl
			FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
			WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid AND d.classid = 'pg_class'::regclass
		UNION ALL SELECT 'FUNCTION', p.proname || '(' || replace(pg_get_function_identity_arguments(p.oid), quote_ident(n.nspname) || '.', '') || ')', p.proacl
			FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
			WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = n.oid AND d.classid = 'pg_proc'::regclass
	) o CROSS JOIN LATERAL aclexplode(o.acl) a JOIN pg_roles g ON g.oid = a.grantee
	WHERE n.nspname = tenants.schema_name::name AND g.oid <> n.nspowner AND g.oid IS DISTINCT FROM r.oid
	GROUP BY g.rolname, kind, name ORDER BY g.rolname, kind, name`

// missingObjects describes objects that only a backup can restore.
func (r RoleInspection) missingObjects(schema string) []string {
	switch {
	case !r.SchemaExists:
		return []string{"the schema " + schema + " does not exist"}
	case !r.isNewest():
		return nil
	}
	var missing []string
	for _, name := range r.template.Objects.TableNames() {
		if !slices.Contains(r.Tables, name) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return []string{"the schema " + schema + " has no table " + strings.Join(missing, ", ")}
}

// isNewest reports whether the schema is at the version of the template that it is compared
// with. Objects and privileges of other versions are not known.
func (r RoleInspection) isNewest() bool {
	for _, b := range r.template.Blueprints {
		if r.Versions[b.Name] != b.SchemaVersion() {
			return false
		}
	}
	return true
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
	for _, difference := range r.privilegeDifferences() {
		add("%s", difference)
	}
	return append(findings, r.missingGrants()...)
}

// expected are the privileges that a role has to have: all that the blueprint gives, or, while the
// tenant is suspended, without the use of the schema.
func (r RoleInspection) expected(given blueprintsql.Grants) blueprintsql.Grants {
	if r.suspended {
		return given.WithoutSchema()
	}
	return given
}

// missingGrants describes how the grants of roles of the platform differ from the blueprint's. What
// they have beside these is the platform's.
func (r RoleInspection) missingGrants() (findings []string) {
	if !r.SchemaExists || !r.isNewest() {
		return nil
	}
	for _, g := range r.template.Grants {
		actual := r.grantsOf(g.Role)
		for _, missing := range r.expected(r.template.RoleGrants(g)).Missing(actual) {
			findings = append(findings, "the role "+g.Role+" lacks "+missing)
		}
		if r.suspended && len(actual[blueprintsql.Object{Kind: blueprintsql.KindSchema}]) > 0 {
			findings = append(findings, "the role "+g.Role+" may use the schema, although the tenant is suspended")
		}
	}
	return findings
}

// grantsOf are the privileges of a role of the platform.
func (r RoleInspection) grantsOf(role string) blueprintsql.Grants {
	actual := blueprintsql.Grants{}
	for _, g := range r.Others {
		if g.Role == role {
			actual[blueprintsql.Object{Kind: g.Kind, Name: g.Name}] = g.Privileges
		}
	}
	return actual
}

// privilegeDifferences describes how the privileges in the tenant's schema differ from those of
// the template. What the role may do with objects that are not the template's is the platform's.
func (r RoleInspection) privilegeDifferences() []string {
	if !r.SchemaExists || !r.isNewest() {
		return nil
	}
	return r.expected(r.template.TenantGrants()).Diff(r.actualGrants())
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

// ownedFindings describes what the role owns beside objects that somebody made in its schema,
// which are the platform's.
func (r RoleInspection) ownedFindings(role string) (findings []string) {
	for _, o := range r.Objects {
		switch {
		case !o.Owned:
		case !o.InOwnSchema:
			findings = append(findings, "the role "+role+" owns "+o.Description+", which the blueprint does not give it")
		case slices.Contains(r.template.Objects.All(), o.object()):
			findings = append(findings, "the role "+role+" owns its "+o.object().String()+", which belongs to the schema owner")
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
			findings = append(findings, "the role "+role+" has privileges on "+o.Description+", which the blueprint does not give it")
		}
	}
	return findings
}

// actualGrants are the role's privileges on the template's objects. Those on a column have its
// name behind them.
func (r RoleInspection) actualGrants() blueprintsql.Grants {
	managed := r.template.Objects.All()
	actual := blueprintsql.Grants{}
	for _, o := range r.Objects {
		if !o.InOwnSchema || o.Owned || !slices.Contains(managed, o.object()) {
			continue
		}
		for _, privilege := range o.Privileges {
			if o.Column != "" {
				privilege += " (" + o.Column + ")"
			}
			actual[o.object()] = append(actual[o.object()], privilege)
		}
	}
	for _, privileges := range actual {
		slices.Sort(privileges)
	}
	return actual
}
