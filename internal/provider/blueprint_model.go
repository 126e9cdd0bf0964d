package provider

import (
	"context"
	"io/fs"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
)

// blueprintModel is healthcare_blueprint in plan and state.
type blueprintModel struct {
	SourceDir     types.String   `tfsdk:"source_dir"`
	Files         types.Map      `tfsdk:"files"`
	Activate      types.Bool     `tfsdk:"activate"`
	Timeouts      timeouts.Value `tfsdk:"timeouts"`
	Name          types.String   `tfsdk:"name"`
	Revision      types.Int64    `tfsdk:"revision"`
	SchemaVersion types.Int64    `tfsdk:"schema_version"`
	SHA256        types.String   `tfsdk:"sha256"`
	Migrations    types.List     `tfsdk:"migrations"`
}

// blueprintIdentityModel is what identifies a blueprint to Terraform.
type blueprintIdentityModel struct {
	Name types.String `tfsdk:"name"`
}

// migrationModel is one migration of a blueprint.
type migrationModel struct {
	Version     types.Int64  `tfsdk:"version"`
	File        types.String `tfsdk:"file"`
	Class       types.String `tfsdk:"class"`
	DeletesData types.List   `tfsdk:"deletes_data"`
}

// migrationType is the type of an element of migrations.
var migrationType = types.ObjectType{AttrTypes: map[string]attr.Type{
	"version": types.Int64Type, "file": types.StringType, "class": types.StringType, "deletes_data": types.ListType{ElemType: types.StringType},
}}

// source reads the files of the configuration. known is false while they are not known, or none
// are given, as after an import.
func (m blueprintModel) source() (files fs.FS, known bool, err error) {
	switch {
	case m.SourceDir.IsUnknown() || m.Files.IsUnknown() || !m.SourceDir.IsNull() && !m.Files.IsNull():
		return nil, false, nil // Of both, Terraform says that they exclude each other.
	case !m.SourceDir.IsNull():
		files, err = blueprint.ReadDir(m.SourceDir.ValueString())
		return files, true, err
	case m.Files.IsNull():
		return nil, false, nil
	}
	texts, known := knownMap(m.Files)
	if !known {
		return nil, false, nil
	}
	files, err = blueprint.ReadMap(texts)
	return files, true, err
}

// sourcePath is the attribute that the files come from.
func (m blueprintModel) sourcePath() path.Path {
	if m.SourceDir.IsNull() {
		return path.Root("files")
	}
	return path.Root("source_dir")
}

// fill copies a published revision into the model.
func (m *blueprintModel) fill(ctx context.Context, r blueprint.Revision) (diags diag.Diagnostics) {
	m.Name, m.SHA256 = types.StringValue(r.Blueprint), types.StringValue(r.SHA256)
	m.Revision, m.SchemaVersion = types.Int64Value(int64(r.Number)), types.Int64Value(int64(r.SchemaVersion))
	m.Migrations, diags = migrationsOf(ctx, r.Migrations)
	return diags
}

// migrationsOf converts the reports of trials. What a trial finds out is unknown where there was
// none yet.
func migrationsOf(ctx context.Context, reports []blueprint.MigrationReport) (types.List, diag.Diagnostics) {
	models := make([]migrationModel, len(reports))
	var diags diag.Diagnostics
	for i, r := range reports {
		models[i] = migrationModel{types.Int64Value(int64(r.Version)), types.StringValue(r.File), types.StringUnknown(), types.ListUnknown(types.StringType)}
		if r.Class == "" {
			continue
		}
		deletes := r.DeletesData
		if deletes == nil {
			deletes = []string{}
		}
		list, more := types.ListValueFrom(ctx, types.StringType, deletes)
		diags.Append(more...)
		models[i].Class, models[i].DeletesData = types.StringValue(string(r.Class)), list
	}
	list, more := types.ListValueFrom(ctx, migrationType, models)
	diags.Append(more...)
	return list, diags
}

// fillPlanned sets what can be known before files are published: of before, the newest revision,
// the reports of its migrations.
func (m *blueprintModel) fillPlanned(ctx context.Context, b blueprint.Blueprint, before []blueprint.MigrationReport) (diags diag.Diagnostics) {
	reports := make([]blueprint.MigrationReport, len(b.Migrations))
	for i, migration := range b.Migrations {
		reports[i] = blueprint.MigrationReport{Version: migration.Version, File: migration.File}
		if i < len(before) {
			reports[i] = before[i]
		}
	}
	m.Name, m.SHA256 = types.StringValue(b.Name), types.StringValue(b.SHA256)
	m.Revision, m.SchemaVersion = types.Int64Unknown(), types.Int64Value(int64(b.SchemaVersion()))
	m.Migrations, diags = migrationsOf(ctx, reports)
	return diags
}

// setUnknown is for files that are not known yet. An existing blueprint keeps its name.
func (m *blueprintModel) setUnknown(state *blueprintModel) {
	m.Name, m.SHA256 = types.StringUnknown(), types.StringUnknown()
	m.Revision, m.SchemaVersion, m.Migrations = types.Int64Unknown(), types.Int64Unknown(), types.ListUnknown(migrationType)
	if state != nil {
		m.Name = state.Name
	}
}
