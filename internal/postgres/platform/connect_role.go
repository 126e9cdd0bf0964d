package platform

import (
	"slices"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/dbroles"
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
			Statements: []string{dbroles.CreateSQL(role), grant},
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
	if !r.ConnectRoleSurplus.isEmpty() {
		f := r.ConnectRoleSurplus.finding(ConnectRoleDrift, r.ConnectRole, "every login of a tenant is a member of it")
		f.Repairable = f.Repairable && r.mayChange(r.ConnectRoleSurplus.Attributes, r.Admin) && (r.Version < 16 || !r.ForeignGroups)
		findings = append(findings, f)
	}
	if r.Version >= 16 && !r.Admin {
		findings = append(findings, Finding{Check: ConnectRoleAdmin, Object: object, Message: "gives no ADMIN OPTION to role " + quote(r.User) + ", so no login can be made a member of it",
			Statements: []string{grantAdmin(r.ConnectRole, r.User)}})
	}
	return findings
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
