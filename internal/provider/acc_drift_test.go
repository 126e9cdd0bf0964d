package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/plancheck"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// execOn runs statements with the schema and the role of a tenant in the state in place of
// {{schema}} and {{role}}.
func (w *testEnv) execOn(tenant map[string]any, statements ...string) {
	w.t.Helper()
	for _, statement := range statements {
		w.exec(w.withNames(tenant, statement))
	}
}

// execAsDBA is execOn for the server's superuser. {{user}} is the provider's.
func (w *testEnv) execAsDBA(tenant map[string]any, statements ...string) {
	w.t.Helper()
	superuser := testenv.Connect(w.t, testenv.SuperuserURL(w.t, w.pg.Config().ConnString()))
	for _, statement := range statements {
		if _, err := superuser.Exec(w.t.Context(), w.withNames(tenant, statement)); err != nil {
			w.t.Fatalf("%s: %v", statement, err)
		}
	}
}

func (w *testEnv) withNames(tenant map[string]any, statement string) string {
	return strings.NewReplacer("{{schema}}", fmt.Sprint(tenant["schema_name"]), "{{role}}", fmt.Sprint(tenant["database_role"]),
		"{{user}}", w.pg.Config().User).Replace(statement)
}

// TestAccTenant_DatabaseDrift: a plan shows drift of a tenant's role, and an apply
// repairs it in place, or reports why it cannot. TestCLITenant_DriftWarnings has the
// reasons that a plan prints.
func TestAccTenant_DatabaseDrift(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		repaired := planned(clinic, wantChange("database_state", "DRIFTED", "IN_SYNC"))
		hospital := strings.Replace(clinic, "St. Mary's Clinic", "St. Mary's Hospital", 1)
		var updated, schema string
		w.test(
			applied(clinic, wantAttribute("database_state", "IN_SYNC")),
			after(func() {
				updated, schema = fmt.Sprint(w.stored()["updated_at"]), fmt.Sprint(w.stored()["schema_name"])
				w.execOn(w.stored(), `REVOKE DELETE ON {{schema}}.users FROM {{role}}`)
			}, repaired),
			after(func() { w.execOn(w.stored(), `ALTER ROLE {{role}} LOGIN`) }, repaired),
			after(func() { w.execAsDBA(w.stored(), `DROP OWNED BY {{role}}`, `DROP ROLE {{role}}`) }, repaired),
			between(func() {
				if s := w.stored(); s["database_state"] != "IN_SYNC" || s["updated_at"] != updated {
					t.Errorf("%v", s)
				}
			}),
			after(func() { w.execAsDBA(w.stored(), `ALTER TABLE {{schema}}.users OWNER TO {{role}}`) },
				w.refusedAtApply(clinic, "Could not repair the database role of tenant", "the role st_marys_clinic_", "owns its table users", "remove it manually", "its role stays as it is")),
			between(func() {
				if s := w.stored(); s["database_state"] != "DRIFTED" || s["tainted"] == true {
					t.Errorf("%v", s)
				}
				w.execAsDBA(w.stored(), `ALTER TABLE {{schema}}.users OWNER TO {{user}}`, `REVOKE SELECT ON {{schema}}.roles FROM {{role}}`)
			}),
			// A repair and another change.
			planned(hospital, wantChange("name", "St. Mary's Clinic", "St. Mary's Hospital"), wantChange("database_state", "DRIFTED", "IN_SYNC")),
			after(func() { w.exec(`ALTER SCHEMA ` + schema + ` RENAME TO elsewhere`) },
				w.refusedAtApply(hospital, "Schema is missing", "the schema st_marys_clinic_", "does not exist", "Restore the schema with its tables from a backup")),
			after(func() { w.exec(`ALTER SCHEMA elsewhere RENAME TO ` + schema) },
				planned(hospital, plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionNoop))),
			between(func() { w.exec(`DROP SCHEMA ` + schema + ` CASCADE`) }), // It can be archived nevertheless.
		)
	})
}

// TestAccTenant_Drift: a plan shows changes that were made outside Terraform. A tenant
// that was archived or is gone is planned as a new one.
func TestAccTenant_Drift(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		created := planned(clinic, plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionCreate))
		w.test(
			applied(clinic),
			after(func() {
				w.registry.Rename("Renamed", "Hopper")
			}, planned(clinic, wantChange("name", "Renamed", "St. Mary's Clinic"), wantChange("admin_last_name", "Hopper", "Lovelace"))),
			after(func() { w.registry.Archive(0) }, created),
			after(func() { w.registry.DeleteTenants() }, w.refused(clinic, "had it, and does not have it any more: it was restored from a backup, or rows were deleted", "platform accept-restore")),
			after(func() { w.platform("accept-restore", "--reason", "Deleted by a test") }, created),
			between(func() { w.registry.DeleteTenants(); w.platform("accept-restore", "--reason", "Again") }), // There is nothing to archive.
		)
	})
}
