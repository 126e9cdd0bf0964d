package checks

import (
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/logins"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

// checkRole checks that the tenant's role has what the blueprint gives it, and no more.
func (v *verifier) checkRole(t tenant.Tenant) error {
	inspection, err := v.schemas.InspectRole(v.ctx, v.tx, t)
	if err != nil {
		return err
	}
	for _, finding := range inspection.DriftFindings(t.DatabaseRole) {
		v.addDrift(verification.SubjectRole, "%s", finding)
	}
	return v.checkUnknownLogins(t)
}

// checkUnknownLogins finds members of the role that are named like logins of the registry
// but have no row there.
func (v *verifier) checkUnknownLogins(t tenant.Tenant) error {
	rows, err := v.tx.Query(v.ctx, `SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member JOIN pg_roles g ON g.oid = m.roleid
		WHERE g.rolname = $1 AND starts_with(r.rolname, $2)
		  AND NOT EXISTS (SELECT FROM tenant_credentials c WHERE c.username = r.rolname AND c.tenant_id = $3 AND c.closed_at IS NULL)
		ORDER BY 1`, t.DatabaseRole, logins.Prefix, t.ID)
	if err != nil {
		return err
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	for _, name := range names {
		v.addDrift(verification.SubjectRole, "the login %s is a member of the role %s, but the registry has no such open login", name, t.DatabaseRole)
	}
	return err
}
