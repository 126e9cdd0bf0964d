package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// tenantsDataSource lists tenants.
type tenantsDataSource struct{ baseResource }

func newTenantsDataSource() datasource.DataSource { return &tenantsDataSource{} }

type tenantsDataModel struct {
	tenantFilters
	Limit   types.Int64     `tfsdk:"limit"`
	Tenants []tenantSummary `tfsdk:"tenants"`
}

type tenantSummary struct {
	ID         types.String `tfsdk:"id"`
	Name       types.String `tfsdk:"name"`
	Status     types.String `tfsdk:"status"`
	AdminEmail types.String `tfsdk:"admin_email"`
	Invitation types.String `tfsdk:"invitation_status"`
	CreatedAt  types.String `tfsdk:"created_at"`

	Blueprint        types.String `tfsdk:"blueprint"`
	Variables        types.Map    `tfsdk:"variables"`
	BlueprintVersion types.Int64  `tfsdk:"blueprint_schema_version"`
}

// statusNames returns all statuses, for validators.
func statusNames() (names []string) {
	for _, s := range tenant.Statuses() {
		names = append(names, string(s))
	}
	return names
}

// invitationStatuses returns all statuses of invitations, for validators.
func invitationStatuses() (names []string) {
	for _, s := range invitation.Statuses() {
		names = append(names, string(s))
	}
	return names
}

func (d *tenantsDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_tenants"
}

func (d *tenantsDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	computed := func(text string) schema.StringAttribute {
		return schema.StringAttribute{Computed: true, MarkdownDescription: text}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "Tenants, newest first. Use the data source `healthcare_tenant` for all attributes of one tenant.",
		Attributes: map[string]schema.Attribute{
			"status": schema.StringAttribute{Optional: true, Validators: []validator.String{stringvalidator.OneOf(statusNames()...)},
				MarkdownDescription: "Only tenants of this status: `PENDING`, `PROVISIONING`, `ACTIVE`, `SUSPENDED`, `FAILED` or `ARCHIVED`."},
			"search": schema.StringAttribute{Optional: true, Validators: []validator.String{stringvalidator.LengthBetween(1, 255)},
				MarkdownDescription: "Only tenants with this text in their name or their administrator's address, without regard to case."},
			"blueprint": schema.StringAttribute{Optional: true, Validators: []validator.String{fieldValidator{"blueprint", tenant.CheckBlueprint}},
				MarkdownDescription: "Only tenants that were made from this blueprint."},
			"invitation_status": schema.StringAttribute{Optional: true, Validators: []validator.String{stringvalidator.OneOf(invitationStatuses()...)},
				MarkdownDescription: "Only tenants whose administrator's newest invitation has this status: `NONE`, `PENDING`, `ACCEPTED`, `EXPIRED` or `REVOKED`."},
			"metadata": schema.MapAttribute{Optional: true, ElementType: types.StringType, Validators: []validator.Map{mapValidator{"metadata", "metadata", tenant.CheckMetadata}},
				MarkdownDescription: "Only tenants whose `metadata` has all of these pairs."},
			"managed_by": schema.StringAttribute{Optional: true, Validators: []validator.String{fieldValidator{"managed_by", tenant.CheckManagedBy}},
				MarkdownDescription: "Only tenants with this `managed_by`."},
			"created_after": schema.StringAttribute{Optional: true, Validators: []validator.String{fieldValidator{"created_after", checkTime}},
				MarkdownDescription: "Only tenants that were recorded after this time (RFC 3339), such as `2026-01-31T00:00:00Z`."},
			"created_before": schema.StringAttribute{Optional: true, Validators: []validator.String{fieldValidator{"created_before", checkTime}},
				MarkdownDescription: "Only tenants that were recorded before this time (RFC 3339)."},
			"suspended": schema.BoolAttribute{Optional: true, MarkdownDescription: "`true` for only tenants that are suspended, or were when they were archived, `false` for only the others."},
			"held":      schema.BoolAttribute{Optional: true, MarkdownDescription: "`true` for only tenants under a legal hold, `false` for only those without one."},
			"limit": schema.Int64Attribute{Optional: true, Validators: []validator.Int64{int64validator.AtLeast(1)},
				MarkdownDescription: "Maximum number of tenants to read. Default: all."},
			"tenants": schema.ListNestedAttribute{Computed: true, MarkdownDescription: "The tenants.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"id":                       computed("UUID of the tenant."),
					"name":                     computed("Name of the organisation."),
					"status":                   computed("Status."),
					"admin_email":              computed("Address of the first administrator."),
					"invitation_status":        computed("Status of the administrator's newest invitation."),
					"created_at":               computed("When the tenant was recorded (RFC 3339, UTC)."),
					"blueprint":                computed("Name of the blueprint that the tenant is made from."),
					"variables":                schema.MapAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "The blueprint's variables as they were given for this tenant."},
					"blueprint_schema_version": schema.Int64Attribute{Computed: true, MarkdownDescription: "Number of the blueprint's last migration in the tenant's schema; null until the tenant has one."},
				}}},
		},
	}
}

func (d *tenantsDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.setBackend(req.ProviderData, &resp.Diagnostics)
}

func (d *tenantsDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	ctx = d.withLogMask(ctx)
	var model tenantsDataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := withTimeout(ctx, "read", readTimeout)
	defer cancel()
	service, err := d.open(ctx)
	if err != nil {
		diagnostic{operation: "list"}.add(ctx, &resp.Diagnostics, err)
		return
	}
	model.Tenants = []tenantSummary{}
	for t, err := range service.All(ctx, model.query(ctx, &resp.Diagnostics)) {
		if errs.KindOf(err) == errs.KindNotFound { // There is no registry yet.
			break
		}
		if err != nil {
			diagnostic{operation: "list"}.add(ctx, &resp.Diagnostics, err)
			return
		}
		variables, diags := mapOf(ctx, t.Variables)
		resp.Diagnostics.Append(diags...)
		model.Tenants = append(model.Tenants, tenantSummary{
			ID: types.StringValue(t.ID.String()), Name: types.StringValue(t.Name), Status: types.StringValue(string(t.Status)),
			AdminEmail: types.StringValue(t.AdminEmail), Invitation: types.StringValue(string(t.Invitation.Status)), CreatedAt: timestamp(t.CreatedAt),
			Blueprint: types.StringValue(t.Blueprint), Variables: variables, BlueprintVersion: nullableInt64(t.SchemaVersion),
		})
		if !model.Limit.IsNull() && int64(len(model.Tenants)) >= model.Limit.ValueInt64() {
			break
		}
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, &model)...)
}
