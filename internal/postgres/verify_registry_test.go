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
		"Nothing":          {true, func(fixture, tenant.Tenant) {}, ""},
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

// TestDB_Verify_RemovedTenant: whatever the database's owner deletes of a tenant, what is left
// shows that there was one.
func TestDB_Verify_RemovedTenant(t *testing.T) {
	t.Parallel()
	const (
		row       = `DELETE FROM tenants WHERE id = '{{id}}';`
		events    = `DELETE FROM audit_events WHERE tenant_id = '{{id}}';`
		log       = `DELETE FROM provisioning_logs WHERE tenant_id = '{{id}}';`
		versions  = `DELETE FROM tenant_migrations WHERE tenant_id = '{{id}}'; DELETE FROM tenant_invitations WHERE tenant_id = '{{id}}';`
		allTables = row + events + log + versions
		schema    = `DROP SCHEMA {{schema}} CASCADE;`
		role      = `DROP ROLE {{role}};`
		sent      = `INSERT INTO stellar_transactions (hash, network_id, source, sequence, envelope, purpose, tenant_id, contract_id, state, valid_until, submitted_ledger, max_fee) VALUES `
	)
	leftSchema := "the schema {{schema}}, with the role {{role}}, is a tenant's, and no tenant in the registry has it"
	for name, c := range map[string]struct {
		statements string
		findings   []string
	}{
		"OnlyTheRow":     {row, []string{"tenant {{id}} has no row in the registry, and the database still has a provisioning log, audit events, invitations, schema versions, the role {{role}} of it", leftSchema}},
		"RowAndEvents":   {row + events + versions, []string{"tenant {{id}} has no row in the registry, and the database still has a provisioning log, the role {{role}}", leftSchema}},
		"EveryTable":     {allTables, []string{leftSchema}},
		"SchemaRenamed":  {allTables + `ALTER SCHEMA {{schema}} RENAME TO innocent`, []string{"the schema innocent is a tenant's"}},
		"TriggerDropped": {allTables + `DROP TRIGGER audit_chain ON {{schema}}.audit_logs`, []string{leftSchema}},
		"TransactionLeft": {allTables + sent + `('aa', 'n', 's', 1, 'e', 'CREATE', '{{id}}', 'CX', 'SUCCEEDED', now(), 1, 1);` + schema + role,
			[]string{"tenant {{id}} has no row in the registry, and the database still has Stellar transactions of it"}},
		"TransactionOfAnchor": {allTables + sent + `('aa', 'n', 's', 1, 'e', 'ANCHOR', NULL, 'CX', 'SUCCEEDED', now(), 1, 1);` + schema + role,
			[]string{"the tenant of the contract CX has no row in the registry, and the database still has Stellar transactions of it"}},
		"RoleLeft": {row + events + log + `DELETE FROM tenant_invitations;` + schema, []string{"tenant {{id}} has no row in the registry, and the database still has schema versions, the role {{role}} of it"}},
		"Contract": {allTables + schema + role + `INSERT INTO tenant_contracts (tenant_id, contract_id) VALUES ('{{id}}', 'CX')`, []string{"still has a contract of it"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := setup(t)
			target, other := b.ActiveTenant(postgrestest.Inputs("Clinic")), b.ActiveTenant(postgrestest.Inputs("Other"))
			names := b.names(target, other)
			b.ExecScript(names.Replace(c.statements))
			findings := b.verify(uuid.Nil)
			if len(findings) != len(c.findings) {
				t.Fatalf("%+v", findings)
			}
			for i, f := range findings {
				if want := names.Replace(c.findings[i]); !strings.Contains(f.Message, want) {
					t.Errorf("finding %q, want %q", f.Message, want)
				}
			}
		})
	}
}
