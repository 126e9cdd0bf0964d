package postgres_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func (b fixture) inspect(id uuid.UUID) inspection.Inspection {
	b.T.Helper()
	found, err := b.Inspect(b.T.Context(), []uuid.UUID{id})
	if err != nil || len(found) != 1 {
		b.T.Fatalf("%+v, %v", found, err)
	}
	return found[0]
}

func TestDB_Inspect(t *testing.T) {
	t.Parallel()
	t.Run("ReadsManyTenants", func(t *testing.T) {
		b := setup(t)
		first, second := b.ActiveTenant(postgrestest.Inputs("One")), b.ActiveTenant(postgrestest.Inputs("Two"))
		archived, running := b.archivedTenant(postgrestest.Inputs("Archived")), b.ClaimNew(postgrestest.Inputs("Running")).Tenant
		found, err := b.Inspect(t.Context(), []uuid.UUID{first.ID, uuid.New(), second.ID, archived.ID, running.ID})
		if err != nil || len(found) != 4 {
			t.Fatalf("%+v, %v", found, err)
		}
		for _, i := range found {
			want := inspection.DatabaseInSync
			if i.Tenant.ID == archived.ID || i.Tenant.ID == running.ID {
				want = ""
			}
			stored, err := b.Get(t.Context(), i.Tenant.ID)
			if err != nil || i.Database != want || len(i.DatabaseDrift) != 0 || i.Tenant.Name != stored.Name || !i.Tenant.ActivatedAt.Equal(stored.ActivatedAt) {
				t.Errorf("%+v, stored %+v, %v", i, stored, err)
			}
		}
	})
	t.Run("ReportsMissingSchema", func(t *testing.T) {
		b := setup(t)
		active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		b.Exec(`DROP SCHEMA ` + active.SchemaName + ` CASCADE`)
		if i := b.inspect(active.ID); i.Database != inspection.DatabaseMissing || i.DatabaseDrift[0] != "the schema "+active.SchemaName+" does not exist" {
			t.Errorf("%+v", i)
		}
		_, _, err := b.Repair(t.Context(), active.ID)
		postgrestest.WantKind(t, err, errs.KindPermanent)
		if !strings.Contains(errs.SafeMessage(err), "restore it from a backup") {
			t.Error(err)
		}
	})
	t.Run("ReportsMissingTable", func(t *testing.T) {
		b := setup(t)
		active := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		b.Exec(`DROP TABLE ` + active.SchemaName + `.audit_logs`)
		if i := b.inspect(active.ID); i.Database != inspection.DatabaseMissing || i.DatabaseDrift[0] != "the schema "+active.SchemaName+" has no table audit_logs" {
			t.Errorf("%+v", i)
		}
	})
}

// TestRepair_LeavesOthersObjectsAlone: what a platform adds to the schema of a tenant is neither
// drift nor touched by a repair, whatever role owns it.
func TestRepair_LeavesOthersObjectsAlone(t *testing.T) {
	b := setup(t)
	target := b.ActiveTenant(postgrestest.Inputs("Clinic"))
	names := b.names(target, b.ActiveTenant(postgrestest.Inputs("Other")))
	b.run(names.Replace(asDBA + `CREATE ROLE backend_{{role}} NOLOGIN; GRANT CREATE ON SCHEMA {{schema}} TO {{role}}`))
	b.run(names.Replace(`CREATE TABLE {{schema}}.patients (id int); GRANT SELECT, TRUNCATE ON {{schema}}.patients TO {{role}};
		GRANT USAGE ON SCHEMA {{schema}} TO backend_{{role}}; GRANT ALL ON {{schema}}.users, {{schema}}.patients TO backend_{{role}};
		CREATE FUNCTION {{schema}}.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; GRANT EXECUTE ON FUNCTION {{schema}}.f() TO {{role}};
		CREATE SEQUENCE {{schema}}.numbers; GRANT USAGE ON SEQUENCE {{schema}}.numbers TO {{role}}`))
	b.run(names.Replace(asDBA + `SET ROLE {{role}}; CREATE TABLE {{schema}}.own (id int); CREATE VIEW {{schema}}.own_view AS SELECT id FROM {{schema}}.own;
		RESET ROLE; REVOKE CREATE ON SCHEMA {{schema}} FROM {{role}}`))
	others := func() string {
		return value[string](b, names.Replace(`SELECT string_agg(concat_ws(' ', relname, relowner::regrole, relacl), ';' ORDER BY relname) || (SELECT proacl::text FROM pg_proc WHERE oid = '{{schema}}.f()'::regprocedure)
			FROM pg_class WHERE relnamespace = '{{schema}}'::regnamespace AND relname IN ('patients', 'own', 'own_view', 'numbers')`))
	}
	before := others()
	if i := b.inspect(target.ID); i.Database != inspection.DatabaseInSync || len(i.DatabaseDrift) > 0 {
		t.Errorf("%+v", i)
	}
	if drift := b.verify(target.ID); len(drift) > 0 {
		t.Errorf("%+v", drift)
	}
	b.run(names.Replace(`REVOKE SELECT ON {{schema}}.users FROM {{role}}`))
	_, repaired, err := b.Repair(t.Context(), target.ID)
	if err != nil || len(repaired) != 1 {
		t.Errorf("%v, %v", repaired, err)
	}
	if after := others(); after != before {
		t.Errorf("the repair changed what is not the blueprint's:\n%s\nbefore\n%s", after, before)
	}
	if !value[bool](b, names.Replace(`SELECT has_table_privilege('backend_{{role}}', '{{schema}}.users', 'SELECT')`)) {
		t.Error("the repair took a privilege from the platform's own role")
	}
	b.archiveAndPurge(target) // Schema and role can be dropped.
	b.run(names.Replace(asDBA + `DROP ROLE backend_{{role}}`))
}

func TestDB_Repair(t *testing.T) {
	t.Parallel()
	// {{...}} are names of the tenant.
	for _, c := range []struct{ name, statement, left string }{
		{"RoleDropped", asDBA + `DROP OWNED BY {{role}}; DROP ROLE {{role}}`, ""},
		{"Public", `GRANT SELECT ON {{schema}}.users TO PUBLIC; GRANT USAGE ON SCHEMA {{schema}} TO PUBLIC; GRANT UPDATE (email) ON {{schema}}.users TO PUBLIC`, ""},
		{"OtherTenant", `GRANT SELECT, INSERT ON {{schema}}.users TO {{otherRole}}; GRANT USAGE ON SCHEMA {{schema}} TO {{otherRole}}`, ""},
		{"OwnersFunction", `CREATE FUNCTION {{schema}}.f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'`, ""},
		{"Member", `GRANT {{role}} TO {{otherRole}}`, ""},
		{"Setting", `ALTER ROLE {{role}} SET search_path = 'x'`, ""},
		{"Login", `ALTER ROLE {{role}} LOGIN`, ""},
		{"Groups", `GRANT {{connect}} TO {{role}}`, ""},
		{"More", `GRANT UPDATE, DELETE ON {{schema}}.audit_logs TO {{role}}; GRANT CREATE ON SCHEMA {{schema}} TO {{role}}`, ""},
		{"Less", `REVOKE ALL ON ALL TABLES IN SCHEMA {{schema}} FROM {{role}}; REVOKE USAGE ON SCHEMA {{schema}} FROM {{role}}`, ""},
		{"Columns", `GRANT UPDATE (changes) ON {{schema}}.audit_logs TO {{role}}`, ""},
		{"GrantOption", `GRANT SELECT ON {{schema}}.roles TO {{role}} WITH GRANT OPTION`, ""},
		{"Function", `GRANT EXECUTE ON FUNCTION {{schema}}.audit_chain_{{digest}}() TO {{role}}`, ""},
		{"Owner", asDBA + `ALTER TABLE {{schema}}.users OWNER TO {{role}}; REVOKE SELECT ON {{schema}}.roles FROM {{role}}`, "owns its table users"},
		{"Neighbour", `GRANT USAGE ON SCHEMA {{other}} TO {{role}}`, "has privileges on schema {{other}}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := setup(t)
			target, other := b.ActiveTenant(postgrestest.Inputs("Clinic")), b.ActiveTenant(postgrestest.Inputs("Other"))
			names := b.names(target, other)
			b.run(names.Replace(c.statement))
			before := b.inspect(target.ID)
			if before.Database != inspection.DatabaseDrifted || len(before.DatabaseDrift) == 0 {
				t.Fatalf("%+v", before)
			}
			_, repaired, err := b.Repair(t.Context(), target.ID)
			after := b.inspect(target.ID)
			if c.left != "" {
				postgrestest.WantKind(t, err, errs.KindPermanent)
				if !strings.Contains(errs.SafeMessage(err), names.Replace(c.left)) || strings.Join(after.DatabaseDrift, ";") != strings.Join(before.DatabaseDrift, ";") {
					t.Errorf("%v, before %v, after %v", err, before.DatabaseDrift, after.DatabaseDrift)
				}
				return
			}
			if err != nil || strings.Join(repaired, ";") != strings.Join(before.DatabaseDrift, ";") || after.Database != inspection.DatabaseInSync {
				t.Errorf("repaired %v of %v, remaining %v: %v", repaired, before.DatabaseDrift, after.DatabaseDrift, err)
			}
			if drift := b.verify(target.ID); len(drift) != 0 {
				t.Errorf("%v", drift)
			}
			if _, repaired, err := b.Repair(t.Context(), target.ID); err != nil || len(repaired) != 0 {
				t.Errorf("the second time: %v, %v", repaired, err)
			}
			if n := value[int](b, `SELECT count(*) FROM audit_events WHERE action = 'tenant.repair' AND jsonb_array_length(detail->'faults') > 0`); n != 1 {
				t.Errorf("%d events", n)
			}
		})
	}
	t.Run("NamesTheDBAsStatement", func(t *testing.T) {
		b := setup(t)
		target := b.ActiveTenant(postgrestest.Inputs("Clinic"))
		b.AsSuperuser(`ALTER ROLE ` + target.DatabaseRole + ` SUPERUSER`)
		if _, _, err := b.Repair(t.Context(), target.ID); !testenv.IsSuperuser() {
			postgrestest.WantKind(t, err, errs.KindPermanent)
			statement := `ALTER ROLE "` + target.DatabaseRole + `" PASSWORD NULL NOSUPERUSER`
			if !strings.HasSuffix(errs.SafeMessage(err), "run it as a superuser, and repair again: "+statement) {
				t.Fatal(err)
			}
			b.AsSuperuser(statement)
		}
		if _, _, err := b.Repair(t.Context(), target.ID); err != nil || b.inspect(target.ID).Database != inspection.DatabaseInSync {
			t.Errorf("%v, %+v", err, b.inspect(target.ID))
		}
	})
	t.Run("RejectsTenantThatIsNotLive", func(t *testing.T) {
		b := setup(t)
		_, _, err := b.Repair(t.Context(), b.archivedTenant(postgrestest.Inputs("Clinic")).ID)
		postgrestest.WantKind(t, err, errs.KindConflict)
		_, _, err = b.Repair(t.Context(), uuid.New())
		postgrestest.WantKind(t, err, errs.KindNotFound)
	})
}
