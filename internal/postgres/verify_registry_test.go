package postgres_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func TestDB_Verify_RegistryChecks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		platform bool // The finding belongs to the platform, not to the tenant.
		tamper   func(b fixture, t tenant.Tenant)
		message  string
	}{
		"Nothing":       {true, func(fixture, tenant.Tenant) {}, ""},
		"TenantDeleted": {true, func(b fixture, t tenant.Tenant) { b.Exec(`DELETE FROM tenants WHERE id = $1`, t.ID) }, "has events and no row in the registry"},
		"OnlyItsLogLeft": {true, func(b fixture, t tenant.Tenant) {
			b.Exec(`DELETE FROM tenants WHERE id = $1`, t.ID)
			b.Exec(`DELETE FROM audit_events WHERE tenant_id = $1`, t.ID)
		}, "has a provisioning log and no row in the registry"},
		"TableForAll":      {true, func(b fixture, _ tenant.Tenant) { b.Exec(`GRANT SELECT ON tenants TO PUBLIC`) }, "PUBLIC, and so every tenant, has privileges on public.tenants"},
		"TheirTableForAll": {true, func(b fixture, t tenant.Tenant) { b.Exec(`GRANT SELECT ON ` + t.SchemaName + `.users TO PUBLIC`) }, "PUBLIC, and so every tenant, has privileges on "},
		"SchemaForAll":     {true, func(b fixture, t tenant.Tenant) { b.Exec(`GRANT USAGE ON SCHEMA ` + t.SchemaName + ` TO PUBLIC`) }, "PUBLIC may use the schema "},
		"StatusByHand": {false, func(b fixture, t tenant.Tenant) {
			b.Exec(`UPDATE tenants SET status = 'ARCHIVED', archived_at = now() WHERE id = $1`, t.ID)
		}, "the tenant is ARCHIVED, but no event records that change"},
		"NoEventsAtAll": {false, func(b fixture, t tenant.Tenant) {
			b.Exec(`DELETE FROM audit_events WHERE tenant_id = $1`, t.ID)
			b.Exec(`UPDATE tenants SET audit_seq = 0, audit_head = NULL WHERE id = $1`, t.ID)
		}, "the chain has no events, not even that of the creation"},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			target := b.ActiveTenant(postgrestest.Inputs("Clinic"))
			c.tamper(b, target)
			id := target.ID
			if c.platform {
				id = uuid.Nil
			}
			drift, err := b.Verify(t.Context(), id)
			switch {
			case err != nil:
				t.Error(err)
			case c.message == "" && len(drift) > 0, c.message != "" && len(drift) != 1:
				t.Errorf("findings %+v", drift)
			case c.message != "" && !strings.Contains(drift[0].Message, c.message):
				t.Errorf("finding %q", drift[0].Message)
			}
		})
	}
}
