package platform

import (
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/dbroles"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// schemaOwner is what one query reads about the schema owner: the role that owns the schemas of
// all tenants, and as which the SQL of blueprints runs.
type schemaOwner struct {
	SchemaOwner        string // Empty: the registry cannot be read.
	SchemaOwnerExists  bool
	SchemaOwnerSurplus surplus // Privileges on what it does not own.
	SchemaOwnerAdmin   bool    // The current user's on it.
	SchemaOwnerUsable  bool    // The current user has its privileges, and may become it.
}

// schemaOwnerSQL are the fields of schemaOwner for a JSON object: s is its row of pg_roles, u
// that of the user. With Citus it logs in: Citus connects to its nodes as the role.
var schemaOwnerSQL = `'schemaOwner', coalesce(r.schema_owner, ''), 'schemaOwnerExists', s.oid IS NOT NULL,
		'schemaOwnerSurplus', ` + surplusSQL("s", "s.rolcanlogin AND NOT "+pgdb.HasCitusSQL) + `,
		'schemaOwnerAdmin', EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = s.oid AND m.member = u.oid AND m.admin_option),
		-- From PostgreSQL 16 on, each membership has its options. The functions come last: they go through all roles of which the user is a member.
		'schemaOwnerUsable', CASE WHEN s.oid IS NULL THEN false WHEN u.rolsuper OR (SELECT bool_or(coalesce((to_jsonb(m)->>'inherit_option')::boolean, u.rolinherit)) AND bool_or(coalesce((to_jsonb(m)->>'set_option')::boolean, true))
			FROM pg_auth_members m WHERE m.roleid = s.oid AND m.member = u.oid) THEN true
			ELSE pg_has_role(s.oid, 'USAGE') AND pg_has_role(s.oid, CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END) END`

// schemaOwnerFindings are what is wrong with the schema owner.
func (r privileges) schemaOwnerFindings() []Finding {
	if r.SchemaOwner == "" {
		return nil
	}
	role, object := quote(r.SchemaOwner), "role "+quote(r.SchemaOwner)
	membership := `GRANT ` + role + ` TO ` + quote(r.User)
	if r.Version >= 16 {
		membership += ` WITH INHERIT TRUE, SET TRUE`
	}
	if !r.SchemaOwnerExists {
		return []Finding{{Check: SchemaOwnerMissing, Object: object, Message: "does not exist, so no schema of a tenant can be made",
			Statements: []string{dbroles.CreateSQL(role), membership}, Repairable: r.mayChangeRoles()}}
	}
	var findings []Finding
	if inherits := r.Inherit || r.Version >= 16; !r.SchemaOwnerUsable && inherits { // Else that is a finding.
		findings = append(findings, Finding{Check: SchemaOwnerMember, Object: object, Message: "cannot be used by role " + quote(r.User) + ", which makes the schemas of tenants as that role",
			Statements: []string{membership}, Repairable: r.mayChange(nil, r.SchemaOwnerAdmin)})
	}
	if !r.SchemaOwnerSurplus.isEmpty() {
		f := r.SchemaOwnerSurplus.finding(SchemaOwnerDrift, r.SchemaOwner, "the SQL of blueprints runs as this role")
		f.Repairable = f.Repairable && r.mayChange(r.SchemaOwnerSurplus.Attributes, r.SchemaOwnerAdmin)
		findings = append(findings, f)
	}
	return findings
}
