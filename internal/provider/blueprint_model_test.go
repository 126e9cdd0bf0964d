package provider

import (
	"maps"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
)

// TestBlueprintModel_PlannedFiles: what differs from the plan is not published.
func TestBlueprintModel_PlannedFiles(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"blueprint.yaml":               "apiVersion: healthcare-platform/v1\nkind: Blueprint\nname: clinic\n",
		"migrations/0001_patients.sql": "-- +goose Up\nCREATE TABLE patients (id int);\n",
	}
	model := func(change func(files map[string]string)) blueprintModel {
		t.Helper()
		changed := maps.Clone(files)
		change(changed)
		value, diags := types.MapValueFrom(t.Context(), types.StringType, changed)
		if diags.HasError() {
			t.Fatal(diags)
		}
		return blueprintModel{Files: value, SourceDir: types.StringNull()}
	}
	var none diag.Diagnostics
	planned, ok := model(func(map[string]string) {}).parse(&none)
	if !ok {
		t.Fatal(none)
	}
	for name, c := range map[string]struct {
		model   blueprintModel
		summary string // Empty: no error.
	}{
		"Same":    {model(func(map[string]string) {}), ""},
		"Changed": {model(func(m map[string]string) { m["migrations/0001_patients.sql"] += "CREATE TABLE more (id int);\n" }), "Blueprint files changed after the plan"},
		"Renamed": {model(func(m map[string]string) {
			m["blueprint.yaml"] = strings.Replace(m["blueprint.yaml"], "clinic", "hospital", 1)
		}), "Blueprint files changed after the plan"},
		"Broken": {model(func(m map[string]string) { delete(m, "blueprint.yaml") }), "Blueprint cannot be published"},
	} {
		c.model.Name, c.model.SHA256 = types.StringValue(planned.Name), types.StringValue(planned.SHA256)
		if name == "Renamed" {
			c.model.SHA256 = types.StringUnknown()
		}
		var diags diag.Diagnostics
		_, b, ok := c.model.plannedFiles(&diags)
		if ok != (c.summary == "") || ok && b.SHA256 != planned.SHA256 || !ok && (diags.ErrorsCount() != 1 || diags[0].Summary() != c.summary) {
			t.Errorf("%s: %v, %v", name, ok, diags)
		}
	}
}

// TestBlueprintModel_CurrentRevision: the revision that a refresh finds.
func TestBlueprintModel_CurrentRevision(t *testing.T) {
	t.Parallel()
	retired := blueprint.Status{Name: "clinic", ActiveRevision: 2, Revisions: []blueprint.Revision{{Number: 2}, {Number: 1}}}
	inUse := retired
	retired.RetiredAt = retired.RetiredAt.AddDate(2026, 1, 1)
	unused := blueprint.Status{Name: "clinic", Revisions: inUse.Revisions}
	for name, c := range map[string]struct {
		activate bool
		revision types.Int64
		status   blueprint.Status
		want     int // 0: it leaves the state.
	}{
		"Active":           {true, types.Int64Value(2), inUse, 2},
		"AnotherIsActive":  {true, types.Int64Value(1), inUse, 2},
		"NotActivated":     {false, types.Int64Value(1), inUse, 1},
		"Retired":          {true, types.Int64Value(2), retired, 0},
		"RetiredUnmanaged": {false, types.Int64Value(1), retired, 1},
		"Imported":         {true, types.Int64Null(), inUse, 2},
		"ImportedUnused":   {false, types.Int64Null(), unused, 2},
		"Lost":             {false, types.Int64Value(3), inUse, 0},
	} {
		got, found := blueprintModel{Activate: types.BoolValue(c.activate), Revision: c.revision}.currentRevision(c.status)
		if found != (c.want != 0) || got.Number != c.want {
			t.Errorf("%s: %d, %v", name, got.Number, found)
		}
	}
}
