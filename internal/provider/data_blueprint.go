package provider

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// blueprintDataSource reads one published blueprint.
type blueprintDataSource struct{ baseResource }

func newBlueprintDataSource() datasource.DataSource { return &blueprintDataSource{} }

type blueprintDataModel struct {
	Name          types.String `tfsdk:"name"`
	Revision      types.Int64  `tfsdk:"revision"`
	SchemaVersion types.Int64  `tfsdk:"schema_version"`
	SHA256        types.String `tfsdk:"sha256"`
	TenantsTotal  types.Int64  `tfsdk:"tenants_total"`
	TenantsBehind types.Int64  `tfsdk:"tenants_behind"`
	RetiredAt     types.String `tfsdk:"retired_at"`
}

func (d *blueprintDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_blueprint"
}

func (d *blueprintDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "One published blueprint, and how many tenants have its active revision. The blueprint `standard` is part of the programs and is not published.",
		Attributes: map[string]schema.Attribute{
			"name":           schema.StringAttribute{Required: true, Validators: []validator.String{fieldValidator{"name", tenant.CheckBlueprint}}, MarkdownDescription: "Name of the blueprint."},
			"revision":       schema.Int64Attribute{Computed: true, MarkdownDescription: "The active revision, which new tenants get; null if none was activated yet."},
			"schema_version": schema.Int64Attribute{Computed: true, MarkdownDescription: "Number of the active revision's last migration; null without an active revision."},
			"sha256":         schema.StringAttribute{Computed: true, MarkdownDescription: "SHA-256 of the active revision's files, hex; null without an active revision."},
			"tenants_total":  schema.Int64Attribute{Computed: true, MarkdownDescription: "Tenants of the blueprint that have a schema."},
			"tenants_behind": schema.Int64Attribute{Computed: true, MarkdownDescription: "Of these, the tenants that `tenant-api tenants migrate` would bring to the active revision."},
			"retired_at":     schema.StringAttribute{Computed: true, MarkdownDescription: "Since when it makes no new tenants (RFC 3339, UTC); null while it is in use."},
		},
	}
}

func (d *blueprintDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.setBackend(req.ProviderData, &resp.Diagnostics)
}

func (d *blueprintDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	ctx = d.withLogMask(ctx)
	var model blueprintDataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := withTimeout(ctx, "read", readTimeout)
	defer cancel()
	var status blueprint.Status
	blueprints, err := d.blueprints(ctx)
	if err == nil {
		status, err = blueprints.Get(ctx, model.Name.ValueString())
	}
	if err != nil {
		failed := diagnostic{object: "blueprint", operation: "read", name: model.Name.ValueString()}
		if errs.KindOf(err) == errs.KindNotFound {
			failed.remedy = "Correct the name, or publish the blueprint first: a data source reads what exists when it is refreshed."
		}
		failed.add(ctx, &resp.Diagnostics, err)
		return
	}
	model = blueprintDataModel{
		Name: types.StringValue(status.Name), Revision: nullableInt64(status.ActiveRevision), RetiredAt: nullableTime(status.RetiredAt),
		TenantsTotal: types.Int64Value(int64(status.Tenants)), TenantsBehind: types.Int64Value(int64(status.TenantsBehind)),
	}
	if at := slices.IndexFunc(status.Revisions, func(r blueprint.Revision) bool { return r.Number == status.ActiveRevision }); at >= 0 {
		model.SchemaVersion, model.SHA256 = types.Int64Value(int64(status.SchemaVersion)), types.StringValue(status.Revisions[at].SHA256)
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &model)...)
}
