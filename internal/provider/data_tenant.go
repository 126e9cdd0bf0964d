package provider

import (
	"context"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework-validators/datasourcevalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/datasource/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// tenantDataSource reads one tenant of any status.
type tenantDataSource struct{ baseResource }

func newTenantDataSource() datasource.DataSource { return &tenantDataSource{} }

// tenantDataModel is healthcare_tenant as a data source.
type tenantDataModel struct {
	ID                  types.String `tfsdk:"id"`
	Name                types.String `tfsdk:"name"`
	ExternalID          types.String `tfsdk:"external_id"`
	AdminEmail          types.String `tfsdk:"admin_email"`
	AdminFirstName      types.String `tfsdk:"admin_first_name"`
	AdminLastName       types.String `tfsdk:"admin_last_name"`
	Metadata            types.Map    `tfsdk:"metadata"`
	Blueprint           types.String `tfsdk:"blueprint"`
	Variables           types.Map    `tfsdk:"variables"`
	Locale              types.String `tfsdk:"locale"`
	AllowConfusableName types.Bool   `tfsdk:"allow_confusable_name"`
	BlueprintVersion    types.Int64  `tfsdk:"blueprint_schema_version"`
	Outputs             types.Map    `tfsdk:"outputs"`
	ManagedBy           types.String `tfsdk:"managed_by"`
	SchemaName          types.String `tfsdk:"schema_name"`
	DatabaseRole        types.String `tfsdk:"database_role"`
	Status              types.String `tfsdk:"status"`
	ProvisioningError   types.String `tfsdk:"provisioning_error"`
	SorobanContractID   types.String `tfsdk:"soroban_contract_id"`
	WelcomeEmailStatus  types.String `tfsdk:"welcome_email_status"`
	Invitation          types.Object `tfsdk:"invitation"`
	CreatedAt           types.String `tfsdk:"created_at"`
	UpdatedAt           types.String `tfsdk:"updated_at"`
	ActivatedAt         types.String `tfsdk:"activated_at"`
	SuspendedAt         types.String `tfsdk:"suspended_at"`
	ArchivedAt          types.String `tfsdk:"archived_at"`
	DeletionProtection  types.Bool   `tfsdk:"deletion_protection"`
	LegalHold           types.Object `tfsdk:"legal_hold"`
}

func (d *tenantDataSource) Metadata(_ context.Context, req datasource.MetadataRequest, resp *datasource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_tenant"
}

func (d *tenantDataSource) Schema(_ context.Context, _ datasource.SchemaRequest, resp *datasource.SchemaResponse) {
	computed := func(text string) schema.StringAttribute {
		return schema.StringAttribute{Computed: true, MarkdownDescription: text}
	}
	key := func(text string, rules ...validator.String) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, Computed: true, Validators: rules, MarkdownDescription: text}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "One tenant of any status, found by its `id`, its `name` or its `external_id`. " +
			"Among tenants of the same name the live one is returned, otherwise the one that was archived last.",
		Attributes: map[string]schema.Attribute{
			"id":                       key("UUID of the tenant.", fieldValidator{"id", checkUUID}),
			"name":                     key("Name, without regard to case.", fieldValidator{"name", tenant.CheckName}),
			"external_id":              key("Your own key for the tenant.", fieldValidator{"external_id", tenant.CheckExternalID}),
			"admin_email":              computed("Address of the first administrator."),
			"admin_first_name":         computed("First name of the administrator."),
			"admin_last_name":          computed("Last name of the administrator."),
			"metadata":                 schema.MapAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "Additional data about the tenant."},
			"blueprint":                computed("Name of the blueprint that the tenant is made from."),
			"locale":                   schema.StringAttribute{Computed: true, MarkdownDescription: "Language of the mails to the administrator; null: the blueprint's."},
			"allow_confusable_name":    schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether its name may look like that of another tenant, through letters of another script."},
			"variables":                schema.MapAttribute{Computed: true, ElementType: types.StringType, MarkdownDescription: "The blueprint's variables as they were given for this tenant."},
			"blueprint_schema_version": schema.Int64Attribute{Computed: true, MarkdownDescription: "Number of the blueprint's last migration in the tenant's schema; null until the tenant has one."},
			"outputs":                  schema.MapAttribute{Computed: true, Sensitive: true, ElementType: types.StringType, MarkdownDescription: "What the blueprint's own steps answered, by name; null until the tenant was live. In `api` mode empty if the key lacks the scope `tenants:write`."},
			"managed_by":               computed("Who manages the tenant: the `managed_by` of the provider that created it."),
			"schema_name":              computed("PostgreSQL schema with the tenant's data."),
			"database_role":            computed("PostgreSQL role with access to this schema only."),
			"status":                   computed("`PENDING`, `PROVISIONING`, `ACTIVE`, `SUSPENDED`, `FAILED` or `ARCHIVED`."),
			"provisioning_error":       computed("Why the last attempt failed; null if it did not fail."),
			"soroban_contract_id":      computed("Address (`C...`) of the tenant's contract; null until it is verified."),
			"welcome_email_status":     computed("`SENT`, `PENDING`, `FAILED`, or `SKIPPED` for a tenant that was adopted without a mail."),
			"invitation":               invitationAttribute(),
			"created_at":               computed("When the tenant was recorded (RFC 3339, UTC)."),
			"updated_at":               computed("When the tenant last changed."),
			"activated_at":             computed("When the tenant first went live; null before."),
			"suspended_at":             computed("Since when the tenant is suspended; null otherwise."),
			"deletion_protection":      schema.BoolAttribute{Computed: true, MarkdownDescription: "Whether the tenant is neither archived nor purged."},
			"legal_hold": schema.SingleNestedAttribute{Computed: true, MarkdownDescription: "The legal hold: nothing deletes the tenant's data. Null without one.", Attributes: map[string]schema.Attribute{
				"reason": computed("Why it was set."), "by": computed("Who set it."), "since": computed("Since when it holds."),
			}},
			"archived_at": computed("When the tenant was archived; null otherwise."),
		},
	}
}

func (d *tenantDataSource) ConfigValidators(context.Context) []datasource.ConfigValidator {
	return []datasource.ConfigValidator{datasourcevalidator.ExactlyOneOf(path.MatchRoot("id"), path.MatchRoot("name"), path.MatchRoot("external_id"))}
}

func (d *tenantDataSource) Configure(_ context.Context, req datasource.ConfigureRequest, resp *datasource.ConfigureResponse) {
	d.setBackend(req.ProviderData, &resp.Diagnostics)
}

func (d *tenantDataSource) Read(ctx context.Context, req datasource.ReadRequest, resp *datasource.ReadResponse) {
	ctx = d.withLogMask(ctx)
	var model tenantDataModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := withTimeout(ctx, "read", readTimeout)
	defer cancel()
	t, err := d.find(ctx, model)
	if err != nil {
		diagnostic{operation: "read", name: model.lookupKey(), remedy: notFoundRemedy(err)}.add(ctx, &resp.Diagnostics, err)
		return
	}
	model, diags := tenantDataModelOf(ctx, t)
	resp.Diagnostics.Append(diags...)
	resp.Diagnostics.Append(resp.State.Set(ctx, &model)...)
}

func (d *tenantDataSource) find(ctx context.Context, m tenantDataModel) (tenant.Tenant, error) {
	service, err := d.open(ctx)
	if err != nil {
		return tenant.Tenant{}, err
	}
	switch {
	case m.Name.ValueString() != "":
		return service.FindByName(ctx, m.Name.ValueString())
	case m.ExternalID.ValueString() != "":
		return service.FindByExternalID(ctx, m.ExternalID.ValueString())
	}
	id, err := uuid.Parse(m.ID.ValueString())
	if err != nil {
		return tenant.Tenant{}, errs.Errorf(errs.KindInvalid, "read tenant", "the id is not a UUID")
	}
	return service.Get(ctx, id)
}

// lookupKey returns the key that the tenant is searched by, for messages.
func (m tenantDataModel) lookupKey() string {
	for _, v := range []types.String{m.Name, m.ExternalID, m.ID} {
		if v.ValueString() != "" {
			return v.ValueString()
		}
	}
	return ""
}

// notFoundRemedy returns what the user can do when the tenant does not exist.
func notFoundRemedy(err error) string {
	if errs.KindOf(err) == errs.KindNotFound {
		return "Correct the key, or create the tenant first: a data source reads what exists when it is refreshed."
	}
	return ""
}

func tenantDataModelOf(ctx context.Context, t tenant.Tenant) (m tenantDataModel, diags diagnostics) {
	m = tenantDataModel{
		ID: types.StringValue(t.ID.String()), Name: types.StringValue(t.Name), ExternalID: nullableString(t.ExternalID), Locale: nullableString(t.Locale), AllowConfusableName: types.BoolValue(t.AllowConfusableName),
		AdminEmail: types.StringValue(t.AdminEmail), AdminFirstName: types.StringValue(t.AdminFirstName), AdminLastName: types.StringValue(t.AdminLastName),
		ManagedBy: nullableString(t.ManagedBy), SchemaName: types.StringValue(t.SchemaName), DatabaseRole: types.StringValue(t.DatabaseRole),
		Status: types.StringValue(string(t.Status)), ProvisioningError: nullableString(t.ProvisioningError), SorobanContractID: nullableString(t.ContractID),
		WelcomeEmailStatus: types.StringValue(string(t.WelcomeEmail)), CreatedAt: timestamp(t.CreatedAt), UpdatedAt: timestamp(t.UpdatedAt),
		ActivatedAt: nullableTime(t.ActivatedAt), ArchivedAt: nullableTime(t.ArchivedAt),
		SuspendedAt: nullableTime(t.SuspendedAt), DeletionProtection: types.BoolValue(t.DeletionProtection), LegalHold: heldObject(t.Hold),
	}
	m.Blueprint, m.BlueprintVersion = types.StringValue(t.Blueprint), nullableInt64(t.SchemaVersion)
	m.Metadata, diags = mapOf(ctx, t.Metadata)
	variables, more := mapOf(ctx, t.Variables)
	m.Variables = variables
	diags.Append(more...)
	m.Outputs, more = outputsOf(ctx, t)
	diags.Append(more...)
	m.Invitation, more = invitationObject(t.Invitation)
	diags.Append(more...)
	return m, diags
}

// mapOf converts a map; nil is an empty one.
func mapOf(ctx context.Context, values map[string]string) (types.Map, diagnostics) {
	if values == nil {
		values = map[string]string{}
	}
	return types.MapValueFrom(ctx, types.StringType, values)
}

var heldTypes = map[string]attr.Type{"reason": types.StringType, "by": types.StringType, "since": types.StringType}

// heldObject is legal_hold of the data source.
func heldObject(h tenant.Hold) types.Object {
	if !h.Active() {
		return types.ObjectNull(heldTypes)
	}
	return types.ObjectValueMust(heldTypes, map[string]attr.Value{"reason": types.StringValue(h.Reason), "by": types.StringValue(h.By), "since": timestamp(h.Since)})
}
