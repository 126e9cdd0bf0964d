package provider_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestAccTenant_DatabaseDrift: a plan shows drift of a tenant's role, and an apply
// repairs it in place, or reports why it cannot.
func TestAccTenant_DatabaseDrift(t *testing.T) {
	for _, c := range []struct{ name, statement, words string }{
		{"MissingPrivilege", `REVOKE DELETE ON {{schema}}.users FROM {{role}}`, "on its table users instead of DELETE, INSERT, SELECT, UPDATE"},
		{"ExtraPrivilege", `ALTER ROLE {{role}} BYPASSRLS CREATEDB`, "has CREATEDB, BYPASSRLS"},
		{"RoleDropped", `DROP OWNED BY {{role}}; DROP ROLE {{role}}`, "the role {{role}} does not exist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBothModes(t, func(t *testing.T, m mode) {
				w := setup(t, m, clinic)
				w.mustApply()
				w.assertNoChanges()
				before := w.state("healthcare_tenant.clinic")
				names := strings.NewReplacer("{{schema}}", fmt.Sprint(before["schema_name"]), "{{role}}", fmt.Sprint(before["database_role"]))
				for statement := range strings.SplitSeq(names.Replace(c.statement), ";") {
					w.exec(statement)
				}
				r := w.run("plan", "-no-color", "-detailed-exitcode")
				for _, words := range []string{`database_state = "DRIFTED" -> "IN_SYNC"`, names.Replace(c.words), "It was changed outside Terraform", "0 to add, 1 to change, 0 to destroy"} {
					if r.code != 2 || !strings.Contains(collapseSpace(r.out), words) {
						t.Errorf("exit code %d, want %q in: %s", r.code, words, collapseSpace(r.out))
					}
				}
				w.mustApply().wantText(t, "0 added, 1 changed, 0 destroyed")
				w.assertNoChanges()
				if after := w.state("healthcare_tenant.clinic"); after["database_state"] != "IN_SYNC" || after["updated_at"] != before["updated_at"] {
					t.Errorf("%v", after)
				}
				w.assertOneTenant()
			})
		})
	}

	t.Run("UnrepairableDrift", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, clinic)
			w.mustApply()
			s := w.state("healthcare_tenant.clinic")
			w.exec(fmt.Sprintf(`ALTER TABLE %s.users OWNER TO %s`, s["schema_name"], s["database_role"]))
			owns := fmt.Sprintf("the role %s owns table %s.users", s["database_role"], s["schema_name"])
			w.apply().wantText(t, "Could not repair the database role of tenant", owns, "remove it manually", "its role stays as it is")
			if after := w.state("healthcare_tenant.clinic"); after["database_state"] != "DRIFTED" || after["tainted"] == true {
				t.Errorf("%v", after)
			}
			w.exec(fmt.Sprintf(`ALTER TABLE %s.users OWNER TO CURRENT_USER`, s["schema_name"]))
			w.mustApply()
			w.assertNoChanges()
		})
	})

	t.Run("SchemaMissing", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, clinic)
			w.mustApply()
			schema := fmt.Sprint(w.state("healthcare_tenant.clinic")["schema_name"])
			w.exec(`ALTER SCHEMA ` + schema + ` RENAME TO elsewhere`)
			w.run("plan", "-no-color").wantText(t, "Schema is missing", "the schema "+schema+" does not exist", "Restore the schema with its tables from a backup")
			w.exec(`ALTER SCHEMA elsewhere RENAME TO ` + schema)
			w.assertNoChanges()
			w.exec(`DROP SCHEMA ` + schema + ` CASCADE`)
			if r := w.run("destroy", "-auto-approve", "-no-color", "-refresh=false"); r.code != 0 {
				t.Error(r.out)
			}
		})
	})

	t.Run("RepairsWithOtherChange", func(t *testing.T) {
		inBothModes(t, func(t *testing.T, m mode) {
			w := setup(t, m, clinic)
			w.mustApply()
			s := w.state("healthcare_tenant.clinic")
			w.exec(fmt.Sprintf(`REVOKE SELECT ON %s.roles FROM %s`, s["schema_name"], s["database_role"]))
			w.write("main.tf", header+strings.Replace(clinic, "St. Mary's Clinic", "St. Mary's Hospital", 1))
			w.mustApply().wantText(t, "0 added, 1 changed, 0 destroyed")
			w.assertNoChanges()
			if got := w.text(`SELECT name FROM tenants`); got != "St. Mary's Hospital" || w.state("healthcare_tenant.clinic")["database_state"] != "IN_SYNC" {
				t.Errorf("%s, %v", got, w.state("healthcare_tenant.clinic"))
			}
		})
	})
}

// TestAccTenant_Drift: a plan shows changes that were made outside Terraform.
func TestAccTenant_Drift(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := setup(t, m, clinic)
		w.mustApply()
		w.exec(`UPDATE tenants SET name = 'Renamed', name_key = 'renamed', admin_last_name = 'Hopper'`)
		r := w.run("plan", "-no-color", "-detailed-exitcode")
		for _, words := range []string{`"Renamed" -> "St. Mary's Clinic"`, `"Hopper" -> "Lovelace"`, "0 to add, 1 to change, 0 to destroy"} {
			if r.code != 2 || !strings.Contains(collapseSpace(r.out), words) {
				t.Errorf("exit code %d, want %q in: %s", r.code, words, collapseSpace(r.out))
			}
		}
		w.mustApply()
		w.assertNoChanges()
		w.exec(`UPDATE tenants SET status = 'ARCHIVED', archived_at = now()`)
		if r := w.run("plan", "-no-color", "-detailed-exitcode"); r.code != 2 || !strings.Contains(r.out, "1 to add, 0 to change, 0 to destroy") {
			t.Errorf("exit code %d: %s", r.code, r.out)
		}
	})
}
