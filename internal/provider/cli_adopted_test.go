package provider_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// platformFiles are the blueprint of a platform that made its tenants' schemas itself.
var platformFiles = map[string]string{
	"blueprint.yaml":               "apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: platform\nextends: none\nvariables:\n  region: {default: eu}\n",
	"migrations/0001_users.sql":    "-- +goose Up\nCREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, login text NOT NULL UNIQUE);\n",
	"migrations/0002_patients.sql": "-- +goose Up\nCREATE TABLE patients (id bigserial PRIMARY KEY, name text NOT NULL, created_by bigint REFERENCES users (id));\n",
}

// adoptPlatform makes the schemas of a platform and adopts them, each with a contract.
func (w *testEnv) adoptPlatform(n int) {
	w.t.Helper()
	dir := w.t.TempDir()
	for name, text := range platformFiles {
		path := filepath.Join(dir, "platform", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	rows := "schema,name,admin_email,admin_first_name,admin_last_name,external_id\n"
	for i := range n {
		schema := fmt.Sprintf("org_%03d", i)
		w.exec(`CREATE SCHEMA ` + schema)
		for _, file := range []string{"migrations/0001_users.sql", "migrations/0002_patients.sql"} {
			_, sql, _ := strings.Cut(platformFiles[file], "Up\n")
			w.exec(strings.NewReplacer("TABLE ", "TABLE "+schema+".", "REFERENCES ", "REFERENCES "+schema+".").Replace(sql))
		}
		rows += fmt.Sprintf("%s,Organisation %d,admin@org%d.example,Ada,\"O'Neill, %d\",org-%d\n", schema, i, i, i, i)
	}
	list := filepath.Join(dir, "organisations.csv")
	if err := os.WriteFile(list, []byte(rows), 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.env["SOROBAN_CHANNELS"] = "20"
	for _, args := range [][]string{
		{"channels", "reconcile"}, {"blueprints", "publish", filepath.Join(dir, "platform"), "--activate"},
		{"tenants", "adopt", "--from", list, "--blueprint", "platform", "--at-version", "2", "--parallel", "20"},
	} {
		if out, err := w.apiCommand(w.env, args...).CombinedOutput(); err != nil {
			w.t.Fatalf("%v: %v: %s", args, err, out)
		}
	}
	if live := w.registry.Count(tenant.StatusActive); live != n {
		w.t.Fatalf("%d tenants were adopted", live)
	}
}

// TestCLIAdopted: the tenants that a platform brings come into Terraform by import blocks, with the
// configuration that Terraform generates, and nothing changes.
func TestCLIAdopted(t *testing.T) {
	n := testenv.Count(t, 60, 300)
	w := setup(t, databaseMode, "")
	w.adoptPlatform(n)
	before := w.registry.All()
	var blocks strings.Builder
	for i := range n {
		fmt.Fprintf(&blocks, "import {\n  to = healthcare_tenant.org_%03d\n  id = \"name:Organisation %d\"\n}\n", i, i)
	}
	w.write("import.tf", blocks.String())
	if r := w.run("plan", "-no-color", "-generate-config-out=adopted.tf"); r.code != 0 {
		t.Fatal(r.out)
	}
	w.mustApply().wantText(t, fmt.Sprintf("%d imported, 0 added, 0 changed, 0 destroyed", n))
	w.run("plan", "-no-color").wantText(t, "No changes.")
	for _, i := range []int{0, n - 1} {
		s := w.state(fmt.Sprintf("healthcare_tenant.org_%03d", i))
		if s["schema_name"] != fmt.Sprintf("org_%03d", i) || s["blueprint"] != "platform" || s["external_id"] != fmt.Sprintf("org-%d", i) {
			t.Errorf("state %v", s)
		}
	}
	if !reflect.DeepEqual(w.registry.All(), before) {
		t.Error("tenants were changed")
	}
}

// TestCLINewest_QueryAdopted: the same with the configuration and the import blocks that terraform
// query generates.
func TestCLINewest_QueryAdopted(t *testing.T) {
	const n = 20
	w := setupNewest(t, databaseMode, "")
	w.adoptPlatform(n)
	w.write("tenants.tfquery.hcl", example(t, "list-resources", "healthcare_tenant", "list-resource.tfquery.hcl"))
	if r := w.run("query", "-no-color", "-generate-config-out=adopted.tf"); r.code != 0 {
		t.Fatal(r.out)
	}
	w.mustApply().wantText(t, fmt.Sprintf("%d imported, 0 added, 0 changed, 0 destroyed", n))
	w.run("plan", "-no-color").wantText(t, "No changes.")
}
