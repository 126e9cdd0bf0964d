package stats_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/monitoring"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/stats"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// TestRegistryStats_ReadsNoTable: with many tenants, none of the large tables is read as a whole.
func TestRegistryStats_ReadsNoTable(t *testing.T) {
	b := postgrestest.Setup(t)
	b.ActiveTenant(postgrestest.Inputs("Clinic"))
	const more = 4_000
	addTenants(b, more)
	plan := explain(b, stats.RegistrySQL, day, stats.StuckAfter, monitoring.MaxUnnumbered)
	for _, table := range []string{"tenants", "audit_events"} {
		if strings.Contains(plan, "Seq Scan on "+table+"\n") || strings.Contains(plan, "Seq Scan on "+table+" ") {
			t.Errorf("%s is read as a whole:\n%s", table, plan)
		}
	}
	started := time.Now()
	r, err := b.RegistryStats(t.Context(), day)
	if err != nil || r.Tenants[tenant.StatusActive] != more+1 {
		t.Errorf("%+v, %v", r, err)
	}
	t.Logf("%d tenants: read in %v", more, time.Since(started))
}

// addTenants adds copies of the only tenant, with their events and contracts.
func addTenants(b postgrestest.Fixture, more int) {
	b.Exec(`INSERT INTO tenants (id, name, name_key, schema_name, status, admin_email, admin_first_name, admin_last_name, soroban_contract_id, welcome_email, activated_at, schema_version, invitation_expires_at, invitation_accepted_at)
		SELECT gen_random_uuid(), name || n, name_key || n, schema_name || n, status, admin_email, admin_first_name, admin_last_name, soroban_contract_id, welcome_email, activated_at, schema_version, now(), now()
		FROM tenants, generate_series(1, $1) n`, more)
	b.Exec(`INSERT INTO audit_events (tenant_id, seq, at, action, outcome, salt, actor, detail, hash, position)
		SELECT tenant_id, seq + 1000 * n, at - n * interval '1 hour', action, outcome, salt, actor, detail, hash, 1000000 + row_number() OVER () FROM audit_events, generate_series(1, $1) n`, more)
	b.Exec(`INSERT INTO tenant_contracts (tenant_id, contract_id, state, checked_at) SELECT id, soroban_contract_id, 'LIVE', now() FROM tenants`)
	for _, table := range []string{"tenants", "audit_events", "tenant_contracts"} {
		b.Exec(`VACUUM ANALYZE ` + table)
	}
}

// explain returns the plan of a statement.
func explain(b postgrestest.Fixture, statement string, args ...any) string {
	rows, err := b.Pool().Query(b.T.Context(), `EXPLAIN `+statement, args...)
	b.Must(err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	b.Must(err)
	return strings.Join(lines, "\n")
}
