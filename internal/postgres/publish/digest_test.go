package publish_test

import (
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
)

// digestSQL is a DO block that has the name {{name}}, which ends in the digest of the schema's name.
func digestSQL(name, code string) string {
	return "-- +goose StatementBegin\nDO $do$\nDECLARE\n    name text := '" + name + "_' || left(encode(sha256(convert_to(current_schema(), 'UTF8')), 'hex'), 8);\nBEGIN\n" + code + "\nEND $do$;\n-- +goose StatementEnd\n"
}

// namedFunctions is a migration with a function that tenants execute, and one of a trigger.
var namedFunctions = digestSQL("find_patient", `    EXECUTE 'CREATE FUNCTION ' || name || $function$(wanted text) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT min(id) FROM patients p WHERE p.name = wanted' $function$;`) +
	digestSQL("upper_name", `    EXECUTE 'CREATE FUNCTION ' || name || $function$() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := upper(NEW.name); RETURN NEW; END $$ $function$;
    EXECUTE 'CREATE TRIGGER upper_name BEFORE INSERT ON patients FOR EACH ROW EXECUTE FUNCTION ' || name || '()';`)

// TestPublish_FunctionsNamedByDigest: functions of a blueprint whose names have the digest of each schema's
// name are the same function in all tenants: with privileges, compared, and named as they are.
func TestPublish_FunctionsNamedByDigest(t *testing.T) {
	b := postgrestest.Setup(t)
	publish(t, b, clinic())
	older := clinicTenant(b, postgrestest.Inputs("Older"))
	publish(t, b, clinic(namedFunctions))
	if got := postgrestest.Value[string](b, `SELECT string_agg(f->>'signature', ' ' ORDER BY f->>'signature') FROM blueprint_revisions, jsonb_array_elements(objects->'functions') f WHERE revision = 2`); got !=
		"audit_chain_{{digest}}() find_patient_{{digest}}(wanted text) patient_count() upper_name_{{digest}}()" {
		t.Error(got)
	}
	newer := clinicTenant(b, postgrestest.Inputs("Newer"))
	if report, err := b.MigrateTenants(t.Context(), tenantschema.MigrationOptions{}); err != nil || report.Migrated != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	for _, made := range []struct {
		id           uuid.UUID
		schema, role string
	}{{older.ID, older.SchemaName, older.DatabaseRole}, {newer.ID, newer.SchemaName, newer.DatabaseRole}} {
		find := made.schema + ".find_patient_" + blueprintsql.Digest(made.schema) + "(text)"
		for function, want := range map[string]bool{find: true, made.schema + ".upper_name_" + blueprintsql.Digest(made.schema) + "()": false} {
			for role, want := range map[string]bool{made.role: want, "public": false} {
				if got := postgrestest.Value[bool](b, `SELECT has_function_privilege($1, $2::regprocedure, 'EXECUTE')`, role, function); got != want {
					t.Errorf("%s may execute %s: %t", role, function, got)
				}
			}
		}
		if drift, err := b.Verify(t.Context(), made.id); err != nil || len(drift) > 0 {
			t.Errorf("%+v, %v", drift, err)
		}
		b.Exec(`REVOKE EXECUTE ON FUNCTION ` + find + ` FROM ` + made.role)
		drift, err := b.Verify(t.Context(), made.id)
		if want := "has nothing on its function find_patient_" + blueprintsql.Digest(made.schema) + "(wanted text) instead of EXECUTE"; err != nil || len(drift) != 1 || !strings.Contains(drift[0].Message, want) {
			t.Errorf("%+v, %v", drift, err)
		}
		if _, repaired, err := b.Repair(t.Context(), made.id); err != nil || len(repaired) != 1 {
			t.Errorf("%v, %v", repaired, err)
		}
		b.Exec(`INSERT INTO ` + made.schema + `.patients (name) VALUES ('ada')`)
		if got := postgrestest.Value[string](b, `SELECT name FROM `+made.schema+`.patients`); got != "ADA" {
			t.Error(got)
		}
		b.AsSuperuser(`ALTER FUNCTION ` + find + ` OWNER TO CURRENT_USER`)
	}
	states, err := b.RoleStates(t.Context(), uuid.Nil, 10)
	b.Must(err)
	for _, s := range states {
		if want := "find_patient_" + blueprintsql.Digest(s.Tenant.SchemaName) + "(wanted text)"; len(s.ForeignOwned) != 1 || s.ForeignOwned[0].Object != want {
			t.Errorf("%+v, want %s", s.ForeignOwned, want)
		}
	}
}

// TestValidate_NamesBySchema: other names that depend on the schema are refused, as no tenant could have
// them, and so is what the parser cannot see in code.
func TestValidate_NamesBySchema(t *testing.T) {
	b := postgrestest.Setup(t)
	function := func(name, options string) string {
		return `DO $do$ BEGIN EXECUTE 'CREATE FUNCTION ' || ` + name + ` || '() RETURNS int LANGUAGE sql ` + options + ` AS ''SELECT 1'''; END $do$;`
	}
	for name, c := range map[string]struct{ sql, want string }{
		"Table":    {digestSQL("notes", "EXECUTE 'CREATE TABLE ' || name || ' (id int)';"), "makes the table notes_{{digest}}, which has the digest of the schema's name in its name"},
		"Braces":   {`CREATE TABLE "a{{digest}}" (id int);`, "makes the table a{{digest}}, which has {{ in its name"},
		"Other":    {function("'f_' || left(encode(sha256('x' || convert_to(current_schema(), 'UTF8')), 'hex'), 8)", ""), `makes another structure in each schema: ["function f_`},
		"Whole":    {function("current_schema()", ""), "makes another structure in each schema"},
		"TooLong":  {function("repeat('f', 58) || '_' || left(encode(sha256(convert_to(current_schema(), 'UTF8')), 'hex'), 8)", ""), "makes another structure in each schema"},
		"Definer":  {function("'f'", "SECU' || 'RITY DEFINER"), "makes the function f() with SECURITY DEFINER"},
		"Function": {namedFunctions, ""},
		"Renamed":  {digestSQL("patient_count", "EXECUTE 'ALTER FUNCTION patient_count() RENAME TO ' || name;"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.Blueprints.Validate(t.Context(), clinic(c.sql))
			switch {
			case c.want == "" && err != nil, c.want != "" && (errs.KindOf(err) != errs.KindInvalid || !strings.Contains(errs.SafeMessage(err), c.want)):
				t.Errorf("%v", err)
			}
		})
	}
}
