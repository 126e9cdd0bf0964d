//go:build unix

package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
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
	w.mustRun("blueprints", "validate", dir).want(t, 0, "Warning: BLUEPRINT_SECRET_A, BLUEPRINT_SECRET_B are not set here. Set it in each process")
	w.env["BLUEPRINT_SECRET_A"] = "x"
	w.mustRun("blueprints", "publish", dir).want(t, 0, "Warning: BLUEPRINT_SECRET_B is not set here.", "revision 1")
	w.env["BLUEPRINT_SECRET_B"] = "x"
	if got := w.mustRun("blueprints", "publish", dir); strings.Contains(got.out+got.err, "Warning") {
		t.Error(got)
	}
}

// TestBlueprints_RetiredMeanwhile: each tenant that was accepted before its blueprint was retired
// is completed, and each later request is refused with what to do.
func TestBlueprints_RetiredMeanwhile(t *testing.T) {
	const tenants = 60
	w := setup(t)
	w.mustRun("blueprints", "publish", writeBlueprint(t, map[string]string{"blueprint.yaml": migratedYAML, "migrations/0001_patients.sql": migratedFrom}), "--activate")
	server := w.start(w.createKey("admin"), "serve")
	var (
		clients  sync.WaitGroup
		accepted atomic.Int64
		refused  atomic.Int64
		retired  atomic.Bool
	)
	for client := range 4 {
		clients.Go(func() {
			for i := client; i < tenants || !retired.Load() && i < 100*tenants; i += 4 {
				body := clinic(fmt.Sprintf("Clinic %d", i))
				body["blueprint"] = "clinic"
				a, err := server.do(http.MethodPost, "/admin/tenants", body)
				switch {
				case err == nil && a.status == http.StatusAccepted:
					accepted.Add(1)
				case err == nil && a.status < 500 && strings.Contains(a.text, "is retired, so it makes no new tenants; activate it again"):
					refused.Add(1)
				default:
					t.Errorf("%v: %d: %s", err, a.status, a.text)
				}
			}
		})
	}
	w.waitFor("the first tenants", func() bool { return w.registry.Count(tenant.StatusActive) > 5 })
	w.mustRun("blueprints", "retire", "clinic")
	retired.Store(true)
	clients.Wait()
	made := server.call(http.MethodPost, "/admin/tenants", map[string]any{"name": "Late", "blueprint": "clinic", "adminEmail": "ada@clinic.example", "adminFirstName": "Ada", "adminLastName": "Lovelace"})
	if made.status < 400 || made.status > 499 || !strings.Contains(made.text, "is retired") {
		t.Errorf("a tenant of a retired blueprint: %d: %s", made.status, made.text)
	}
	w.waitFor("the accepted tenants", w.hasActive(int(accepted.Load())))
	if n := w.registry.Count(); n != int(accepted.Load()) {
		t.Errorf("%d tenants were recorded, %d accepted, %d refused", n, accepted.Load(), refused.Load())
	}
	w.mustRun("tenants", "verify", "--offline").want(t, 0, "0 findings")
}

// TestBlueprints_LargeFile: a file of 5 MB is refused by its name, and nothing is published.
func TestBlueprints_LargeFile(t *testing.T) {
	w := setup(t)
	dir := writeBlueprint(t, map[string]string{"blueprint.yaml": clinicYAML, "migrations/0001_patients.sql": clinicPatients, "migrations/0002_codes.sql": "-- +goose Up\n" + strings.Repeat("SELECT 1;\n", 500_000)})
	for _, command := range []string{"validate", "publish"} {
		w.run("blueprints", command, dir).want(t, 1, "migrations/0002_codes.sql: has more than 4 MiB; divide it")
	}
	w.run("blueprints", "show", "clinic").want(t, 1, "the blueprint clinic is not published in this registry")
}
