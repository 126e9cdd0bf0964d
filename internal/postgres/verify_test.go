package postgres_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

// verify returns the faults of a tenant. What is unmanaged is none.
func (b fixture) verify(id uuid.UUID) []verification.Finding {
	b.T.Helper()
	drift, err := b.Verify(b.T.Context(), id)
	if err != nil {
		b.T.Fatal(err)
	}
	for _, f := range drift {
		if f.TenantID != id {
			b.T.Errorf("a finding about %s: %+v", f.TenantID, f)
		}
	}
	return slices.DeleteFunc(drift, func(f verification.Finding) bool { return f.Unmanaged })
}

// tenantWithHistory returns a live tenant with audit events in the registry and in its schema.
func (b fixture) tenantWithHistory(name string) tenant.Tenant {
	b.T.Helper()
	t := b.ActiveTenant(postgrestest.Inputs(name))
	for _, firstName := range []string{"Grace", "Jean", "Ada"} {
		in := t.Inputs()
		in.AdminFirstName = firstName
		if _, err := b.Update(b.T.Context(), t.ID, in, 0); err != nil {
			b.T.Fatal(err)
		}
	}
	b.Exec(`INSERT INTO ` + pgx.Identifier{t.SchemaName, "audit_logs"}.Sanitize() + ` (user_id, action, entity_type, entity_id, changes)
		SELECT id, 'update', 'user', i::text, '{"naïve": [1, 2.50, null]}' FROM ` + pgx.Identifier{t.SchemaName, "users"}.Sanitize() + `, generate_series(1, 4) i`)
	return t
}

func TestDB_Verify(t *testing.T) {
	t.Parallel()

	t.Run("FindsNoDriftInCleanRegistry", func(t *testing.T) {
		b := setup(t)
		active, archived, purged := b.tenantWithHistory("Live"), b.tenantWithHistory("Archived"), b.tenantWithHistory("Purged")
		for _, archivedTenant := range []tenant.Tenant{archived, purged} {
			if _, err := b.Archive(t.Context(), archivedTenant.ID); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.Purge(t.Context(), purged.ID, 0); err != nil {
			t.Fatal(err)
		}
		running := b.ClaimNew(postgrestest.Inputs("Running"))
		if err := b.PrepareSchema(t.Context(), running, b.Seed()); err != nil {
			t.Fatal(err)
		}
		rolledBack := b.ClaimNew(postgrestest.Inputs("Undone"))
		if err := b.BeginRollback(t.Context(), rolledBack, provisioning.RollbackToFailed, tenant.StepRecord{Step: tenant.StepCreateSchema, Status: tenant.StepFailed, Error: "x"}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.RollBack(t.Context(), rolledBack); err != nil {
			t.Fatal(err)
		}
		if err := b.Record(t.Context(), audit.Event{Action: "tenant.create", Outcome: audit.OutcomeRejected},
			audit.Event{TenantID: active.ID, Action: "tenant.purge", Outcome: audit.OutcomeRejected, Detail: map[string]any{"reason": "no scope"}}); err != nil {
			t.Fatal(err)
		}
		for _, id := range []uuid.UUID{active.ID, archived.ID, purged.ID, running.Tenant.ID, rolledBack.Tenant.ID, uuid.Nil} {
			if drift := b.verify(id); len(drift) != 0 {
				t.Errorf("%s: %+v", id, drift)
			}
		}
	})
	t.Run("NotFound", func(t *testing.T) {
		b := setup(t)
		_, err := b.Verify(t.Context(), uuid.New())
		postgrestest.WantKind(t, err, errs.KindNotFound)
	})
	t.Run("RegistryChain", func(t *testing.T) {
		b := setup(t)
		for range 3 {
			if err := b.Record(t.Context(), audit.Event{Action: "tenant.create", Outcome: audit.OutcomeRejected}); err != nil {
				t.Fatal(err)
			}
		}
		b.Exec(`UPDATE audit_events SET action = 'tenant.purge' WHERE seq = 2`)
		if drift := b.verify(uuid.Nil); len(drift) != 1 || drift[0].Subject != verification.SubjectAudit || !strings.Contains(drift[0].Message, "row 2 was changed") {
			t.Errorf("%+v", drift)
		}
	})

	// {{...}} are names of the tenant; the finding must contain all the words.
	for _, c := range []struct {
		name, statement string
		subject         verification.Subject
		words           string
	}{
		{"EventChanged", `UPDATE audit_events SET detail = detail || '{"x": 1}' WHERE tenant_id = '{{id}}' AND seq = 2`, verification.SubjectAudit, "row 2 was changed"},
		{"EventActor", `UPDATE audit_events SET actor = '{"kind": "command"}' WHERE tenant_id = '{{id}}' AND seq = 3`, verification.SubjectAudit, "row 3 was changed"},
		{"EventTime", `UPDATE audit_events SET at = at + interval '1 microsecond' WHERE tenant_id = '{{id}}' AND seq = 1`, verification.SubjectAudit, "row 1 was changed"},
		{"EventGone", `DELETE FROM audit_events WHERE tenant_id = '{{id}}' AND seq = 2`, verification.SubjectAudit, "row 2 is missing: after row 1 comes row 3"},
		{"FirstEventGone", `DELETE FROM audit_events WHERE tenant_id = '{{id}}' AND seq = 1`, verification.SubjectAudit, "row 1 is missing"},
		{"LastEventGone", `DELETE FROM audit_events WHERE tenant_id = '{{id}}' AND seq = 5`, verification.SubjectAudit, "ends with row 4, but the registry has row 5 as its last"},
		{"AllEventsGone", `DELETE FROM audit_events WHERE tenant_id = '{{id}}'`, verification.SubjectAudit, "ends with row 0"},
		{"ForgedLastEvent", `UPDATE audit_events e SET detail = '{}', hash = audit_hash((SELECT hash FROM audit_events WHERE tenant_id = e.tenant_id AND seq = 4),
			tenant_id, seq, at, action, outcome::text, salt, actor, '{}') WHERE tenant_id = '{{id}}' AND seq = 5`, verification.SubjectAudit, "row 5, the last, has another hash"},
		{"HeadChanged", `UPDATE tenants SET audit_head = sha256('x') WHERE id = '{{id}}'`, verification.SubjectAudit, "another hash than the registry"},

		{"LogChanged", `UPDATE {{schema}}.audit_logs SET changes = '{}' WHERE seq = 3`, verification.SubjectTenantAudit, "row 3 was changed"},
		{"LogGone", `DELETE FROM {{schema}}.audit_logs WHERE seq = 2`, verification.SubjectTenantAudit, "row 2 is missing"},
		{"LogLink", `UPDATE {{schema}}.audit_logs SET prev_hash = sha256('x') WHERE seq = 4`, verification.SubjectTenantAudit, "row 4 does not follow row 3"},
		{"LogTailGone", `DELETE FROM {{schema}}.audit_logs WHERE seq >= 4`, verification.SubjectTenantAudit, "ends with row 3, but the table audit_head has row"},
		{"LogTailReplaced", `DELETE FROM {{schema}}.audit_logs WHERE seq >= 3; INSERT INTO {{schema}}.audit_logs (action, entity_type) VALUES ('x', 'y')`, verification.SubjectTenantAudit, "row 3 is missing"},
		{"LogEmpty", `DELETE FROM {{schema}}.audit_logs`, verification.SubjectTenantAudit, "ends with row 0"},
		{"LogHeadChanged", `UPDATE {{schema}}.audit_head SET hash = repeat('a', 64)`, verification.SubjectTenantAudit, "another hash than the table audit_head"},
		{"LogHeadGone", `DELETE FROM {{schema}}.audit_head`, verification.SubjectTenantAudit, "audit_head has no row"},
		{"LogHeadTable", `DROP TABLE {{schema}}.audit_head`, verification.SubjectSchema, "audit_head is missing"},
		{"LogHeadGrant", `GRANT SELECT ON {{schema}}.audit_head TO {{role}}`, verification.SubjectRole, "has SELECT on its table audit_head instead of nothing"},
		{"LogTable", `DROP TABLE {{schema}}.audit_logs`, verification.SubjectSchema, "audit_logs is missing"},

		{"Schema", `DROP SCHEMA {{schema}} CASCADE`, verification.SubjectSchema, "does not exist"},
		{"NoLedger", `DELETE FROM tenant_migrations WHERE tenant_id = '{{id}}'`, verification.SubjectSchema, "the ledger has no version"},
		{"Checksum", `UPDATE tenant_migrations SET checksum = 'abc' WHERE tenant_id = '{{id}}'`, verification.SubjectSchema, "0001_initial.sql of the blueprint standard differs from what was applied"},
		{"Newer", `INSERT INTO tenant_migrations (tenant_id, blueprint, version, checksum) VALUES ('{{id}}', 'standard', 99, 'x')`, verification.SubjectSchema, "version 99"},

		{"Role", asDBA + `REASSIGN OWNED BY {{role}} TO CURRENT_USER; DROP OWNED BY {{role}}; DROP ROLE {{role}}`, verification.SubjectRole, "does not exist"},
		{"Superuser", asDBA + `ALTER ROLE {{role}} SUPERUSER CREATEDB`, verification.SubjectRole, "has SUPERUSER, CREATEDB"},
		{"Member", `GRANT {{connect}} TO {{role}}`, verification.SubjectRole, "is a member of {{connect}}"},
		{"Registry", `GRANT SELECT ON tenants TO {{role}}`, verification.SubjectRole, "has privileges on table public.tenants"},
		{"Neighbour", `GRANT USAGE ON SCHEMA {{other}} TO {{role}}`, verification.SubjectRole, "has privileges on schema {{other}}"},
		{"Database", `DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO {{role}}', current_database()); END $$`, verification.SubjectRole, "has privileges on database"},
		{"Default", `ALTER DEFAULT PRIVILEGES IN SCHEMA {{schema}} GRANT SELECT ON TABLES TO {{role}}`, verification.SubjectRole, "has privileges on default acl"},
		{"Owner", asDBA + `ALTER TABLE {{schema}}.users OWNER TO {{role}}`, verification.SubjectRole, "owns its table users"},
		{"MoreOnItsOwn", `GRANT UPDATE, DELETE ON {{schema}}.audit_logs TO {{role}}`, verification.SubjectRole, "has DELETE, INSERT, SELECT, UPDATE on its table audit_logs instead of INSERT, SELECT"},
		{"LessOnItsOwn", `REVOKE DELETE ON {{schema}}.users FROM {{role}}`, verification.SubjectRole, "on its table users instead of DELETE, INSERT"},
		{"Create", `GRANT CREATE ON SCHEMA {{schema}} TO {{role}}`, verification.SubjectRole, "has CREATE, USAGE on its schema instead of USAGE"},
		{"Column", `GRANT UPDATE (changes) ON {{schema}}.audit_logs TO {{role}}`, verification.SubjectRole, "UPDATE (changes) on its table audit_logs"},
		{"GrantOption", `GRANT SELECT ON {{schema}}.roles TO {{role}} WITH GRANT OPTION`, verification.SubjectRole, "SELECT WITH GRANT OPTION"},
		{"Function", `GRANT EXECUTE ON FUNCTION {{schema}}.audit_chain_{{digest}}() TO {{role}}`, verification.SubjectRole, "has EXECUTE on its function audit_chain_{{digest}}() instead of nothing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t)
			target, other := b.tenantWithHistory("Clinic"), b.tenantWithHistory("Other")
			names := b.names(target, other)
			b.run(names.Replace(c.statement))
			drift, matches := b.verify(target.ID), false
			for _, f := range drift {
				matches = matches || f.Subject == c.subject && strings.Contains(f.Message, names.Replace(c.words))
			}
			if !matches {
				t.Errorf("%+v", drift)
			}
			if drift := b.verify(other.ID); len(drift) != 0 && c.name != "Neighbour" {
				t.Errorf("the other tenant: %+v", drift)
			}
		})
	}
	t.Run("AnotherDatabase", func(t *testing.T) {
		b := setup(t)
		target := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		otherDatabase, err := pgx.Connect(t.Context(), testenv.Database(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := otherDatabase.Exec(t.Context(), `GRANT SELECT ON tenants TO `+pgx.Identifier{target.DatabaseRole}.Sanitize()); err != nil {
			t.Fatal(err)
		}
		name := otherDatabase.Config().Database
		if err := otherDatabase.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if drift := b.verify(target.ID); len(drift) != 1 || !strings.Contains(drift[0].Message, "something in the database "+name) {
			t.Errorf("%+v", drift)
		}
	})
	t.Run("ReportsOrphansOfPurgedTenant", func(t *testing.T) {
		b := setup(t)
		target := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		if _, err := b.Archive(t.Context(), target.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Purge(t.Context(), target.ID, 0); err != nil {
			t.Fatal(err)
		}
		b.Exec(`CREATE SCHEMA ` + pgx.Identifier{target.SchemaName}.Sanitize())
		b.Exec(`CREATE ROLE ` + pgx.Identifier{target.DatabaseRole}.Sanitize())
		b.Exec(`DELETE FROM purge_certificates`)
		drift := b.verify(target.ID)
		b.Exec(`DROP ROLE ` + pgx.Identifier{target.DatabaseRole}.Sanitize())
		text := fmt.Sprint(drift)
		if len(drift) != 3 || !strings.Contains(text, "schema "+target.SchemaName) || !strings.Contains(text, "role "+target.DatabaseRole) || !strings.Contains(text, "no purge certificate") {
			t.Errorf("%+v", drift)
		}
	})
	// A tenant that was migrated by files, not created from the baseline, has no drift.
	t.Run("NewerVersion", func(t *testing.T) {
		b := setup(t)
		target := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		_, err := b.MigrateTenants(t.Context(), tenantschema.MigrationOptions{
			Standard: postgrestest.LaterMigrations(t, `ALTER TABLE users ADD COLUMN phone varchar(40);`),
		})
		b.Must(err)
		drift := b.verify(target.ID)
		if len(drift) != 1 || !strings.Contains(drift[0].Message, "version 2 of the blueprint standard and this program knows only 1") {
			t.Errorf("%+v", drift)
		}
	})
}
