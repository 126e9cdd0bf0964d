package checks

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

// The database's owner can delete a tenant's row with all its events, and then no chain is left
// to check. So every other place that has something of a tenant is compared with the tenants.
// Nothing of the product deletes rows of tenants: a purge keeps them.

// tenantTables have rows of tenants; keys are what findings call them.
var tenantTables = map[string]string{
	"audit events": "audit_events", "a provisioning log": "provisioning_logs", "schema versions": "tenant_migrations",
	"Stellar transactions": "stellar_transactions", "a contract": "tenant_contracts", "invitations": "tenant_invitations",
	"logins": "tenant_credentials", "a purge certificate": "purge_certificates",
}

// removedTenantsSQL finds ids and contracts of tenants without a row, and the tables that have
// them. An id's role may have outlived its schema. The registry's own contract has its id, and its
// chain has zeros. Each table is compared with the tenants before it is grouped.
func removedTenantsSQL() string {
	var found []string
	for _, place := range slices.Sorted(maps.Keys(tenantTables)) {
		found = append(found, `SELECT DISTINCT f.tenant_id, '`+place+`' AS place FROM `+tenantTables[place]+` f WHERE f.tenant_id IS NOT NULL
			AND f.tenant_id <> '00000000-0000-0000-0000-000000000000' AND f.tenant_id NOT IN (SELECT id FROM registry)
			AND NOT EXISTS (SELECT FROM tenants t WHERE t.id = f.tenant_id)`)
	}
	return `SELECT 'tenant ' || f.tenant_id, array_agg(f.place ORDER BY f.place),
	       (SELECT array_agg(r.rolname::text ORDER BY 1) FROM pg_roles r WHERE right(r.rolname, 9) = '_' || right(f.tenant_id::text, 8))
	FROM (` + strings.Join(found, "\n\t\tUNION ALL ") + `) f GROUP BY f.tenant_id
	UNION ALL
	SELECT 'the tenant of the contract ' || contract, array_agg(DISTINCT place ORDER BY place), NULL FROM (
		SELECT contract_id AS contract, 'Stellar transactions' AS place FROM stellar_transactions WHERE contract_id IS NOT NULL AND tenant_id IS NULL
	) x WHERE NOT EXISTS (SELECT FROM tenants t WHERE t.soroban_contract_id = contract)
		AND NOT EXISTS (SELECT FROM tenant_contracts c JOIN registry r ON r.id = c.tenant_id WHERE c.contract_id = contract)
	GROUP BY contract
	ORDER BY 1`
}

// removedSchemasSQL finds schemas that belong to the schema owner, and roles with privileges in
// one, without a tenant. Roles of other databases have none here.
const removedSchemasSQL = `WITH made AS (
		SELECT n.oid, n.nspname, n.nspacl, n.nspowner FROM pg_namespace n
		WHERE NOT EXISTS (SELECT FROM tenants t WHERE t.schema_name = n.nspname)
	), roles AS (
		SELECT m.oid, r.rolname::text AS role FROM made m, aclexplode(m.nspacl) a JOIN pg_roles r ON r.oid = a.grantee
		WHERE left(r.rolname, -9) = m.nspname AND right(r.rolname, 9) ~ '^_[0-9a-f]{8}$'
	)
	SELECT m.nspname::text, array_remove(array_agg(DISTINCT r.role ORDER BY r.role), NULL)
	FROM made m LEFT JOIN roles r ON r.oid = m.oid
	WHERE r.role IS NOT NULL OR pg_get_userbyid(m.nspowner) = (SELECT schema_owner FROM registry)
	GROUP BY m.nspname ORDER BY 1`

// checkRemovedTenants finds what is left of tenants whose row was deleted.
func (v *verifier) checkRemovedTenants() error {
	err := v.forEachRemoved(removedTenantsSQL(), true, func(name string, places, roles []string) {
		if len(roles) > 0 {
			places = append(places, "the role "+strings.Join(roles, ", "))
		}
		v.addDrift(verification.SubjectAudit, "%s has no row in the registry, and the database still has %s of it; restore the registry from a backup", name, strings.Join(places, ", "))
	})
	if err != nil {
		return err
	}
	return v.forEachRemoved(removedSchemasSQL, false, func(name string, roles, _ []string) {
		role := ""
		if len(roles) > 0 {
			role = fmt.Sprintf(", with the role %s,", strings.Join(roles, ", "))
		}
		v.addDrift(verification.SubjectSchema, "the schema %s%s is a tenant's, and no tenant in the registry has it; restore the registry from a backup, or drop both if it is a copy", name, role)
	})
}

// forEachRemoved calls each for the rows of a query with a name and a list; with two, another list.
func (v *verifier) forEachRemoved(query string, two bool, each func(name string, first, second []string)) error {
	rows, err := v.tx.Query(v.ctx, query)
	if err != nil {
		return err
	}
	var (
		name          string
		first, second []string
		targets       = []any{&name, &first}
	)
	if two {
		targets = append(targets, &second)
	}
	_, err = pgx.ForEachRow(rows, targets, func() error {
		each(name, first, second)
		return nil
	})
	return err
}
