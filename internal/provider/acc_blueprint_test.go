package provider_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
)

// clinicBlueprint has the files of a small blueprint; each row of patients shows the variable.
var clinicBlueprint = map[string]string{
	"blueprint.yaml": `apiVersion: healthcare-platform/v1
kind: Blueprint
name: clinic
variables:
  region: {default: eu, pattern: "^(eu|us)$", description: Where records may lie}
`,
	"migrations/0001_patients.sql": `-- +goose Up
CREATE TABLE patients (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL);
INSERT INTO patients (name) VALUES (current_setting('tenant.variables.region'));
`,
}

// writeFiles writes files into a folder of the test.
func (w *testEnv) writeFiles(folder string, files map[string]string) string {
	w.t.Helper()
	dir := filepath.Join(w.dir, folder)
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	return dir
}

// tenantAPI runs tenant-api to its end, with the settings of the platform, and returns what it
// prints.
func (w *testEnv) tenantAPI(args ...string) string {
	w.t.Helper()
	out, err := w.apiCommand(w.env, args...).Output()
	if err != nil {
		w.t.Fatalf("tenant-api %s: %v\n%s", strings.Join(args, " "), err, stderr(err))
	}
	return string(out)
}

// regionOf is the region in the rows of the live tenant's schema.
func (w *testEnv) regionOf(name string) string {
	w.t.Helper()
	return w.text(`SELECT name FROM "` + w.registry.Named(name).SchemaName + `".patients`)
}

// TestAccTenant_Blueprint: a tenant is made from a published blueprint with its variables. They
// change in place, the blueprint does not.
func TestAccTenant_Blueprint(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		w.tenantAPI("blueprints", "publish", w.writeFiles("clinic", clinicBlueprint), "--activate")
		const us = "  blueprint = \"clinic\"\n  variables = { region = \"us\" }"
		w.test(
			w.refusedAtApply(clinicWith(`  blueprint = "clinik"`), `"clinik" is not published in this registry`, `9: blueprint = "clinik"`),
			w.refusedAtApply(clinicWith("  blueprint = \"clinic\"\n  variables = { region = \"asia\" }"), `is "asia", which the pattern ^(eu|us)$ does not match`),
			w.refusedAtApply(clinicWith("  blueprint = \"clinic\"\n  variables = { zone = \"eu\" }"), `variables.zone is no variable of the blueprint "clinic"; known are region`, "on terraform_plugin_test.tf line 10", `variables = { zone = "eu" }`),
			resource.TestStep{
				Config: header + clinicWith(us) + `
data "healthcare_tenant" "clinic" { id = healthcare_tenant.clinic.id }
data "healthcare_tenants" "all" { depends_on = [healthcare_tenant.clinic] }
`,
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{plancheck.ExpectUnknownValue(clinicAddress, tfjsonpath.New("blueprint_schema_version"))}},
				ConfigStateChecks: append(append(
					wantValues(clinicAddress, inClinic("us")),
					wantValues("data.healthcare_tenant.clinic", inClinic("us"))...),
					wantValues("data.healthcare_tenants.all", map[string]knownvalue.Check{"tenants": knownvalue.ListExact([]knownvalue.Check{knownvalue.ObjectPartial(inClinic("us"))})})...),
			},
			resource.TestStep{ResourceName: clinicAddress, ImportState: true, ImportStateVerify: true, ImportStateVerifyIgnore: notImported},
			after(func() {
				if got := w.regionOf("St. Mary's Clinic"); got != "us" {
					t.Errorf("the schema was made with the region %q", got)
				}
			}, planned(clinicWith(us), plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionNoop))),
			// Another blueprint would need other tables: neither changed nor replaced.
			planned(clinicWith("  variables = { region = \"us\" }"), plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionNoop)),
			w.refusedAtApply(clinicWith(`  blueprint = "standard"`), `was made from the blueprint "clinic"`, `the configuration says "standard"`, `Write blueprint = "clinic" to keep the tenant`, "make another tenant"),
			w.refusedAtApply(clinicWith("  blueprint = \"clinic\"\n  variables = { region = \"asia\" }"), "the pattern ^(eu|us)$ does not match"),
			resource.TestStep{
				Config: header + clinicWith("  blueprint = \"clinic\"\n  variables = {}"),
				ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
					plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionUpdate),
					plancheck.ExpectKnownValue(clinicAddress, tfjsonpath.New("blueprint_schema_version"), knownvalue.Int64Exact(1)),
				}},
				ConfigStateChecks: wantValues(clinicAddress, map[string]knownvalue.Check{"variables": knownvalue.MapSizeExact(0)}),
			},
			planned(clinicWith(`  blueprint = "clinic"`), plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionUpdate)),
		)
	})
}

// inClinic expects the attributes of a tenant of the blueprint clinic.
func inClinic(region string) map[string]knownvalue.Check {
	return map[string]knownvalue.Check{
		"blueprint": knownvalue.StringExact("clinic"), "blueprint_schema_version": knownvalue.Int64Exact(1),
		"variables": knownvalue.MapExact(map[string]knownvalue.Check{"region": knownvalue.StringExact(region)}),
	}
}

// TestAccTenant_BlueprintIsRetired: a retired blueprint makes no tenants; those that it made are
// managed as before.
func TestAccTenant_BlueprintIsRetired(t *testing.T) {
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		w.tenantAPI("blueprints", "publish", w.writeFiles("clinic", clinicBlueprint), "--activate")
		made := clinicWith(`  blueprint = "clinic"`)
		w.test(
			applied(made),
			between(func() { w.tenantAPI("blueprints", "retire", "clinic") }),
			planned(made, plancheck.ExpectResourceAction(clinicAddress, plancheck.ResourceActionNoop)),
			planned(strings.Replace(made, "Lovelace", "Hopper", 1), wantChange("admin_last_name", "Lovelace", "Hopper")),
			w.refusedAtApply(made+strings.NewReplacer(`"clinic" {`, `"other" {`, "St. Mary's", "Other").Replace(made),
				`"clinic" is retired, so it makes no new tenants; activate it again, or name another one`),
			after(func() {
				w.tenantAPI("blueprints", "publish", w.writeFiles("clinic", map[string]string{"migrations/0002_wards.sql": "-- +goose Up\nCREATE TABLE wards (id bigint PRIMARY KEY);\n"}), "--activate")
				w.tenantAPI("tenants", "migrate", "--blueprint", "clinic")
			}, applied(made, wantValues(clinicAddress, map[string]knownvalue.Check{"blueprint_schema_version": knownvalue.Int64Exact(2)})...)),
		)
	})
}

// TestAccTenant_BlueprintRules: what is no name and no variable is an error before anything runs.
func TestAccTenant_BlueprintRules(t *testing.T) {
	w := framework(t, databaseMode)
	w.test(
		w.refused(clinicWith(`  blueprint = "Clinic"`), `The blueprint is "Clinic"; write lower-case letters`),
		w.refused(clinicWith(`  variables = { Region = "eu" }`), `The map of variables has a key that is "Region"; write lower-case letters`),
		w.refused(clinicWith(`  variables = { region = null }`), `The map of variables has no value under key "region"; give one, or remove the key`),
		w.refusedAtApply(clinicWith(`  variables = { region = "eu" }`), `variables.region is no variable of the blueprint "standard"; it has no variables`),
	)
}
