package publish_test

import (
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
)

// TestValidate_ReadsSettings: what would read a blueprint's settings in the application's sessions,
// which do not have them, is refused.
func TestValidate_ReadsSettings(t *testing.T) {
	b := postgrestest.Setup(t)
	yaml := "blueprint.yaml:\n" + clinicYAML + "variables:\n  region: {default: eu}\n"
	for name, c := range map[string]struct{ sql, want string }{
		"Default":   {"SELECT 1;\nCREATE TABLE x (id int, region text DEFAULT current_setting('tenant.variables.region'));", "migrations/0002_more.sql:3: makes the column x.region, which reads tenant.variables.region each time that it is used"},
		"DefaultID": {"CREATE TABLE x (tenant uuid DEFAULT current_setting('tenant.id')::uuid);", "makes the column x.tenant, which reads tenant.id"},
		"Check":     {"CREATE TABLE x (region text CONSTRAINT home CHECK (region = current_setting('tenant.variables.region')));", "migrations/0002_more.sql:2: makes the constraint x.home"},
		"Policy":    {"CREATE POLICY own ON patients USING (name = current_setting('tenant.variables.region'));", "migrations/0002_more.sql:2: makes the policy patients.own"},
		"View":      {"CREATE VIEW mine AS SELECT name, current_setting('tenant.variables.region') AS region FROM patients;", "makes the view mine"},
		"Later":     {"DO $$ BEGIN EXECUTE format('ALTER TABLE patients ALTER COLUMN email SET DEFAULT current_setting(%L)', 'tenant.' || 'id'); END $$;", "blueprint.yaml: makes the column patients.email, which reads tenant.id"},

		"Literal":   {"DO $$ BEGIN EXECUTE format('ALTER TABLE patients ALTER COLUMN email SET DEFAULT %L', current_setting('tenant.variables.region')); END $$;", ""},
		"Optional":  {"ALTER TABLE patients ALTER COLUMN email SET DEFAULT current_setting('tenant.variables.region', true);", ""},
		"OwnPolicy": {"CREATE POLICY own ON patients USING (name = current_setting('tenant.id'));", ""},
		"Row":       {"INSERT INTO patients (name) VALUES (current_setting('tenant.variables.region'));", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.Blueprints.Validate(t.Context(), clinic(yaml, c.sql))
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestPublish_VariableDefaults: variables may shape the default values of columns, which are no
// drift then, and no other part of the structure.
func TestPublish_VariableDefaults(t *testing.T) {
	b := postgrestest.Setup(t)
	yaml := "blueprint.yaml:\n" + clinicYAML + "variables:\n  region: {default: eu, pattern: '^(eu|us)$'}\n"
	const table = `CREATE TABLE places (id int, region varchar(9) COLLATE "C" NOT NULL, code int DEFAULT 7);` + "\n"
	set := func(format string) string {
		return table + "DO $$ BEGIN EXECUTE format('" + format + "', current_setting('tenant.variables.region')); END $$;"
	}
	_, err := b.Blueprints.Validate(t.Context(), clinic(yaml, set("ALTER TABLE places ADD COLUMN %I int")))
	if err == nil || !strings.Contains(err.Error(), `has variables on which the structure depends: ["column places.eu" "column places.us"]; they may shape rows and default values alone`) {
		t.Errorf("%v", err)
	}
	publish(t, b, clinic(yaml, set("ALTER TABLE places ALTER COLUMN region SET DEFAULT %L")))
	for _, region := range []string{"eu", "us"} {
		in := postgrestest.Inputs("Clinic " + region)
		in.Variables = map[string]string{"region": region}
		made := clinicTenant(b, in)
		if drift, err := b.Verify(t.Context(), made.ID); err != nil || len(drift) > 0 {
			t.Errorf("%s: %+v, %v", region, drift, err)
		}
		places := made.SchemaName + ".places"
		if got := postgrestest.Value[string](b, `INSERT INTO `+places+` (id) VALUES (1) RETURNING region`); got != region {
			t.Errorf("%s is the default of %s", got, region)
		}
		for _, change := range []string{`ALTER COLUMN code SET DEFAULT 8`, `ALTER COLUMN region DROP NOT NULL`, `ALTER COLUMN code SET DEFAULT 7, ALTER COLUMN region SET NOT NULL, ALTER COLUMN region DROP DEFAULT`} {
			b.Exec(`ALTER TABLE ` + places + ` ` + change)
			if drift, err := b.Verify(t.Context(), made.ID); err != nil || len(drift) == 0 {
				t.Errorf("%s: %+v, %v", change, drift, err)
			}
		}
	}
}
