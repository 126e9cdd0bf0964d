//go:build unix

package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeBlueprint writes the files of a blueprint into a new folder.
func writeBlueprint(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	clinicYAML     = "apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: clinic\n"
	clinicPatients = "-- +goose Up\nCREATE TABLE patients (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);\n"
)

func TestBlueprints(t *testing.T) {
	w := setup(t)
	w.mustRun("blueprints", "list").want(t, 0, "NAME", "ACTIVE", "BEHIND")
	dir := writeBlueprint(t, map[string]string{"blueprint.yaml": clinicYAML, "migrations/0001_patients.sql": clinicPatients})
	w.mustRun("blueprints", "validate", dir).want(t, 0, "Blueprint clinic, not published, schema version 1", "migrations/0001_patients.sql", "online")
	w.run("blueprints", "show", "clinic").want(t, 1, "the blueprint clinic is not published in this registry")
	w.mustRun("blueprints", "publish", dir).want(t, 0, "Blueprint clinic, revision 1, schema version 1")
	w.mustRun("blueprints", "list").want(t, 0, "clinic  -")
	w.mustRun("blueprints", "activate", "clinic", "1").want(t, 0, "get revision 1")

	later := filepath.Join(dir, "migrations/0002_name.sql")
	if err := os.WriteFile(later, []byte("-- +goose Up\nCREATE INDEX patients_name ON patients (name);\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.run("blueprints", "publish", dir, "--activate").want(t, 1, "migrations/0002_name.sql: reads these tables from end to end: patients", "-- +blueprint allow: scans", "has 1 problem")
	if err := os.WriteFile(later, []byte("-- +goose Up\n-- +blueprint allow: scans\nCREATE INDEX patients_name ON patients (name);\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.mustRun("blueprints", "publish", dir, "--activate").want(t, 0, "Blueprint clinic, revision 2, active, schema version 2", "reads all of patients", "locks patients: ShareLock")
	w.mustRun("blueprints", "show", "clinic").want(t, 0, "revision 2 is active", "REVISION", "0 tenants, 0 behind")
	w.mustRun("tenants", "migrate", "--blueprint", "clinic").want(t, 0, "Blueprint clinic, revision 2, schema version 2: 0 tenants to migrate", "nothing to migrate")
	w.run("tenants", "migrate", "--blueprint", "clinik").want(t, 1, "the blueprint clinik has no active revision in this registry")
	w.mustRun("blueprints", "retire", "clinic").want(t, 0, "makes no new tenants")
	w.mustRun("blueprints", "list").want(t, 0, "clinic  2")

	w.run("blueprints", "activate", "clinic", "7").want(t, 1, "the blueprint clinic has no revision 7")
	w.run("blueprints", "activate", "clinic", "x").want(t, 2, `the revision is "x"; give its number`)
	w.run("blueprints", "activate", "clinic").want(t, 2, "give the name of a blueprint and the number of a revision")
	w.run("blueprints", "publish", filepath.Join(dir, "none")).want(t, 1, "none")
	broken := writeBlueprint(t, map[string]string{"blueprint.yaml": clinicYAML + "rolls: []\n", "migrations/0001_x.sql": "CREATE TABLE x (id int);\n"})
	w.run("blueprints", "validate", broken).want(t, 1, "blueprint.yaml:4: ", "migrations/0001_x.sql", "has 2 problems")
}

// TestBlueprints_JSON: what the commands print as JSON has the form of the API's.
func TestBlueprints_JSON(t *testing.T) {
	w := setup(t)
	dir := writeBlueprint(t, map[string]string{"blueprint.yaml": clinicYAML, "migrations/0001_patients.sql": clinicPatients})
	for _, args := range [][]string{{"validate", dir}, {"publish", dir, "--activate"}, {"show", "clinic"}, {"list"}} {
		w.printed(0, append(append([]string{"blueprints"}, args...), "--json")...)
	}
	w.printed(0, "tenants", "migrate", "--json")
}

// TestBlueprints_Secrets: a secret that is not set where a blueprint is published is a warning: other
// processes make the tenants.
func TestBlueprints_Secrets(t *testing.T) {
	w := setup(t)
	steps := "steps:\n  - name: REGISTER\n    after: SEED_ROLES_AND_USER\n    webhook: {url: \"https://directory.example/\", secret: BLUEPRINT_SECRET_A}\n    undo: {url: \"https://directory.example/undo\", secret: BLUEPRINT_SECRET_B}\n"
	dir := writeBlueprint(t, map[string]string{"blueprint.yaml": clinicYAML + steps})
	w.mustRun("blueprints", "validate", dir).want(t, 0, "Warning: BLUEPRINT_SECRET_A, BLUEPRINT_SECRET_B are not set here. Steps need it")
	w.env["BLUEPRINT_SECRET_A"] = "x"
	w.mustRun("blueprints", "publish", dir).want(t, 0, "Warning: BLUEPRINT_SECRET_B is not set here.", "revision 1")
	w.env["BLUEPRINT_SECRET_B"] = "x"
	if got := w.mustRun("blueprints", "publish", dir); strings.Contains(got.out+got.err, "Warning") {
		t.Error(got)
	}
}
