package publish_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantschema"
)

// TestSuspend_PlatformGrants: roles of the platform lose the schema of a suspended tenant, a
// migration does not grant it again, and giving it to them by hand is drift.
func TestSuspend_PlatformGrants(t *testing.T) {
	b := postgrestest.Setup(t)
	b.AsSuperuser(`CREATE ROLE suspend_app NOLOGIN`)
	files := "blueprint.yaml:\n" + clinicYAML + "grants:\n  - {role: suspend_app, read: all, write: [patients]}\n"
	publish(t, b, clinic(files))
	made, other := clinicTenant(b, postgrestest.Inputs("Clinic")), clinicTenant(b, postgrestest.Inputs("Other"))
	may := func(schema string) bool {
		return postgrestest.Value[bool](b, `SELECT has_schema_privilege('suspend_app', $1, 'USAGE')`, schema)
	}
	_, warnings, err := b.Suspend(t.Context(), made.ID)
	if err != nil || len(warnings) != 0 || may(made.SchemaName) || !may(other.SchemaName) {
		t.Fatalf("%v, %v, %v, %v", warnings, err, may(made.SchemaName), may(other.SchemaName))
	}
	wantSound(b, made, 1)
	publish(t, b, clinic(files, addPhone))
	migrate(b, tenantschema.MigrationOptions{})
	wantSound(b, made, 2)
	if may(made.SchemaName) {
		t.Error("the migration gave the schema back")
	}
	b.Exec(`GRANT USAGE ON SCHEMA ` + made.SchemaName + ` TO suspend_app`)
	found, err := b.Verify(t.Context(), made.ID)
	if err != nil || len(found) != 1 || found[0].Message != "the role suspend_app may use the schema, although the tenant is suspended" {
		t.Errorf("%+v, %v", found, err)
	}
	if _, repaired, err := b.Repair(t.Context(), made.ID); err != nil || len(repaired) != 1 || may(made.SchemaName) {
		t.Errorf("%v, %v", repaired, err)
	}
	b.Exec(`REVOKE ALL ON ` + made.SchemaName + `.patients FROM suspend_app`)
	if _, repaired, err := b.Repair(t.Context(), made.ID); err != nil || len(repaired) != 1 || may(made.SchemaName) {
		t.Errorf("a table's privileges: %v, %v", repaired, err)
	}
	if _, err := b.Resume(t.Context(), made.ID); err != nil || !may(made.SchemaName) {
		t.Error(err)
	}
	wantSound(b, made, 2)

	b.AsSuperuser(`ALTER ROLE suspend_app SUPERUSER`)
	if _, warnings, err = b.Suspend(t.Context(), made.ID); err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], "the role suspend_app can still use the schema") {
		t.Errorf("%v, %v", warnings, err)
	}
	b.AsSuperuser(`ALTER ROLE suspend_app NOSUPERUSER`)
}

// TestMigrate_Hold: a migration that deletes data is refused for a held tenant, and recorded; other
// tenants and other migrations go on.
func TestMigrate_Hold(t *testing.T) {
	b := postgrestest.Setup(t)
	publish(t, b, clinic())
	held, other := clinicTenant(b, postgrestest.Inputs("Held")), clinicTenant(b, postgrestest.Inputs("Other"))
	if _, err := b.SetHold(t.Context(), held.ID, "Case 17"); err != nil {
		t.Fatal(err)
	}
	publish(t, b, clinic(addPhone))
	migrate(b, tenantschema.MigrationOptions{})
	wantSound(b, held, 2)
	publish(t, b, clinic(addPhone, `ALTER TABLE patients DROP COLUMN phone;`))
	_, err := b.MigrateTenants(t.Context(), tenantschema.MigrationOptions{})
	if err == nil || !strings.Contains(err.Error(), "migrations/0003_more.sql deletes column patients.phone, and the tenant is under a legal hold since ") {
		t.Errorf("%v", err)
	}
	wantSound(b, other, 3)
	wantSound(b, held, 2)
	events, err := b.Events(t.Context(), held.ID, 0, 100)
	b.Must(err)
	last := events[len(events)-1]
	if last.Action != tenantschema.AuditMigrate || last.Outcome != audit.OutcomeRejected || !strings.Contains(fmt.Sprint(last.Detail["error"]), "legal hold") {
		t.Errorf("%+v", last)
	}
	if _, err := b.ClearHold(t.Context(), held.ID, "Closed"); err != nil {
		t.Fatal(err)
	}
	migrate(b, tenantschema.MigrationOptions{})
	wantSound(b, held, 3)
}
