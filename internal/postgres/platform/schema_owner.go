package platform

import (
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/dbroles"
)

// schemaOwner is what one query reads about the schema owner: the role that owns the schemas of
// all tenants, and as which the SQL of blueprints runs.
type schemaOwner struct {
	SchemaOwner           string // Empty: the registry cannot be read.
	SchemaOwnerExists     bool
	SchemaOwnerAttributes []string
	SchemaOwnerGroups     []string
	SchemaOwnerPrivileges []privilege // On what it does not own.
	SchemaOwnerAdmin      bool        // The current user's on it.
	SchemaOwnerUsable     bool        // The current user has its privileges, and may become it.
}

// schemaOwnerSQL are the fields of schemaOwner for a JSON object: s is its row of pg_roles, u
// that of the user.
var schemaOwnerSQL = `'schemaOwner', coalesce(r.schema_owner, ''), 'schemaOwnerExists', s.oid IS NOT NULL,
		'schemaOwnerAttributes', ` + dbroles.AttributesSQL("s", "s.rolcanlogin AND NOT "+hasCitusSQL) + `,
		'schemaOwnerGroups', to_jsonb(ARRAY(SELECT DISTINCT x.rolname::text FROM pg_auth_members m JOIN pg_roles x ON x.oid = m.roleid WHERE m.member = s.oid ORDER BY 1)),
		'schemaOwnerPrivileges', ` + connectPrivilegesSQL(`s.oid`) + `,
		'schemaOwnerAdmin', EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = s.oid AND m.member = u.oid AND m.admin_option),
		-- From PostgreSQL 16 on, each membership has its options. The functions come last: they go through all roles of which the user is a member.
		'schemaOwnerUsable', CASE WHEN s.oid IS NULL THEN false WHEN u.rolsuper OR (SELECT bool_or(coalesce((to_jsonb(m)->>'inherit_option')::boolean, u.rolinherit)) AND bool_or(coalesce((to_jsonb(m)->>'set_option')::boolean, true))
			FROM pg_auth_members m WHERE m.roleid = s.oid AND m.member = u.oid) THEN true
			ELSE pg_has_role(s.oid, 'USAGE') AND pg_has_role(s.oid, CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END) END`

// hasCitusSQL is true where Citus is installed. There the schema owner logs in: Citus connects to
// its nodes as the role.
const hasCitusSQL = `EXISTS (SELECT FROM pg_extension WHERE extname = 'citus')`

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
			Statements: []string{`CREATE ROLE ` + role + ` NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS`, membership}, Repairable: r.mayChangeRoles()}}
	}
	var findings []Finding
	if inherits := r.Inherit || r.Version >= 16; !r.SchemaOwnerUsable && inherits { // Else that is a finding.
		findings = append(findings, Finding{Check: SchemaOwnerMember, Object: object, Message: "cannot be used by role " + quote(r.User) + ", which makes the schemas of tenants as that role",
			Statements: []string{membership}, Repairable: r.mayChange(nil, r.SchemaOwnerAdmin)})
	}
	if len(r.SchemaOwnerAttributes)+len(r.SchemaOwnerGroups)+len(r.SchemaOwnerPrivileges) == 0 {
		return findings
	}
	f := Finding{Check: SchemaOwnerDrift, Object: object, Repairable: r.mayChange(r.SchemaOwnerAttributes, r.SchemaOwnerAdmin)}
	var wrong []string
	if len(r.SchemaOwnerAttributes) > 0 {
		wrong = append(wrong, "has "+strings.Join(r.SchemaOwnerAttributes, ", "))
		f.Statements = append(f.Statements, withoutAttributes(r.SchemaOwner, r.SchemaOwnerAttributes))
	}
	for _, group := range r.SchemaOwnerGroups {
		wrong = append(wrong, "is a member of role "+quote(group))
		f.Statements = append(f.Statements, `REVOKE `+quote(group)+` FROM `+role)
	}
	for _, p := range r.SchemaOwnerPrivileges {
		wrong = append(wrong, p.What)
		f.Repairable = f.Repairable && p.Mine
		f.Statements = append(f.Statements, p.Revoke+` FROM `+role)
	}
	f.Message = strings.Join(wrong, ", ") + ": the SQL of blueprints runs as this role"
	return append(findings, f)
}
