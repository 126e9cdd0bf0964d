package provider_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
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

// holdTables lets another session hold the tables of the clinic, in a transaction that is open until
// release. Nothing but the purge itself finds out.
func (w *testEnv) holdTables() (release func()) {
	w.t.Helper()
	tx, err := testenv.Connect(w.t, testenv.SuperuserURL(w.t, w.env["DATABASE_URL"])).Begin(w.t.Context())
	if err == nil {
		_, err = tx.Exec(w.t.Context(), `LOCK TABLE `+pgx.Identifier{w.registry.Tenant().SchemaName, "users"}.Sanitize()+` IN ACCESS SHARE MODE`)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return func() {
		if err := tx.Rollback(w.t.Context()); err != nil {
			w.t.Error(err)
		}
	}
}

// failPurge destroys the clinic, so that it is archived and its purge fails. What restore makes good
// lets a purge succeed again.
func (w *testEnv) failPurge() (restore func()) {
	w.t.Helper()
	restore = w.holdTables()
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

// TestCLITenant_PurgeRefusedArchivesNothing: what is known before anything is changed leaves the tenant
// live: a hold that was set after the plan, objects of others, a server or a key that does not permit it.
func TestCLITenant_PurgeRefusedArchivesNothing(t *testing.T) {
	refused := func(t *testing.T, w *testEnv, id string, texts ...string) {
		t.Helper()
		r := w.run("destroy", "-auto-approve", "-no-color", "-refresh=false") // As it was planned.
		r.wantText(t, append(texts, "Could not purge tenant", "Nothing was changed: the tenant ("+id+") is ACTIVE, and stays in the state", "set deletion_policy = \"ARCHIVE\" and apply that first")...)
		if got := w.registry.Tenant(); r.code != 1 || got.Status != "ACTIVE" || w.state(clinicAddress)["status"] != "ACTIVE" {
			t.Errorf("destroy ends with %d, the tenant is %s: %s", r.code, got.Status, r.out)
		}
	}
	inBothModes(t, func(t *testing.T, m mode) {
		w, id, schema := setupPurge(t, m, "")
		w.moveTenant(id, "hold set", "--reason", "Case 17")
		refused(t, w, id, "Case 17")
		if w.registry.Refusals(id, audit.ActionPurge) == 0 {
			t.Error("the refusal is not recorded")
		}
		w.moveTenant(id, "hold clear", "--reason", "Closed")
		dba := testenv.Connect(t, testenv.SuperuserURL(t, w.env["DATABASE_URL"]))
		run := func(statement string) {
			t.Helper()
			if _, err := dba.Exec(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		run(`CREATE SCHEMA reporting; CREATE VIEW reporting.people AS SELECT email FROM ` + schema + `.users`)
		refused(t, w, id, "view reporting.people")
		run(`DROP SCHEMA reporting CASCADE`)
		if m == apiMode {
			delete(w.env, "ALLOW_EARLY_PURGE")
			refused(t, w, id, "ALLOW_EARLY_PURGE")
			w.env["ALLOW_EARLY_PURGE"] = "true"
			w.registry.SetScopes(access.ScopeWrite, access.ScopeRead)
			refused(t, w, id, "tenants:purge")
			w.registry.SetScopes(access.ScopeAdmin)
		}
		if r := w.run("destroy", "-auto-approve", "-no-color"); r.code != 0 || w.hasSchema(schema) {
			t.Errorf("destroy ends with %d: %s", r.code, r.out)
		}
	})
}
