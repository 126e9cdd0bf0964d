package provider_test

import (
	"strings"
	"testing"
)

func runBlueprintResource(t *testing.T, w *testEnv) {
	const folder = "resources/healthcare_blueprint/"
	files := map[string]string{}
	for _, name := range []string{"blueprint.yaml", "migrations/0001_patients.sql", "migrations/0002_phone.sql"} {
		files[name] = example(t, folder+"clinic/"+name)
	}
	w.writeFiles("clinic", files)
	w.copyExample(folder+"resource.tf", "blueprint.tf")
	w.mustApply().wantText(t, "2 added, 0 changed, 0 destroyed")
	w.assertNoChanges()
	if region := w.text(`SELECT region FROM "` + w.registry.Tenant().SchemaName + `".settings`); region != "us" {
		t.Errorf("the region is %q", region)
	}

	w.copyExample("data-sources/healthcare_blueprint/data-source.tf", "data.tf")
	w.mustApply()
	if got := w.outputs()["tenants_to_migrate"]; got != "0 of 1" {
		t.Errorf("%v", got)
	}
	w.remove("data.tf")

	for _, command := range strings.Split(strings.TrimSpace(example(t, folder+"import.sh")), "\n") {
		w.run("state", "rm", "healthcare_blueprint.clinic")
		w.mustShell("-c", command).wantText(t, "Import successful!")
	}
	w.run("state", "rm", "healthcare_blueprint.clinic")
	w.copyExample(folder+"import-by-string-id.tf", "import.tf")
	w.mustApply().wantText(t, "1 imported, 0 added, 1 changed, 0 destroyed") // The registry gives no source_dir back.
	w.remove("import.tf")
	w.assertNoChanges()

	tenant := strings.Split(example(t, folder+"resource.tf"), "\n\n")[1:]
	w.write("tenant.tf", strings.Join(tenant, "\n\n"))
	w.copyExample(folder+"files.tf", "blueprint.tf")
	w.mustApply().wantText(t, "0 added, 1 changed, 0 destroyed") // The same files.
	if s := w.blueprintStatus("clinic"); len(s.Revisions) != 1 || s.ActiveRevision != 1 {
		t.Errorf("%+v", s)
	}
	w.destroyAll()
}
