package platform

import (
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/dbroles"
)

// surplus is what a role has that it must not have.
type surplus struct {
	Groups     []string // Roles of which it is a member.
	Attributes []string
	Privileges []privilege
}

// surplusSQL is an expression over a row of pg_roles that returns the surplus of the connect role or
// of the schema owner as JSON. login is the condition under which LOGIN is one.
func surplusSQL(row, login string) string {
	return `jsonb_build_object('attributes', ` + dbroles.AttributesSQL(row, login) + `, 'privileges', ` + connectPrivilegesSQL(row+`.oid`) + `,
			'groups', to_jsonb(ARRAY(SELECT DISTINCT x.rolname::text FROM pg_auth_members m JOIN pg_roles x ON x.oid = m.roleid WHERE m.member = ` + row + `.oid ORDER BY 1)))`
}

func (s surplus) isEmpty() bool { return len(s.Groups)+len(s.Attributes)+len(s.Privileges) == 0 }

// descriptions say what the role has: "has SUPERUSER".
func (s surplus) descriptions() (all []string) {
	if len(s.Attributes) > 0 {
		all = append(all, "has "+strings.Join(s.Attributes, ", "))
	}
	for _, group := range s.Groups {
		all = append(all, "is a member of role "+quote(group))
	}
	for _, p := range s.Privileges {
		all = append(all, p.What)
	}
	return all
}

// statements take it from the role. options are options of ALTER ROLE that go with NOSUPERUSER and
// the like.
func (s surplus) statements(role, options string) (all []string) {
	role = quote(role)
	if len(s.Attributes) > 0 {
		all = append(all, `ALTER ROLE `+role+options+` NO`+strings.Join(s.Attributes, " NO"))
	}
	for _, group := range s.Groups {
		all = append(all, `REVOKE `+quote(group)+` FROM `+role)
	}
	for _, p := range s.Privileges {
		all = append(all, p.Revoke+` FROM `+role)
	}
	return all
}

// finding reports the surplus of the connect role or of the schema owner; reason says what is wrong
// with it. It is repairable if the current user may revoke all privileges; callers add conditions.
func (s surplus) finding(check Check, role, reason string) Finding {
	f := Finding{
		Check: check, Object: "role " + quote(role), Repairable: true,
		Message:    strings.Join(s.descriptions(), ", ") + ": " + reason,
		Statements: s.statements(role, ` PASSWORD NULL`),
	}
	for _, p := range s.Privileges {
		f.Repairable = f.Repairable && p.Mine
	}
	return f
}
