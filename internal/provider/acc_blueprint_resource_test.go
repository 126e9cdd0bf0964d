package provider_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/querycheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/terraform"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

const blueprintAddress = "healthcare_blueprint.clinic"

// published is a configuration with the blueprint in a folder.
func published(dir string, lines ...string) string {
	return fmt.Sprintf("resource \"healthcare_blueprint\" \"clinic\" {\n  source_dir = %q\n%s\n}\n", dir, strings.Join(lines, "\n"))
}

// ofBlueprint is a tenant of that blueprint.
var ofBlueprint = clinicWith("  blueprint = healthcare_blueprint.clinic.name")

// later are migrations after those of clinicBlueprint.
const (
	addPhone  = "-- +goose Up\nALTER TABLE patients ADD COLUMN phone text;\n"
	dropPhone = "-- +goose Up\nALTER TABLE patients DROP COLUMN phone;\n"
)

// atRevision expects what the state has of a revision.
func atRevision(revision, version int64) []statecheck.StateCheck {
	return wantValues(blueprintAddress, map[string]knownvalue.Check{
		"name": knownvalue.StringExact("clinic"), "revision": knownvalue.Int64Exact(revision), "schema_version": knownvalue.Int64Exact(version),
		"migrations": knownvalue.ListSizeExact(int(version)), "sha256": knownvalue.StringFunc(func(sum string) error {
			if len(sum) != 64 {
				return fmt.Errorf("%q is no SHA-256", sum)
			}
			return nil
		}),
	})
}

// TestAccBlueprint: revisions of a folder are published and activated, and tenants are made from
// them.
func TestAccBlueprint(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		dir := w.writeFiles("clinic", clinicBlueprint)
		add := func(file, text string) func() {
			return func() { w.writeFiles("clinic", map[string]string{"migrations/" + file: text}) }
		}
		data := published(dir) + ofBlueprint + "data \"healthcare_blueprint\" \"clinic\" {\n  name = \"clinic\"\n  depends_on = [healthcare_blueprint.clinic, healthcare_tenant.clinic]\n}\n"
		const read = "data.healthcare_blueprint.clinic"
		w.test(
			resource.TestStep{
				Config: header + published(dir) + ofBlueprint,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectKnownValue(clinicAddress, tfjsonpath.New("blueprint"), knownvalue.StringExact("clinic")),
					plancheck.ExpectKnownValue(blueprintAddress, tfjsonpath.New("schema_version"), knownvalue.Int64Exact(1)),
					plancheck.ExpectKnownValue(blueprintAddress, tfjsonpath.New("sha256"), knownvalue.NotNull()),
					plancheck.ExpectUnknownValue(blueprintAddress, tfjsonpath.New("revision")),
					plancheck.ExpectUnknownValue(blueprintAddress, tfjsonpath.New("migrations").AtSliceIndex(0).AtMapKey("class")),
				}},
				ConfigStateChecks: append(atRevision(1, 1), wantValues(clinicAddress, inClinicWithout())...),
			},
			planned(published(dir)+ofBlueprint, plancheck.ExpectResourceAction(blueprintAddress, plancheck.ResourceActionNoop)),
			// A second revision. The tenant stays as it is until tenants migrate.
			resource.TestStep{
				PreConfig: add("0002_phone.sql", addPhone), Config: header + data,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(blueprintAddress, plancheck.ResourceActionUpdate),
					plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionNoop),
					plancheck.ExpectKnownValue(blueprintAddress, tfjsonpath.New("migrations").AtSliceIndex(0).AtMapKey("class"), knownvalue.StringExact("online")),
					plancheck.ExpectUnknownValue(blueprintAddress, tfjsonpath.New("migrations").AtSliceIndex(1).AtMapKey("deletes_data")),
				}},
				ConfigStateChecks: append(atRevision(2, 2), wantValues(read, map[string]knownvalue.Check{
					"revision": knownvalue.Int64Exact(2), "schema_version": knownvalue.Int64Exact(2), "tenants_total": knownvalue.Int64Exact(1),
					"tenants_behind": knownvalue.Int64Exact(1), "retired_at": knownvalue.Null(), "sha256": knownvalue.NotNull(),
				})...),
			},
			// A published file that was changed is refused at apply, and one that breaks a rule at plan.
			after(add("0001_patients.sql", clinicBlueprint["migrations/0001_patients.sql"]+"CREATE TABLE more (id int);\n"),
				w.refusedAtApply(data, "migrations/0001_patients.sql: differs from the published file", "on terraform_plugin_test.tf line", "source_dir")),
			after(func() {
				add("0001_patients.sql", clinicBlueprint["migrations/0001_patients.sql"])()
				add("0003_drop.sql", "-- +goose Up\nSET ROLE postgres;\n")()
			}, w.refused(data, "migrations/0003_drop.sql:2: ", "Nothing was changed")),
			// What only the trial finds is refused at apply.
			after(add("0003_drop.sql", "-- +goose Up\nCREATE INDEX ON patients (phone);\n"), w.refusedAtApply(data, "Blueprint cannot be published", "-- +blueprint allow: scans")),
			after(add("0003_drop.sql", dropPhone), applied(data, append(atRevision(3, 3), statecheck.ExpectKnownValue(blueprintAddress, tfjsonpath.New("migrations").AtSliceIndex(2),
				knownvalue.ObjectExact(map[string]knownvalue.Check{
					"version": knownvalue.Int64Exact(3), "file": knownvalue.StringExact("migrations/0003_drop.sql"), "class": knownvalue.StringExact("online"),
					"deletes_data": knownvalue.ListExact([]knownvalue.Check{knownvalue.StringExact("column patients.phone")}),
				})))...)),
			// Another revision was activated elsewhere.
			after(func() { w.tenantAPI("blueprints", "activate", "clinic", "1") }, resource.TestStep{
				Config: header + data, ConfigPlanChecks: wantAction(blueprintAddress, plancheck.ResourceActionUpdate), ConfigStateChecks: atRevision(3, 3),
			}),
			// Retired elsewhere.
			after(func() { w.tenantAPI("blueprints", "retire", "clinic") }, resource.TestStep{
				Config: header + data, ConfigPlanChecks: wantAction(blueprintAddress, plancheck.ResourceActionCreate), ConfigStateChecks: atRevision(3, 3),
			}),
			resource.TestStep{
				ResourceName: blueprintAddress, ImportState: true, ImportStateVerify: true, ImportStateVerifyIdentifierAttribute: "name",
				ImportStateIdFunc:       func(*terraform.State) (string, error) { return "clinic", nil },
				ImportStateVerifyIgnore: []string{"source_dir", "files"},
			},
			resource.TestStep{
				ResourceName: blueprintAddress, ImportState: true, ImportStateId: "hospital",
				ExpectError: wraps("the blueprint hospital is not published in this registry", "tenant-api blueprints list has them"),
			},
		)
		if status := w.blueprintStatus("clinic"); status.RetiredAt.IsZero() || len(status.Revisions) != 3 {
			t.Errorf("after destroy: %+v", status)
		}
	})
}

// inClinicWithout expects a tenant of the blueprint clinic without values for its variables.
func inClinicWithout() map[string]knownvalue.Check {
	checks := maps.Clone(inClinic(""))
	checks["variables"] = knownvalue.Null()
	return checks
}

// TestAccBlueprint_DestroyAndCreateAgain: a blueprint and its tenants go and come back in one
// configuration; it then is the same revision.
func TestAccBlueprint_DestroyAndCreateAgain(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		dir := w.writeFiles("clinic", clinicBlueprint)
		both := published(dir) + ofBlueprint
		w.test(
			applied(both, atRevision(1, 1)...),
			resource.TestStep{Config: header + both, Destroy: true},
			after(func() {
				if s := w.blueprintStatus("clinic"); s.RetiredAt.IsZero() {
					t.Errorf("it is not retired: %+v", s)
				}
				if n := w.registry.Count(tenant.StatusArchived); n != 1 {
					t.Errorf("%d tenants are archived", n)
				}
			}, resource.TestStep{
				Config: header + both, ConfigStateChecks: append(atRevision(1, 1), wantValues(clinicAddress, inClinicWithout())...),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectKnownValue(blueprintAddress, tfjsonpath.New("revision"), knownvalue.Int64Exact(1)), // These files were published before.
				}},
			}),
		)
	})
}

// filesOf is a blueprint as the attribute files.
func filesOf(files map[string]string, lines ...string) string {
	var text strings.Builder
	for name, content := range files {
		fmt.Fprintf(&text, "    %q = %s\n", name, strings.ReplaceAll(strconv.Quote(content), "${", "$${"))
	}
	return "resource \"healthcare_blueprint\" \"clinic\" {\n" + strings.Join(lines, "\n") + "\n  files = {\n" + text.String() + "  }\n}\n"
}

// TestAccBlueprint_FilesAndActivation: the files can be texts of the configuration, also of what
// is not known at plan, and a revision can wait for its activation.
func TestAccBlueprint_FilesAndActivation(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		second := maps.Clone(clinicBlueprint)
		second["migrations/0002_phone.sql"] = addPhone
		active := func(revision int) func() {
			return func() {
				t.Helper()
				if s := w.blueprintStatus("clinic"); s.ActiveRevision != revision || !s.RetiredAt.IsZero() {
					t.Errorf("revision %d is active, want %d; retired at %v", s.ActiveRevision, revision, s.RetiredAt)
				}
			}
		}
		renamed := maps.Clone(clinicBlueprint)
		renamed["blueprint.yaml"] = strings.Replace(renamed["blueprint.yaml"], "name: clinic", "name: hospital", 1)
		unknown := "resource \"terraform_data\" \"config\" { input = " + strconv.Quote(clinicBlueprint["blueprint.yaml"]) + " }\n" +
			"resource \"healthcare_blueprint\" \"clinic\" {\n  files = {\n    \"blueprint.yaml\" = terraform_data.config.output\n    \"migrations/0001_patients.sql\" = " + strconv.Quote(clinicBlueprint["migrations/0001_patients.sql"]) + "\n  }\n}\n"
		w.test(
			resource.TestStep{
				Config: header + unknown, ConfigStateChecks: atRevision(1, 1),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectUnknownValue(blueprintAddress, tfjsonpath.New("name"))}},
			},
			planned(filesOf(clinicBlueprint), plancheck.ExpectResourceAction(blueprintAddress, plancheck.ResourceActionNoop)),
			applied(filesOf(second, "  activate = false"), atRevision(2, 2)...),
			after(active(1), planned(filesOf(second, "  activate = false"), plancheck.ExpectResourceAction(blueprintAddress, plancheck.ResourceActionNoop))),
			applied(filesOf(second), atRevision(2, 2)...),
			// Going back is the same.
			after(active(2), applied(filesOf(clinicBlueprint), atRevision(1, 1)...)),
			after(active(1), resource.TestStep{
				Config: header + filesOf(renamed), ConfigPlanChecks: wantAction(blueprintAddress, plancheck.ResourceActionDestroyBeforeCreate),
			}),
			w.refused(filesOf(renamed, `  source_dir = "x"`), "Exactly one of these attributes must be configured: [source_dir,files]"),
			w.refused(filesOf(map[string]string{"../blueprint.yaml": ""}), "../blueprint.yaml: is no path inside of a folder", "files"),
			w.refused(published(filepath.Join(w.dir, "nowhere")), "nowhere: cannot be read: no such file or directory; give the folder with blueprint.yaml"),
			applied(filesOf(renamed)),
		)
		if s := w.blueprintStatus("clinic"); s.RetiredAt.IsZero() {
			t.Errorf("the blueprint of the old name is in use: %+v", s)
		}
	})
}

// TestCLI_BlueprintChangedAfterPlan: files that change between plan and apply are not published.
func TestCLI_BlueprintChangedAfterPlan(t *testing.T) {
	w := setup(t, databaseMode, "")
	w.write("main.tf", header+published(w.writeFiles("clinic", clinicBlueprint)))
	if r := w.run("plan", "-out=saved", "-no-color"); r.code != 0 {
		t.Fatal(r.out)
	}
	w.writeFiles("clinic", map[string]string{"migrations/0002_phone.sql": addPhone})
	// Terraform plans again before it applies, and compares.
	w.run("apply", "-no-color", "saved").wantText(t, "Provider produced inconsistent final plan", ".sha256")
	if out := w.tenantAPI("blueprints", "list", "--json"); strings.TrimSpace(out) != "[]" {
		t.Errorf("it was published: %s", out)
	}
	w.mustApply()
	w.writeFiles("clinic", map[string]string{"migrations/0003_drop.sql": dropPhone})
	w.mustApply().wantText(t, "Migration deletes data", "migrations/0003_drop.sql deletes column patients.phone", "tenant-api tenants migrate")
	if err := os.Remove(filepath.Join(w.dir, "clinic", "migrations", "0003_drop.sql")); err != nil {
		t.Fatal(err)
	}
	// Without the newest file, it is the revision before: going back is no deletion of a migration.
	w.mustApply()
	if s := w.blueprintStatus("clinic"); s.ActiveRevision != 1 || len(s.Revisions) != 2 {
		t.Errorf("%+v", s)
	}
	w.destroyAll()
}

// TestAccBlueprint_List: terraform query lists what is in use, and its identities are those of
// imports.
func TestAccBlueprint_List(t *testing.T) {
	needsTerraform(t, "1.14.0")
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		dir := w.writeFiles("clinic", clinicBlueprint)
		list := func(lines string, checks ...querycheck.QueryResultCheck) resource.TestStep {
			text := strings.Replace(example(t, "list-resources", "healthcare_blueprint", "list-resource.tfquery.hcl"), "\n}", "\n"+lines+"\n}", 1)
			return resource.TestStep{Query: true, Config: "provider \"healthcare\" {}\n" + text, QueryResultChecks: checks}
		}
		w.test(
			applied(published(dir)),
			between(func() { w.changeState(func([]any) []any { return nil }) }),
			resource.TestStep{
				Config:           header + published(dir) + example(t, "resources", "healthcare_blueprint", "identity-import.tf"),
				ConfigPlanChecks: wantAction(blueprintAddress, plancheck.ResourceActionUpdate), ConfigStateChecks: atRevision(1, 1),
			},
			list("  include_resource = true", querycheck.ExpectLength("healthcare_blueprint.all", 1),
				querycheck.ExpectIdentity("healthcare_blueprint.all", map[string]knownvalue.Check{"name": knownvalue.StringExact("clinic")})),
			between(func() { w.tenantAPI("blueprints", "retire", "clinic") }),
			list("", querycheck.ExpectLength("healthcare_blueprint.all", 0)),
		)
	})
}

// blueprintStatus reads a blueprint from the registry.
func (w *testEnv) blueprintStatus(name string) blueprint.Status {
	w.t.Helper()
	var shown dto.Blueprint
	if err := json.Unmarshal([]byte(w.tenantAPI("blueprints", "show", name, "--json")), &shown); err != nil {
		w.t.Fatal(err)
	}
	return shown.Status()
}
