package publish_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
)

// TestVerify_Structure: what is missing and changed is a fault that names the object, what others
// added is listed and no fault.
func TestVerify_Structure(t *testing.T) {
	b := postgrestest.Setup(t)
	publish(t, b, clinic())
	for name, c := range map[string]struct {
		sql, want string
		unmanaged bool
	}{
		"Column":          {`ALTER TABLE {{schema}}.patients DROP COLUMN name CASCADE`, "lacks the column patients.name", false},
		"Type":            {`ALTER TABLE {{schema}}.icd10 ALTER COLUMN description TYPE varchar(20)`, "the column icd10.description in the schema {{schema}} is not as its migrations make it", false},
		"Default":         {`ALTER TABLE {{schema}}.dispensations ALTER COLUMN at DROP DEFAULT`, "the column dispensations.at", false},
		"Constraint":      {`ALTER TABLE {{schema}}.dispensations DROP CONSTRAINT dispensations_patient_id_fkey`, "lacks the constraint dispensations.dispensations_patient_id_fkey", false},
		"Table":           {`DROP TABLE {{schema}}.icd10`, "lacks the table icd10", false},
		"View":            {`CREATE OR REPLACE VIEW {{schema}}.patients_with_email AS SELECT id, name FROM {{schema}}.patients`, "the view patients_with_email", false},
		"Function":        {`CREATE OR REPLACE FUNCTION {{schema}}.patient_count() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT 1::bigint'`, "the function patient_count()", false},
		"TriggerDisabled": {`ALTER TABLE {{schema}}.audit_logs DISABLE TRIGGER audit_chain`, "the trigger audit_logs.audit_chain", false},
		"OwnTable":        {`CREATE TABLE {{schema}}.own (id int PRIMARY KEY)`, "the table own in the schema {{schema}} is not the blueprint's", true},
		"OwnColumn":       {`ALTER TABLE {{schema}}.patients ADD COLUMN own text`, "the column patients.own in", true},
		"OwnIndex":        {`CREATE INDEX own ON {{schema}}.patients (name)`, "the index patients.own in", true},
		"OwnFunction":     {`CREATE FUNCTION {{schema}}.own() RETURNS int LANGUAGE sql AS 'SELECT 1'`, "the function own() in", true},
	} {
		t.Run(name, func(t *testing.T) {
			made := clinicTenant(b, postgrestest.Inputs("Clinic "+name))
			names := strings.NewReplacer("{{schema}}", made.SchemaName)
			b.Exec(names.Replace(c.sql))
			found, err := b.Verify(t.Context(), made.ID)
			b.Must(err)
			matches := 0
			for _, f := range found {
				if strings.Contains(f.Message, names.Replace(c.want)) && f.Unmanaged == c.unmanaged {
					matches++
				}
				if c.unmanaged && !f.Unmanaged {
					t.Errorf("a fault: %s", f.Message)
				}
			}
			if matches != 1 || c.unmanaged && len(found) != 1 {
				t.Errorf("%+v", found)
			}
		})
	}
}

// TestRepair_PlatformGrants: what a role of the platform lacks of the blueprint's grants is drift,
// and comes back with a repair; what it has beside them stays.
func TestRepair_PlatformGrants(t *testing.T) {
	b := postgrestest.Setup(t)
	b.AsSuperuser(`CREATE ROLE repair_backend NOLOGIN`)
	publish(t, b, clinic("blueprint.yaml:\n"+clinicYAML+"grants:\n  - {role: repair_backend, read: all, write: [patients]}\n"))
	made := clinicTenant(b, postgrestest.Inputs("Clinic"))
	table := func(name string) string { return pgx.Identifier{made.SchemaName, name}.Sanitize() }
	may := func(name, privilege string) bool {
		return postgrestest.Value[bool](b, `SELECT has_table_privilege('repair_backend', $1, $2)`, table(name), privilege)
	}
	if !may("patients", "UPDATE") || !may("icd10", "SELECT") || may("icd10", "INSERT") || may("audit_head", "SELECT") {
		t.Error("the role has other privileges than the blueprint grants")
	}
	b.Exec(`REVOKE INSERT ON ` + table("patients") + ` FROM repair_backend; GRANT TRUNCATE ON ` + table("icd10") + ` TO repair_backend`)
	found, err := b.Verify(t.Context(), made.ID)
	if err != nil || len(found) != 1 || !strings.Contains(found[0].Message, "the role repair_backend lacks INSERT on the table patients") {
		t.Errorf("%+v, %v", found, err)
	}
	if _, repaired, err := b.Repair(t.Context(), made.ID); err != nil || len(repaired) != 1 {
		t.Errorf("%v, %v", repaired, err)
	}
	if !may("patients", "INSERT") || !may("icd10", "TRUNCATE") {
		t.Error("the repair did not restore, or took too much")
	}
	wantSound(b, made, 1)
}

// TestPublish_History: published files never change, and two who publish at once do not lose each
// other's migrations.
func TestPublish_History(t *testing.T) {
	b := postgrestest.Setup(t)
	publish(t, b, clinic(addPhone))
	_, err := b.Blueprints.Publish(t.Context(), clinic(strings.Replace(addPhone, "text", "varchar(20)", 1)), true)
	if errs.KindOf(err) != errs.KindInvalid || !strings.Contains(errs.SafeMessage(err), "migrations/0002_more.sql: differs from the published file") {
		t.Errorf("a changed file: %v", err)
	}
	_, err = b.Blueprints.Publish(t.Context(), clinic(), true)
	if errs.KindOf(err) != errs.KindInvalid || !strings.Contains(errs.SafeMessage(err), "migrations/0002_more.sql: was published and is missing") {
		t.Errorf("a missing file: %v", err)
	}
	results := make(chan error, 2)
	for _, column := range []string{"first", "second"} {
		go func() {
			_, err := b.Blueprints.Publish(t.Context(), clinic(addPhone, "ALTER TABLE patients ADD COLUMN "+column+" text;"), false)
			results <- err
		}()
	}
	var refused []error
	for range 2 {
		if err := <-results; err != nil {
			refused = append(refused, err)
		}
	}
	if len(refused) != 1 || errs.KindOf(refused[0]) != errs.KindConflict && errs.KindOf(refused[0]) != errs.KindInvalid {
		t.Errorf("%v", refused)
	}
	if all, err := b.Blueprints.Get(t.Context(), "clinic"); err != nil || len(all.Revisions) != 2 {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestPublish_ReplacesUnused: a migration that fails in each tenant is replaced once new tenants do not
// get it any more, and what a tenant has is never replaced.
func TestPublish_ReplacesUnused(t *testing.T) {
	b := postgrestest.Setup(t)
	made := clinics(b, 1)[0]
	b.AsSuperuser(`INSERT INTO ` + made.SchemaName + `.patients (name) VALUES ('Ada')`)
	const broken, corrected = `ALTER TABLE patients ADD COLUMN insurer text; UPDATE patients SET insurer = 1 / (length(name) - length(name));`, `ALTER TABLE patients ADD COLUMN insurer varchar(20);`
	publish(t, b, clinic("-- +blueprint allow: scans\n"+broken))
	if _, err := b.MigrateTenants(t.Context(), tenantschema.MigrationOptions{}); err == nil || !strings.Contains(err.Error(), "migrations/0002_more.sql") {
		t.Fatalf("the migration did not fail: %v", err)
	}
	// New tenants still get it.
	if _, err := b.Blueprints.Publish(t.Context(), clinic(corrected), true); errs.KindOf(err) != errs.KindInvalid || !strings.Contains(err.Error(), "If no tenant has it yet, activate an older revision, and publish this again") {
		t.Fatal(err)
	}
	if err := b.Blueprints.Activate(t.Context(), "clinic", 1); err != nil {
		t.Fatal(err)
	}
	if status, err := b.Blueprints.Get(t.Context(), "clinic"); err != nil || status.Fixed != 1 {
		t.Errorf("fixed until %d, %v", status.Fixed, err)
	}
	r, err := b.Blueprints.Publish(t.Context(), clinic(corrected), true)
	if err != nil || r.Number != 3 || !r.Active {
		t.Fatalf("%+v, %v", r, err)
	}
	migrate(b, tenantschema.MigrationOptions{})
	wantSound(b, made, 3) // By the structure of the corrected file.
	if err := b.Blueprints.Activate(t.Context(), "clinic", 2); errs.KindOf(err) != errs.KindConflict || !strings.Contains(err.Error(), "as it was before revision 3 replaced it") {
		t.Errorf("a revision with a replaced file: %v", err)
	}
	if err := b.Blueprints.Activate(t.Context(), "clinic", 1); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Blueprints.Publish(t.Context(), clinic(addPhone), true); errs.KindOf(err) != errs.KindInvalid || !strings.Contains(err.Error(), "differs from the published file") {
		t.Errorf("a file that a tenant has: %v", err)
	}
}

// TestPublish_NeverEnds: a migration that does not end is a problem of its line, and leaves no
// session behind.
func TestPublish_NeverEnds(t *testing.T) {
	b := postgrestest.Setup(t)
	_, err := b.Blueprints.WithStatementTimeout(300*time.Millisecond).Publish(t.Context(), clinic("SELECT 1;\nSELECT pg_sleep(600);"), false)
	if errs.KindOf(err) != errs.KindInvalid || !strings.Contains(errs.SafeMessage(err), "migrations/0002_more.sql:3: took longer than 300ms") {
		t.Errorf("%v", err)
	}
	publish(t, b, clinic()) // The connection has its own settings again.
}

// TestPublish_ManyFiles: 500 migrations are published and reach a new tenant.
func TestPublish_ManyFiles(t *testing.T) {
	b := postgrestest.Setup(t)
	var more []string
	for range 499 {
		more = append(more, "CREATE TABLE IF NOT EXISTS extra (id int);")
	}
	if r := publish(t, b, clinic(more...)); r.SchemaVersion != 500 {
		t.Errorf("%d", r.SchemaVersion)
	}
	wantSound(b, clinicTenant(b, postgrestest.Inputs("Clinic")), 1)
}

// TestPublish_Variables: variables may shape rows and defaults, and not the structure.
func TestPublish_Variables(t *testing.T) {
	b := postgrestest.Setup(t)
	yaml := "blueprint.yaml:\n" + clinicYAML + "variables:\n  region: {pattern: \"^(eu|us)$\"}\n  motto: {default: \"it's\"}\n"
	_, err := b.Blueprints.Publish(t.Context(), clinic(yaml, `DO $$ BEGIN EXECUTE format('CREATE TABLE %I (id int)', 'x_' || current_setting('tenant.variables.region')); END $$;`), false)
	if errs.KindOf(err) != errs.KindInvalid || !strings.Contains(errs.SafeMessage(err), "has variables on which the structure depends") {
		t.Errorf("%v", err)
	}
	publish(t, b, clinic(yaml, `CREATE TABLE mottos (text text); INSERT INTO mottos VALUES (current_setting('tenant.variables.motto'));`))
	in := postgrestest.Inputs("Clinic")
	in.Variables = map[string]string{"region": "eu", "motto": "'; DROP TABLE users; --\nsecond line"}
	made := clinicTenant(b, in)
	if got := postgrestest.Value[string](b, `SELECT text FROM `+pgx.Identifier{made.SchemaName, "mottos"}.Sanitize()); got != in.Variables["motto"] {
		t.Errorf("%q", got)
	}
	wantSound(b, made, 1)
}
