package postgres_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver/pgtest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

func (b bundle) verify(id uuid.UUID) []provisioning.Finding {
	b.t.Helper()
	findings, err := b.Verify(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, f := range findings {
		if f.TenantID != id {
			b.t.Errorf("a finding about %s: %+v", f.TenantID, f)
		}
	}
	return findings
}

// busy is a live tenant with some history, of itself and of its people.
func (b bundle) busy(name string) provisioning.Tenant {
	b.t.Helper()
	t := b.live(inputs(name))
	for _, first := range []string{"Grace", "Jean", "Ada"} {
		in := t.Inputs()
		in.AdminFirstName = first
		if _, err := b.Update(b.t.Context(), t.ID, in, 0); err != nil {
			b.t.Fatal(err)
		}
	}
	b.exec(`INSERT INTO ` + pgx.Identifier{t.SchemaName, "audit_logs"}.Sanitize() + ` (user_id, action, entity_type, entity_id, changes)
		SELECT id, 'update', 'user', i::text, '{"naïve": [1, 2.50, null]}' FROM ` + pgx.Identifier{t.SchemaName, "users"}.Sanitize() + `, generate_series(1, 4) i`)
	return t
}

func TestDB_Verify(t *testing.T) {
	t.Parallel()

	t.Run("FindsNothingWhereNothingIs", func(t *testing.T) {
		b := setup(t)
		live, archived, purged := b.busy("Live"), b.busy("Archived"), b.busy("Purged")
		for _, gone := range []provisioning.Tenant{archived, purged} {
			if _, err := b.Archive(t.Context(), gone.ID); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.Purge(t.Context(), purged.ID, 0); err != nil {
			t.Fatal(err)
		}
		running := b.begin(inputs("Running"))
		if err := b.PrepareSchema(t.Context(), running, b.seed()); err != nil {
			t.Fatal(err)
		}
		undone := b.begin(inputs("Undone"))
		if err := b.BeginUndo(t.Context(), undone, provisioning.UndoFailed, provisioning.StepRecord{Step: provisioning.StepCreateSchema, Status: provisioning.StepFailed, Error: "x"}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Undo(t.Context(), undone); err != nil {
			t.Fatal(err)
		}
		if err := b.Record(t.Context(), provisioning.AuditEvent{Action: "tenant.create", Outcome: provisioning.AuditRefused},
			provisioning.AuditEvent{TenantID: live.ID, Action: "tenant.purge", Outcome: provisioning.AuditRefused, Detail: map[string]any{"reason": "no scope"}}); err != nil {
			t.Fatal(err)
		}
		for _, id := range []uuid.UUID{live.ID, archived.ID, purged.ID, running.Tenant.ID, undone.Tenant.ID, uuid.Nil} {
			if findings := b.verify(id); len(findings) != 0 {
				t.Errorf("%s: %+v", id, findings)
			}
		}
	})
	t.Run("NotFound", func(t *testing.T) {
		b := setup(t)
		_, err := b.Verify(t.Context(), uuid.New())
		wantKind(t, err, provisioning.KindNotFound)
	})
	t.Run("ThePlatformsChain", func(t *testing.T) {
		b := setup(t)
		for range 3 {
			if err := b.Record(t.Context(), provisioning.AuditEvent{Action: "tenant.create", Outcome: provisioning.AuditRefused}); err != nil {
				t.Fatal(err)
			}
		}
		b.exec(`UPDATE audit_events SET action = 'tenant.purge' WHERE seq = 2`)
		if findings := b.verify(uuid.Nil); len(findings) != 1 || findings[0].Subject != provisioning.SubjectAudit || !strings.Contains(findings[0].Message, "row 2 was changed") {
			t.Errorf("%+v", findings)
		}
	})

	// {{...}} are names of the tenant's; what is found has to have all the words.
	for _, c := range []struct {
		name, statement string
		subject         provisioning.Subject
		words           string
	}{
		{"EventChanged", `UPDATE audit_events SET detail = detail || '{"x": 1}' WHERE tenant_id = '{{id}}' AND seq = 2`, provisioning.SubjectAudit, "row 2 was changed"},
		{"EventActor", `UPDATE audit_events SET actor = '{"kind": "command"}' WHERE tenant_id = '{{id}}' AND seq = 3`, provisioning.SubjectAudit, "row 3 was changed"},
		{"EventTime", `UPDATE audit_events SET at = at + interval '1 microsecond' WHERE tenant_id = '{{id}}' AND seq = 1`, provisioning.SubjectAudit, "row 1 was changed"},
		{"EventGone", `DELETE FROM audit_events WHERE tenant_id = '{{id}}' AND seq = 2`, provisioning.SubjectAudit, "row 2 is missing: after row 1 comes row 3"},
		{"FirstEventGone", `DELETE FROM audit_events WHERE tenant_id = '{{id}}' AND seq = 1`, provisioning.SubjectAudit, "row 1 is missing"},
		{"LastEventGone", `DELETE FROM audit_events WHERE tenant_id = '{{id}}' AND seq = 5`, provisioning.SubjectAudit, "ends with row 4, but the registry says with row 5"},
		{"AllEventsGone", `DELETE FROM audit_events WHERE tenant_id = '{{id}}'`, provisioning.SubjectAudit, "ends with row 0"},
		{"ForgedLastEvent", `UPDATE audit_events e SET detail = '{}', hash = audit_hash((SELECT hash FROM audit_events WHERE tenant_id = e.tenant_id AND seq = 4),
			tenant_id, seq, at, action, outcome::text, actor, '{}') WHERE tenant_id = '{{id}}' AND seq = 5`, provisioning.SubjectAudit, "row 5, the last, has another hash"},
		{"HeadChanged", `UPDATE tenants SET audit_head = sha256('x') WHERE id = '{{id}}'`, provisioning.SubjectAudit, "another hash than the registry"},

		{"LogChanged", `UPDATE {{schema}}.audit_logs SET changes = '{}' WHERE seq = 3`, provisioning.SubjectTenantAudit, "row 3 was changed"},
		{"LogGone", `DELETE FROM {{schema}}.audit_logs WHERE seq = 2`, provisioning.SubjectTenantAudit, "row 2 is missing"},
		{"LogLink", `UPDATE {{schema}}.audit_logs SET prev_hash = sha256('x') WHERE seq = 4`, provisioning.SubjectTenantAudit, "row 4 does not follow row 3"},
		{"LogTable", `DROP TABLE {{schema}}.audit_logs`, provisioning.SubjectSchema, "audit_logs is not there"},

		{"Schema", `DROP SCHEMA {{schema}} CASCADE`, provisioning.SubjectSchema, "is not there"},
		{"NoLedger", `DELETE FROM tenant_migrations WHERE tenant_id = '{{id}}'`, provisioning.SubjectSchema, "nothing is known of the version"},
		{"Checksum", `UPDATE tenant_migrations SET checksum = 'abc' WHERE tenant_id = '{{id}}'`, provisioning.SubjectSchema, "00001_initial.sql is not what was applied"},
		{"Newer", `INSERT INTO tenant_migrations (tenant_id, version, checksum) VALUES ('{{id}}', 99, 'x')`, provisioning.SubjectSchema, "version 99"},

		{"Role", `REASSIGN OWNED BY {{role}} TO CURRENT_USER; DROP OWNED BY {{role}}; DROP ROLE {{role}}`, provisioning.SubjectRole, "is not there"},
		{"Superuser", `ALTER ROLE {{role}} SUPERUSER CREATEDB`, provisioning.SubjectRole, "has SUPERUSER, CREATEDB"},
		{"Member", `GRANT healthcare_connect TO {{role}}`, provisioning.SubjectRole, "is a member of healthcare_connect"},
		{"Registry", `GRANT SELECT ON tenants TO {{role}}`, provisioning.SubjectRole, "reaches table public.tenants"},
		{"Neighbour", `GRANT USAGE ON SCHEMA {{other}} TO {{role}}`, provisioning.SubjectRole, "reaches schema {{other}}"},
		{"Database", `DO $$ BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO {{role}}', current_database()); END $$`, provisioning.SubjectRole, "reaches database"},
		{"Default", `ALTER DEFAULT PRIVILEGES IN SCHEMA {{schema}} GRANT SELECT ON TABLES TO {{role}}`, provisioning.SubjectRole, "reaches default acl"},
		{"Owner", `ALTER TABLE {{schema}}.users OWNER TO {{role}}`, provisioning.SubjectRole, "owns table {{schema}}.users"},
		{"MoreOnItsOwn", `GRANT UPDATE, DELETE ON {{schema}}.audit_logs TO {{role}}`, provisioning.SubjectRole, "has DELETE, INSERT, SELECT, UPDATE on its table audit_logs instead of INSERT, SELECT"},
		{"LessOnItsOwn", `REVOKE DELETE ON {{schema}}.users FROM {{role}}`, provisioning.SubjectRole, "on its table users instead of DELETE, INSERT"},
		{"Create", `GRANT CREATE ON SCHEMA {{schema}} TO {{role}}`, provisioning.SubjectRole, "has CREATE, USAGE on its schema instead of USAGE"},
		{"Column", `GRANT UPDATE (changes) ON {{schema}}.audit_logs TO {{role}}`, provisioning.SubjectRole, "UPDATE on its column audit_logs.changes"},
		{"GrantOption", `GRANT SELECT ON {{schema}}.roles TO {{role}} WITH GRANT OPTION`, provisioning.SubjectRole, "SELECT WITH GRANT OPTION"},
		{"Function", `CREATE FUNCTION {{schema}}.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; GRANT EXECUTE ON FUNCTION {{schema}}.f() TO {{role}}`, provisioning.SubjectRole, "has EXECUTE on its function f"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t)
			tenant, other := b.busy("Clinic"), b.busy("Other")
			names := strings.NewReplacer("{{id}}", tenant.ID.String(), "{{schema}}", tenant.SchemaName, "{{role}}", tenant.DatabaseRole, "{{other}}", other.SchemaName)
			b.script(names.Replace(c.statement))
			findings, fits := b.verify(tenant.ID), false
			for _, f := range findings {
				fits = fits || f.Subject == c.subject && strings.Contains(f.Message, names.Replace(c.words))
			}
			if !fits {
				t.Errorf("%+v", findings)
			}
			if findings := b.verify(other.ID); len(findings) != 0 {
				t.Errorf("the other tenant: %+v", findings)
			}
		})
	}
	t.Run("AnotherDatabase", func(t *testing.T) {
		b := setup(t)
		tenant := b.live(inputs("Clinic"))
		elsewhere, err := pgx.Connect(t.Context(), pgtest.Database(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := elsewhere.Exec(t.Context(), `GRANT SELECT ON tenants TO `+pgx.Identifier{tenant.DatabaseRole}.Sanitize()); err != nil {
			t.Fatal(err)
		}
		name := elsewhere.Config().Database
		if err := elsewhere.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if findings := b.verify(tenant.ID); len(findings) != 1 || !strings.Contains(findings[0].Message, "something in the database "+name) {
			t.Errorf("%+v", findings)
		}
	})
	t.Run("WhatIsLeftOfAPurgedTenant", func(t *testing.T) {
		b := setup(t)
		tenant := b.live(inputs("Clinic"))
		if _, err := b.Archive(t.Context(), tenant.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Purge(t.Context(), tenant.ID, 0); err != nil {
			t.Fatal(err)
		}
		b.exec(`CREATE SCHEMA ` + pgx.Identifier{tenant.SchemaName}.Sanitize())
		b.exec(`CREATE ROLE ` + pgx.Identifier{tenant.DatabaseRole}.Sanitize())
		b.exec(`DELETE FROM purge_certificates`)
		findings := b.verify(tenant.ID)
		b.exec(`DROP ROLE ` + pgx.Identifier{tenant.DatabaseRole}.Sanitize())
		text := fmt.Sprint(findings)
		if len(findings) != 3 || !strings.Contains(text, "schema "+tenant.SchemaName) || !strings.Contains(text, "role "+tenant.DatabaseRole) || !strings.Contains(text, "no certificate") {
			t.Errorf("%+v", findings)
		}
	})
	// A tenant that was migrated by files, and not by the baseline, is as it should be.
	t.Run("AnOlderVersion", func(t *testing.T) {
		b := setup(t)
		tenant := b.live(inputs("Clinic"))
		b.fleet(files(t, addPhone), postgres.FleetOptions{})
		findings := b.verify(tenant.ID)
		if len(findings) != 1 || !strings.Contains(findings[0].Message, "version 2 and this program knows only 1") {
			t.Errorf("%+v", findings)
		}
	})
}
