package provider_test

import (
	"fmt"
	"strings"
	"testing"
)

const (
	allowPurge   = "provider \"healthcare\" {\n  allow_purge = true\n}\n"
	purgePolicy  = "  deletion_policy = \"PURGE\"\n"
	purgeWarning = "Warning: Data are deleted for good"
)

// purgeable is the clinic with PURGE as its deletion_policy.
func purgeable(lines string) string { return header + allowPurge + clinicWith(purgePolicy+lines) }

// archivable is the clinic with ARCHIVE.
func archivable(lines string) string { return header + allowPurge + clinicWith(lines) }

// setupPurge applies a tenant that a destroy purges, and returns its id and schema.
func setupPurge(t *testing.T, m mode, lines string) (w *testEnv, id, schema string) {
	t.Helper()
	w = setup(t, m, "")
	w.env["ALLOW_EARLY_PURGE"] = "true"
	w.write("main.tf", purgeable(lines))
	w.mustApply()
	state := w.state(clinicAddress)
	return w, fmt.Sprint(state["id"]), fmt.Sprint(state["schema_name"])
}

// failPurge destroys the clinic, so that it is archived and its purge fails. What restore makes good
// lets a purge succeed again.
func (w *testEnv) failPurge() (restore func()) {
	w.t.Helper()
	restore = w.registry.HideMigrations()
	r := w.run("destroy", "-auto-approve", "-no-color")
	r.wantText(w.t, purgeWarning, "Could not purge tenant", "is archived, has its data, and stays in the state", "it continues with the purge", "set deletion_policy = \"ARCHIVE\" and apply that", "tenant-api tenants unarchive")
	if got := w.state(clinicAddress); r.code != 1 || got["status"] != "ARCHIVED" {
		w.t.Fatalf("destroy ends with %d, the state has %v: %s", r.code, got["status"], r.out)
	}
	return restore
}

func (w *testEnv) hasSchema(schema string) bool {
	w.t.Helper()
	return w.count(`SELECT count(*) FROM pg_namespace WHERE nspname = $1`, schema) == 1
}

// wantWarning plans, and wants the warning and no replacement.
func (w *testEnv) wantWarning(texts ...string) {
	w.t.Helper()
	r := w.run("plan", "-no-color")
	r.wantText(w.t, texts...)
	if r.code != 0 || strings.Contains(r.out, "forces replacement") || strings.Contains(r.out, purgeWarning) {
		w.t.Errorf("plan ends with %d: %s", r.code, r.out)
	}
}

// TestCLITenant_PurgeChangedMind: after a purge that failed, no plan deletes data unless the
// configuration still says PURGE.
func TestCLITenant_PurgeChangedMind(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w, id, schema := setupPurge(t, m, "")
		w.failPurge()()
		way := "tenant-api tenants unarchive " + id

		w.write("main.tf", archivable(""))
		w.wantWarning("Warning: Tenant is archived", way, "terraform state rm ADDRESS", "0 to add, 1 to change, 0 to destroy")
		w.mustApply()
		if got := w.state(clinicAddress); got["deletion_policy"] != "ARCHIVE" || got["status"] != "ARCHIVED" || !w.hasSchema(schema) {
			t.Fatalf("the state has %v, the schema is there: %v", got, w.hasSchema(schema))
		}
		w.wantWarning("Warning: Tenant is archived", way, "No changes")
		w.write("main.tf", strings.Replace(archivable(""), "Lovelace", "Hopper", 1))
		w.apply().wantText(t, "Could not update tenant", "it is ARCHIVED since a destroy whose purge was refused or failed", way)

		w.write("main.tf", archivable(""))
		w.moveTenant(id, "unarchive")
		w.mustApply()
		w.assertNoChanges()
		if got := w.state(clinicAddress); got["status"] != "ACTIVE" || got["id"] != id {
			t.Errorf("%v", got)
		}
		if r := w.run("destroy", "-auto-approve", "-no-color"); r.code != 0 || strings.Contains(r.out, purgeWarning) || !w.hasSchema(schema) {
			t.Errorf("destroy ends with %d, the schema is there: %v: %s", r.code, w.hasSchema(schema), r.out)
		}
	})
}

// TestCLITenant_PurgeMarkEnds: what an earlier destroy began is forgotten when the tenant is live again.
func TestCLITenant_PurgeMarkEnds(t *testing.T) {
	w, id, schema := setupPurge(t, databaseMode, "")
	w.failPurge()()
	w.moveTenant(id, "unarchive")
	w.mustApply()
	w.assertNoChanges()
	w.moveTenant(id, "archive")
	w.wantWarning("Warning: Tenant was archived elsewhere", "tenant-api tenants unarchive "+id, "1 to add, 0 to change, 0 to destroy")
	w.mustApply()
	if !w.hasSchema(schema) {
		t.Error("the schema was dropped")
	}
	other := fmt.Sprint(w.state(clinicAddress)["id"])
	w.moveTenant(other, "archive")
	w.env["PURGE_RETENTION"] = "0s"
	w.tenantAPI("tenants", "purge", other, "--confirm", "St. Mary's Clinic")
	w.wantWarning("Warning: Tenant was purged elsewhere", other, "its data are deleted for good")
}

// TestCLITenant_PurgeContinues: as long as the configuration says PURGE, destroy continues, and so does
// an apply, which says what it deletes.
func TestCLITenant_PurgeContinues(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		const external = "  external_id = \"crm-1\"\n"
		w, id, schema := setupPurge(t, m, external)
		w.failPurge()()
		r := w.mustApply()
		r.wantText(t, purgeWarning, id, schema, "1 to add, 0 to change, 1 to destroy")
		if w.hasSchema(schema) || w.state(clinicAddress)["id"] == id {
			t.Errorf("the schema is there: %v, the state has %v", w.hasSchema(schema), w.state(clinicAddress))
		}

		schema = fmt.Sprint(w.state(clinicAddress)["schema_name"])
		w.failPurge()()
		if r := w.run("plan", "-destroy", "-no-color"); r.code != 0 {
			t.Errorf("plan -destroy ends with %d: %s", r.code, r.out)
		}
		r = w.run("destroy", "-auto-approve", "-no-color")
		r.wantText(t, purgeWarning, schema)
		if r.code != 0 || w.hasSchema(schema) || w.state(clinicAddress) != nil {
			t.Errorf("destroy ends with %d, the schema is there: %v: %s", r.code, w.hasSchema(schema), r.out)
		}
	})
}

// TestCLITenant_PurgeIsAnnounced: a plan that purges says so, and what no plan announced is not purged.
func TestCLITenant_PurgeIsAnnounced(t *testing.T) {
	const address = "healthcare_tenant.clinic"
	for name, c := range map[string]struct {
		arguments []string // Of the apply.
		taint     bool
		after     string
		purged    bool
	}{
		"NewExternalID":      {after: purgeable("  external_id = \"crm-2\"\n"), purged: true},
		"Replace":            {arguments: []string{"-replace=" + address}, after: purgeable("")},
		"Tainted":            {taint: true, after: purgeable("  external_id = \"crm-1\"\n"), purged: true},
		"Removed":            {after: header + allowPurge, purged: true},
		"ChangedMind":        {after: archivable("  external_id = \"crm-2\"\n")},
		"TaintedChangedMind": {taint: true, after: archivable("  external_id = \"crm-2\"\n")},
		"TaintedRenamed":     {taint: true, after: strings.Replace(purgeable("  external_id = \"crm-2\"\n"), "St. Mary's Clinic", "Another Clinic", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			before := "  external_id = \"crm-1\"\n"
			if name == "Replace" { // With an external id, it is refused.
				before = ""
			}
			w, id, schema := setupPurge(t, databaseMode, before)
			w.write("main.tf", c.after)
			if c.taint {
				w.run("taint", address)
			}
			plan := w.run(append([]string{"plan", "-no-color"}, c.arguments...)...)
			if announced := strings.Contains(plan.out, purgeWarning) && strings.Contains(plan.out, id) && strings.Contains(plan.out, schema); announced != c.purged || plan.code != 0 {
				t.Errorf("the plan ends with %d, announces: %v: %s", plan.code, announced, plan.out)
			}
			r := w.mustApply(c.arguments...)
			if w.hasSchema(schema) == c.purged {
				t.Errorf("the schema is there: %v: %s", w.hasSchema(schema), r.out)
			}
			if name == "TaintedRenamed" || name == "Replace" {
				r.wantText(t, "Warning: Tenant is archived, not purged", "tenant-api tenants purge "+id)
			}
		})
	}
}
