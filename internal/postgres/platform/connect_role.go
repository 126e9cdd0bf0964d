package platform

import (
	"slices"
	"strings"
)

// openFindings are what every role of the server may do. A database without a registry is
// still to be closed, by its migration.
func (r privileges) openFindings() (findings []Finding) {
	if !r.Registry {
		return nil
	}
	var open []string
	if r.OpenConnect {
		open = append(open, "CONNECT")
	}
	if r.OpenTemporary {
		open = append(open, "TEMPORARY")
	}
	if len(open) > 0 {
		database := quote(r.Database)
		findings = append(findings, Finding{Check: DatabaseOpen, Object: r.database(),
			Message: "gives " + strings.Join(open, " and ") + " to PUBLIC, and so to every role of the server; users of your own that connect to it need GRANT CONNECT ON DATABASE before that is revoked",
			Statements: []string{
				`GRANT CONNECT, TEMPORARY ON DATABASE ` + database + ` TO ` + quote(r.User), // It may have them as PUBLIC alone.
				`REVOKE ALL ON DATABASE ` + database + ` FROM PUBLIC`,
			}, Repairable: r.OwnsDatabase})
	}
	if r.OpenPublic {
		findings = append(findings, Finding{Check: PublicSchemaOpen, Object: `schema "public"`, Message: "lets every role of the server create tables and functions",
			Statements: []string{`REVOKE CREATE ON SCHEMA public FROM PUBLIC`}, Repairable: r.OwnsPublic})
	}
	return findings
}

// connectRoleFindings are what is wrong with the connect role.
func (r privileges) connectRoleFindings() (findings []Finding) {
	if r.ConnectRole == "" {
		return nil
	}
	role, object := quote(r.ConnectRole), "role "+quote(r.ConnectRole)
	grant := `GRANT CONNECT ON DATABASE ` + quote(r.Database) + ` TO ` + role
	if !r.ConnectRoleExists {
		f := Finding{Check: ConnectRoleMissing, Object: object, Message: "does not exist, so no login of a tenant can be opened",
			Statements: []string{`CREATE ROLE ` + role + ` NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS`, grant},
			Repairable: r.mayChangeRoles() && r.MayGrantConnect}
		if !f.Repairable && r.Version >= 16 {
			f.Statements = append(f.Statements, grantAdmin(r.ConnectRole, r.User))
		}
		return []Finding{f}
	}
	if !r.Connect {
		findings = append(findings, Finding{Check: ConnectMissing, Object: r.database(), Message: "does not give CONNECT to " + object + ", so no login of a tenant works",
			Statements: []string{grant}, Repairable: r.MayGrantConnect})
	}
	if len(r.Attributes)+len(r.Groups)+len(r.Privileges) > 0 {
		findings = append(findings, r.connectRoleDrift())
	}
	if r.Version >= 16 && !r.Admin {
		findings = append(findings, Finding{Check: ConnectRoleAdmin, Object: object, Message: "gives no ADMIN OPTION to role " + quote(r.User) + ", so no login can be made a member of it",
			Statements: []string{grantAdmin(r.ConnectRole, r.User)}})
	}
	return findings
}

func (r privileges) connectRoleDrift() Finding {
	role := quote(r.ConnectRole)
	f := Finding{Check: ConnectRoleDrift, Object: "role " + role, Repairable: r.mayChange(r.Attributes, r.Admin) && (r.Version < 16 || !r.ForeignGroups)}
	var wrong []string
	if len(r.Attributes) > 0 {
		wrong = append(wrong, "has "+strings.Join(r.Attributes, ", "))
		f.Statements = append(f.Statements, withoutAttributes(r.ConnectRole, r.Attributes))
	}
	for _, group := range r.Groups {
		wrong = append(wrong, "is a member of role "+quote(group))
		f.Statements = append(f.Statements, `REVOKE `+quote(group)+` FROM `+role)
	}
	for _, p := range r.Privileges {
		wrong = append(wrong, p.What)
		f.Repairable = f.Repairable && p.Mine
		f.Statements = append(f.Statements, p.Revoke+` FROM `+role)
	}
	f.Message = strings.Join(wrong, ", ") + ": every login of a tenant is a member of it"
	return f
}

func withoutAttributes(role string, attributes []string) string {
	return `ALTER ROLE ` + quote(role) + ` PASSWORD NULL NO` + strings.Join(attributes, " NO")
}

// mayChange reports whether the user may take attributes from a role, and change its
// memberships.
func (r privileges) mayChange(attributes []string, admin bool) bool {
	if r.Superuser {
		return true
	}
	// Of the other attributes, the user would have to have them itself.
	forbidden := slices.ContainsFunc(attributes, func(a string) bool { return a != "LOGIN" && a != "CREATEROLE" })
	return r.CreateRole && !forbidden && (admin || r.Version < 16)
}
