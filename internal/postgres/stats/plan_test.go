package stats_test

import (
	"strings"
	"testing"
	"time"

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
	b.Exec(`INSERT INTO tenants (id, name, name_key, schema_name, status, admin_email, admin_first_name, admin_last_name, soroban_contract_id, welcome_email, activated_at, invitation_expires_at, invitation_accepted_at)
		SELECT gen_random_uuid(), name || n, name_key || n, schema_name || n, status, admin_email, admin_first_name, admin_last_name, soroban_contract_id, welcome_email, activated_at, now(), now()
		FROM tenants, generate_series(1, $1) n`, more)
	b.Exec(`INSERT INTO audit_events (tenant_id, seq, at, action, outcome, salt, actor, detail, hash, position)
		SELECT tenant_id, seq + 1000 * n, at, action, outcome, salt, actor, detail, hash, 1000000 + row_number() OVER () FROM audit_events, generate_series(1, $1) n`, more)
	b.Exec(`VACUUM ANALYZE tenants`)
	b.Exec(`VACUUM ANALYZE audit_events`)
	rows, err := b.Pool().Query(t.Context(), `EXPLAIN `+stats.RegistrySQL, day, stats.StuckAfter, monitoring.MaxUnnumbered)
	b.Must(err)
	var plan strings.Builder
	for rows.Next() {
		var line string
		b.Must(rows.Scan(&line))
		plan.WriteString(line + "\n")
	}
	b.Must(rows.Err())
	for _, table := range []string{"tenants", "audit_events"} {
		if strings.Contains(plan.String(), "Seq Scan on "+table+"\n") || strings.Contains(plan.String(), "Seq Scan on "+table+" ") {
			t.Errorf("%s is read as a whole:\n%s", table, plan.String())
		}
	}
	started := time.Now()
	r, err := b.RegistryStats(t.Context(), day)
	if err != nil || r.Tenants[tenant.StatusActive] != more+1 {
		t.Errorf("%+v, %v", r, err)
	}
	t.Logf("%d tenants: read in %v", more, time.Since(started))
}
