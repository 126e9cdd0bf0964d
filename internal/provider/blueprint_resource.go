package provider

import (
	"context"
	"errors"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-validators/resourcevalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
)

// blueprintResource publishes what tenants are made from.
type blueprintResource struct{ baseResource }

var (
	_ resource.ResourceWithConfigure        = (*blueprintResource)(nil)
	_ resource.ResourceWithConfigValidators = (*blueprintResource)(nil)
	_ resource.ResourceWithValidateConfig   = (*blueprintResource)(nil)
	_ resource.ResourceWithModifyPlan       = (*blueprintResource)(nil)
	_ resource.ResourceWithImportState      = (*blueprintResource)(nil)
	_ resource.ResourceWithIdentity         = (*blueprintResource)(nil)
)

func newBlueprintResource() resource.Resource { return &blueprintResource{} }

func (r *blueprintResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_blueprint"
}

func (r *blueprintResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.setBackend(req.ProviderData, &resp.Diagnostics)
}

func (r *blueprintResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identityschema.Schema{Attributes: map[string]identityschema.Attribute{
		"name": identityschema.StringAttribute{RequiredForImport: true, Description: "The blueprint's name."},
	}}
}

func (r *blueprintResource) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "What tenants are made from: the tables of their schemas and later versions of these, privileges, user roles and mails.\n\n" +
			"Apply tries the files out in a schema that is dropped again, and publishes them as a revision. Equal files are the same revision. " +
			"Tenants that are made from then on get the active revision; those that exist get it from `tenant-api tenants migrate`. " +
			"Delete retires the blueprint: **it makes no new tenants, and its tenants stay**. Creating it again brings it back.",
		Attributes: map[string]schema.Attribute{
			"source_dir": schema.StringAttribute{Optional: true, Validators: []validator.String{stringvalidator.LengthAtLeast(1)},
				MarkdownDescription: "Folder with `blueprint.yaml`, `migrations/` and the other files. Exactly one of `source_dir` and `files` is needed."},
			"files": schema.MapAttribute{Optional: true, ElementType: types.StringType,
				MarkdownDescription: "The same files as texts, by their names in the folder: `\"migrations/0001_patients.sql\" = \"...\"`. A picture for mails needs `source_dir`."},
			"activate": schema.BoolAttribute{Optional: true, Computed: true, Default: booldefault.StaticBool(true),
				MarkdownDescription: "Give the revision to new tenants. With `false` it is published, and the revision that is active stays so. Default `true`."},
			"timeouts": timeouts.AttributesAll(ctx),

			"name":           schema.StringAttribute{Computed: true, MarkdownDescription: "Name, from `blueprint.yaml`. Another name replaces the blueprint: the old one is retired."},
			"revision":       schema.Int64Attribute{Computed: true, MarkdownDescription: "Number of the revision that has these files."},
			"schema_version": schema.Int64Attribute{Computed: true, MarkdownDescription: "Number of the last migration."},
			"sha256":         schema.StringAttribute{Computed: true, MarkdownDescription: "SHA-256 of the files, hex."},
			"migrations": schema.ListNestedAttribute{Computed: true, MarkdownDescription: "The migrations, with what the trial found out about each.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"version": schema.Int64Attribute{Computed: true, MarkdownDescription: "Number."},
					"file":    schema.StringAttribute{Computed: true, MarkdownDescription: "Name of the file."},
					"class": schema.StringAttribute{Computed: true, MarkdownDescription: "What it does to a tenant that is in use: `online` (nothing that is noticed), `locks` (others wait while rows are read or written), " +
						"`scans` (a table is read from end to end) or `rewrites` (a table is rewritten)."},
					"deletes_data": schema.ListAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "What it deletes, such as `column patients.phone`."},
				}}},
		},
	}
}

func (r *blueprintResource) ConfigValidators(context.Context) []resource.ConfigValidator {
	return []resource.ConfigValidator{resourcevalidator.ExactlyOneOf(path.MatchRoot("source_dir"), path.MatchRoot("files"))}
}

// ValidateConfig checks the files, if they are known: that needs no database.
func (r *blueprintResource) ValidateConfig(ctx context.Context, req resource.ValidateConfigRequest, resp *resource.ValidateConfigResponse) {
	var config blueprintModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	if !resp.Diagnostics.HasError() {
		config.parse(&resp.Diagnostics)
	}
}

// parse reads and checks the files. ok is false while they are not known, and after an error.
func (m blueprintModel) parse(diags *diag.Diagnostics) (b blueprint.Blueprint, ok bool) {
	files, known, err := m.source()
	if err == nil && known {
		b, err = blueprint.Parse(files)
	}
	if err != nil {
		m.addProblems(diags, err)
		return b, false
	}
	return b, known
}

// addProblems reports whether err is about the files, and adds it with file and line of each
// problem.
func (m blueprintModel) addProblems(diags *diag.Diagnostics, err error) bool {
	var problems blueprint.Problems
	if !errors.As(err, &problems) {
		return false
	}
	diags.AddAttributeError(m.sourcePath(), "Blueprint cannot be published",
		problems.Error()+"\n\nNothing was changed. Correct the files and run Terraform again.")
	return true
}

// ModifyPlan plans the files' new content. It reads the registry, to know the revision of files
// that were published before and to refuse changed migrations, and changes nothing.
func (r *blueprintResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse) {
	if req.Plan.Raw.IsNull() {
		return
	}
	var plan blueprintModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	var state *blueprintModel
	if !req.State.Raw.IsNull() {
		state = &blueprintModel{}
		resp.Diagnostics.Append(req.State.Get(ctx, state)...)
	}
	if resp.Diagnostics.HasError() {
		return
	}
	b, known := plan.parse(&resp.Diagnostics)
	switch {
	case resp.Diagnostics.HasError():
		return
	case !known:
		plan.setUnknown(state)
	case state != nil && state.SHA256.ValueString() == b.SHA256:
		plan.Name, plan.Revision, plan.SchemaVersion, plan.SHA256, plan.Migrations = state.Name, state.Revision, state.SchemaVersion, state.SHA256, state.Migrations
	default:
		r.planFiles(ctx, b, &plan, &resp.Diagnostics)
	}
	if state != nil && !plan.Name.Equal(state.Name) {
		resp.RequiresReplace = append(resp.RequiresReplace, path.Root("name"))
	}
	resp.Diagnostics.Append(resp.Plan.Set(ctx, &plan)...)
}

// planFiles plans to publish files that differ from the state. A registry that cannot be read is
// no error here: apply reports it.
func (r *blueprintResource) planFiles(ctx context.Context, b blueprint.Blueprint, plan *blueprintModel, diags *diag.Diagnostics) {
	var (
		published []blueprint.Revision
		fixed     int
	)
	if status, err := r.publishedBlueprint(ctx, b.Name); err == nil {
		published, fixed = status.Revisions, status.Fixed
	}
	for _, revision := range published {
		if revision.SHA256 == b.SHA256 {
			diags.Append(plan.fill(ctx, revision)...)
			return
		}
	}
	var before []blueprint.MigrationReport
	if len(published) > 0 {
		before = published[0].Kept(b, fixed)
	}
	if err := b.CheckHistory(before); err != nil {
		// A warning, as an error would stop a destroy, too: see refusal. The apply refuses it.
		var found diag.Diagnostics
		plan.addProblems(&found, err)
		diags.Append(asWarnings(found)...)
	}
	diags.Append(plan.fillPlanned(ctx, b, before)...)
}

// publishedBlueprint reads a blueprint for a plan.
func (r *blueprintResource) publishedBlueprint(ctx context.Context, name string) (blueprint.Status, error) {
	if r.backend == nil || !r.isConfigKnown() {
		return blueprint.Status{}, errNotConfigured
	}
	ctx, cancel := context.WithTimeout(r.withLogMask(ctx), readTimeout)
	defer cancel()
	blueprints, err := r.blueprints(ctx)
	if err != nil {
		return blueprint.Status{}, err
	}
	return blueprints.Get(ctx, name)
}

// errNotConfigured is for a plan whose provider is not configured yet.
var errNotConfigured = errors.New("the provider is not configured yet")
