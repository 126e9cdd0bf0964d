package platform

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
)

var roleName = tenantrow.RoleName("t")

// role adds what is wrong with a tenant's role. without are the tenant's roles that the user
// may not change.
func (c *checker) role(s tenantschema.RoleState, without []string) {
	id, object := s.Tenant.ID, "role "+quote(s.Tenant.DatabaseRole)
	admin := !slices.Contains(without, s.Tenant.DatabaseRole)
	for _, missing := range s.Missing {
		c.add(Finding{Check: SchemaMissing, TenantID: id, Object: "schema " + quote(s.Tenant.SchemaName), Message: "is not complete: " + missing + "; restore it from a backup"})
	}
	if s.RoleExists && !admin {
		c.addAdmin(RoleAdmin, id, s.Tenant.DatabaseRole, "no login can be made a member of it, and it cannot be dropped")
	}
	for _, finding := range s.Manual {
		c.add(Finding{Check: RoleManual, TenantID: id, Object: object, Message: finding + "; remove it manually after you know the cause"})
	}
	if len(s.Drift) == 0 || len(s.Missing) > 0 {
		return
	}
	f := Finding{Check: RoleDrift, TenantID: id, Object: object, Message: "differs from the blueprint: " + strings.Join(s.Drift, "; "), Statements: s.Statements,
		Repairable: !s.HasUnusable() && len(s.Manual) == 0 && c.privileges.mayChange(s.Attributes, admin)}
	if !s.RoleExists {
		f.Check, f.Message = RoleMissing, "does not exist"
		if !f.Repairable && c.privileges.Version >= 16 && !c.privileges.Superuser {
			f.Statements = append(slices.Clone(f.Statements), grantAdmin(s.Tenant.DatabaseRole, c.privileges.User))
		}
	}
	c.add(f)
}

func (c *checker) addAdmin(check Check, id uuid.UUID, role, consequence string) {
	c.add(Finding{Check: check, TenantID: id, Object: "role " + quote(role), Message: "gives no ADMIN OPTION to role " + quote(c.privileges.User) + ": " + consequence,
		Statements: []string{grantAdmin(role, c.privileges.User)}})
}
