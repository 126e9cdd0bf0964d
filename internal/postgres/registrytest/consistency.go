//go:build unix

package registrytest

import (
	"fmt"
	"slices"
)

// inconsistencies are the queries that count what must not exist while no run is going on.
var inconsistencies = map[string]string{
	"unfinished tenants":                `SELECT count(*) FROM tenants WHERE status IN ('PENDING', 'PROVISIONING') OR rollback_target IS NOT NULL OR run_expires_at IS NOT NULL OR job_id IS NOT NULL`,
	"live tenants without their schema": `SELECT count(*) FROM tenants t WHERE status = 'ACTIVE' AND NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = t.schema_name)`,
	"schemas without a tenant": `SELECT count(*) FROM pg_namespace n WHERE nspname ~ '_[0-9]{13}$' AND NOT EXISTS
		(SELECT FROM tenants t WHERE t.schema_name = n.nspname AND (t.status = 'ACTIVE' OR t.activated_at IS NOT NULL))`,
	"tenants with two contracts": `SELECT count(*) FROM (SELECT tenant_id FROM stellar_transactions WHERE purpose = 'CREATE' AND state = 'SUCCEEDED' GROUP BY tenant_id HAVING count(*) > 1) x`,
	"steps that never ended":     `SELECT count(*) FROM provisioning_logs WHERE status IN ('PENDING', 'IN_PROGRESS')`,
	"open transactions":          `SELECT count(*) FROM stellar_transactions WHERE state = 'SIGNED'`,
}

// Inconsistencies says what must not exist while no run is going on, such as "2 unfinished
// tenants".
func (r *Registry) Inconsistencies() (all []string) {
	r.t.Helper()
	for what, query := range inconsistencies {
		if n := value[int](r, query); n != 0 {
			all = append(all, fmt.Sprint(n, " ", what))
		}
	}
	slices.Sort(all)
	return all
}
