package provider_test

import (
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// TestCLITenant_DestroyIsNotStopped: what speaks against creating or changing a tenant stops no destroy.
// Before a destroy Terraform plans as for an apply, to refresh the state, which the acceptance framework
// leaves out: only the real CLI shows it.
func TestCLITenant_DestroyIsNotStopped(t *testing.T) {
	const external = `  external_id = "e-1"`
	two := tenantConfig("one", "Clinic 1", external) + tenantConfig("two", "Clinic 2")
	for name, c := range map[string]struct {
		before, after string // after: that of the plan, if it is another one.
		happens       func(w *testEnv, id string)
		left          int    // Live tenants after the destroy.
		warning       string // Of a plan of an apply,
		refused       string // and what the apply says.
	}{
		"ArchivedElsewhere": {before: two, happens: func(w *testEnv, id string) { w.moveTenant(id, "archive") },
			warning: "Warning: Could not create tenant", refused: "a tenant with this external id exists already"},
		"TaintedLive": {before: two, happens: func(w *testEnv, _ string) { w.run("taint", "healthcare_tenant.one") },
			warning: "Warning: Could not create tenant", refused: "an external_id stays with the archived tenant"},
		"OutsideTheState": {before: two, happens: func(w *testEnv, _ string) { w.run("state", "rm", "healthcare_tenant.one") }, left: 1,
			warning: "Warning: Could not create tenant", refused: "a tenant with this external id exists already"},
		"SchemaMissing": {before: two, happens: func(w *testEnv, _ string) {
			w.exec(`ALTER SCHEMA ` + w.registry.Named("Clinic 1").SchemaName + ` RENAME TO elsewhere`)
		}, warning: "Warning: Schema is missing", refused: "Error: Schema is missing"},
		"NameUsedTwice": {before: two, after: two + tenantConfig("three", "Clinic 3") + tenantConfig("four", "clinic 3"),
			warning: "Warning: Name is used twice", refused: "Error: Name is used twice"},
		"NamesSwapped": {before: two, after: tenantConfig("one", "Clinic 2", external) + tenantConfig("two", "Clinic 1"),
			warning: "Warning: Names are swapped", refused: "Error: Names are swapped"},
		"NameLooksLikeAnother": {before: two, after: two + tenantConfig("three", "Сlinic 1"),
			warning: "Warning: Name looks like another", refused: "Error: "},
		"AnotherBlueprint": {before: two, after: tenantConfig("one", "Clinic 1", external, `  blueprint = "other"`) + tenantConfig("two", "Clinic 2"),
			warning: "Warning: Blueprint cannot change", refused: "Error: Blueprint cannot change"},
		"ReplacedByTakenID": {before: tenantConfig("one", "Clinic 1", external) + tenantConfig("two", "Clinic 2", `  external_id = "e-2"`),
			after:   tenantConfig("one", "Clinic 1", `  external_id = "e-2"`) + tenantConfig("two", "Clinic 2", `  external_id = "e-2"`),
			warning: "Warning: Could not create tenant", refused: "a tenant with this external id exists already"},
	} {
		t.Run(name, func(t *testing.T) {
			w := setup(t, databaseMode, c.before)
			w.mustApply()
			id := w.registry.Named("Clinic 1").ID
			if c.happens != nil {
				c.happens(w, id)
			}
			if c.after != "" {
				w.write("main.tf", header+c.after)
			}
			live := w.registry.Count(tenant.StatusActive)
			r := w.run("plan", "-no-color")
			r.wantText(t, c.warning, "The apply refuses this resource, and goes on with the others")
			if r.code != 0 {
				t.Errorf("plan ends with %d: %s", r.code, r.out)
			}
			r = w.apply()
			r.wantText(t, c.refused)
			if now := w.registry.Count(tenant.StatusActive); r.code != 1 || now < live {
				t.Errorf("apply ends with %d, %d tenants of %d are live: %s", r.code, now, live, r.out)
			}

			if r := w.run("plan", "-destroy", "-no-color"); r.code != 0 {
				t.Errorf("plan -destroy ends with %d: %s", r.code, r.out)
			}
			r = w.run("destroy", "-auto-approve", "-no-color")
			if now := w.registry.Count(tenant.StatusActive); r.code != 0 || now != c.left || strings.Contains(r.out, "Error:") {
				t.Errorf("destroy ends with %d, %d tenants are live: %s", r.code, now, r.out)
			}
		})
	}
}
