package postgres_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

func (b bundle) inspect(id uuid.UUID) provisioning.Inspection {
	b.t.Helper()
	found, err := b.Inspect(b.t.Context(), []uuid.UUID{id})
	if err != nil || len(found) != 1 {
		b.t.Fatalf("%+v, %v", found, err)
	}
	return found[0]
}

func TestDB_Inspect(t *testing.T) {
	t.Parallel()
	t.Run("ReadsManyAtOnce", func(t *testing.T) {
		b := setup(t)
		one, two := b.live(inputs("One")), b.live(inputs("Two"))
		archived, running := b.archived(inputs("Archived")), b.begin(inputs("Running")).Tenant
		found, err := b.Inspect(t.Context(), []uuid.UUID{one.ID, uuid.New(), two.ID, archived.ID, running.ID})
		if err != nil || len(found) != 4 {
			t.Fatalf("%+v, %v", found, err)
		}
		for _, i := range found {
			want := provisioning.DatabaseIntact
			if i.Tenant.ID == archived.ID || i.Tenant.ID == running.ID {
				want = ""
			}
			stored, err := b.Get(t.Context(), i.Tenant.ID)
			if err != nil || i.Database != want || len(i.Faults) != 0 || i.Tenant.Name != stored.Name || !i.Tenant.ActivatedAt.Equal(stored.ActivatedAt) {
				t.Errorf("%+v, stored %+v, %v", i, stored, err)
			}
		}
	})
	t.Run("SeesAMissingSchema", func(t *testing.T) {
		b := setup(t)
		live := b.live(inputs("Clinic"))
		b.exec(`DROP SCHEMA ` + live.SchemaName + ` CASCADE`)
		if i := b.inspect(live.ID); i.Database != provisioning.DatabaseMissing || i.Faults[0] != "the schema "+live.SchemaName+" is not there" {
			t.Errorf("%+v", i)
		}
		_, _, err := b.Repair(t.Context(), live.ID)
		wantKind(t, err, provisioning.KindPermanent)
		if !strings.Contains(provisioning.SafeMessage(err), "bring it back from a backup") {
			t.Error(err)
		}
	})
	t.Run("SeesAMissingTable", func(t *testing.T) {
		b := setup(t)
		live := b.live(inputs("Clinic"))
		b.exec(`DROP TABLE ` + live.SchemaName + `.audit_logs`)
		if i := b.inspect(live.ID); i.Database != provisioning.DatabaseMissing || i.Faults[0] != "the schema "+live.SchemaName+" has no table audit_logs" {
			t.Errorf("%+v", i)
		}
	})
}

func TestDB_Repair(t *testing.T) {
	t.Parallel()
	// {{...}} are names of the tenant's.
	for _, c := range []struct{ name, statement, left string }{
		{"RoleDropped", `DROP OWNED BY {{role}}; DROP ROLE {{role}}`, ""},
		{"Attributes", `ALTER ROLE {{role}} SUPERUSER CREATEDB BYPASSRLS`, ""},
		{"Groups", `GRANT healthcare_connect, pg_read_all_data TO {{role}}`, ""},
		{"More", `GRANT UPDATE, DELETE ON {{schema}}.audit_logs TO {{role}}; GRANT CREATE ON SCHEMA {{schema}} TO {{role}}`, ""},
		{"Less", `REVOKE ALL ON ALL TABLES IN SCHEMA {{schema}} FROM {{role}}; REVOKE USAGE ON SCHEMA {{schema}} FROM {{role}}`, ""},
		{"Columns", `GRANT UPDATE (changes) ON {{schema}}.audit_logs TO {{role}}`, ""},
		{"GrantOption", `GRANT SELECT ON {{schema}}.roles TO {{role}} WITH GRANT OPTION`, ""},
		{"Function", `CREATE FUNCTION {{schema}}.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; GRANT EXECUTE ON FUNCTION {{schema}}.f() TO {{role}}`, ""},
		{"OwnTables", `CREATE TABLE {{schema}}.notes (id int); GRANT SELECT ON {{schema}}.notes TO {{role}}`, ""},
		{"Owner", `ALTER TABLE {{schema}}.users OWNER TO {{role}}; REVOKE SELECT ON {{schema}}.roles FROM {{role}}`, "owns table {{schema}}.users"},
		{"Neighbour", `GRANT USAGE ON SCHEMA {{other}} TO {{role}}`, "reaches schema {{other}}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t)
			tenant, other := b.live(inputs("Clinic")), b.live(inputs("Other"))
			names := strings.NewReplacer("{{schema}}", tenant.SchemaName, "{{role}}", tenant.DatabaseRole, "{{other}}", other.SchemaName)
			b.script(names.Replace(c.statement))
			before := b.inspect(tenant.ID)
			if before.Database != provisioning.DatabaseAltered || len(before.Faults) == 0 {
				t.Fatalf("%+v", before)
			}
			_, healed, err := b.Repair(t.Context(), tenant.ID)
			after := b.inspect(tenant.ID)
			if c.left != "" {
				wantKind(t, err, provisioning.KindPermanent)
				if !strings.Contains(provisioning.SafeMessage(err), names.Replace(c.left)) || strings.Join(after.Faults, ";") != strings.Join(before.Faults, ";") {
					t.Errorf("%v, before %v, after %v", err, before.Faults, after.Faults)
				}
				return
			}
			if err != nil || strings.Join(healed, ";") != strings.Join(before.Faults, ";") || after.Database != provisioning.DatabaseIntact {
				t.Errorf("healed %v of %v, left %v: %v", healed, before.Faults, after.Faults, err)
			}
			if findings := b.verify(tenant.ID); len(findings) != 0 {
				t.Errorf("%v", findings)
			}
			if _, healed, err := b.Repair(t.Context(), tenant.ID); err != nil || len(healed) != 0 {
				t.Errorf("the second time: %v, %v", healed, err)
			}
			if n := value[int](b, `SELECT count(*) FROM audit_events WHERE action = 'tenant.repair' AND jsonb_array_length(detail->'faults') > 0`); n != 1 {
				t.Errorf("%d events", n)
			}
		})
	}
	t.Run("OnlyALiveTenant", func(t *testing.T) {
		b := setup(t)
		_, _, err := b.Repair(t.Context(), b.archived(inputs("Clinic")).ID)
		wantKind(t, err, provisioning.KindConflict)
		_, _, err = b.Repair(t.Context(), uuid.New())
		wantKind(t, err, provisioning.KindNotFound)
	})
}
