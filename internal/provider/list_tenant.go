package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/list/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// tenantListResource lists the tenants that can be imported.
type tenantListResource struct{ baseResource }

func newTenantListResource() list.ListResource { return &tenantListResource{} }

type tenantListModel struct {
	Status types.String `tfsdk:"status"`
	Search types.String `tfsdk:"search"`
}

func (l *tenantListResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_tenant"
}

func (l *tenantListResource) ListResourceConfigSchema(_ context.Context, _ list.ListResourceSchemaRequest, resp *list.ListResourceSchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Tenants that can be imported, newest first: all but those that are `ARCHIVED`.",
		Attributes: map[string]schema.Attribute{
			"status": schema.StringAttribute{Optional: true, Validators: []validator.String{stringvalidator.OneOf("PENDING", "PROVISIONING", "ACTIVE", "SUSPENDED", "FAILED")},
				MarkdownDescription: "Only tenants of this status."},
			"search": schema.StringAttribute{Optional: true, Validators: []validator.String{stringvalidator.LengthBetween(1, 255)},
				MarkdownDescription: "Only tenants with this text in their name or their administrator's address, without regard to case."},
		},
	}
}

func (l *tenantListResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	l.setBackend(req.ProviderData, &resp.Diagnostics)
}

func (l *tenantListResource) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	ctx = l.withLogMask(ctx)
	var model tenantListModel
	diags := req.Config.Get(ctx, &model)
	if diags.HasError() {
		stream.Results = list.ListResultsStreamDiagnostics(diags)
		return
	}
	stream.Results = func(push func(list.ListResult) bool) {
		ctx, cancel := withTimeout(ctx, "read", readTimeout)
		defer cancel()
		count := int64(0)
		err := l.eachTenant(ctx, model, func(t tenant.Tenant) bool {
			count++
			return push(l.listResult(ctx, req, t)) && count < req.Limit
		})
		if err != nil {
			// A result must come with it: the framework drops diagnostics without one.
			var failure diag.Diagnostics
			diagnostic{operation: "list"}.add(ctx, &failure, err)
			push(list.ListResult{Diagnostics: failure})
		}
	}
}

// eachTenant gives the tenants, whole where they are to be shown whole.
func (l *tenantListResource) eachTenant(ctx context.Context, m tenantListModel, yield func(tenant.Tenant) bool) error {
	service, err := l.open(ctx)
	if err != nil {
		return err
	}
	query := tenant.ListQuery{Status: tenant.Status(m.Status.ValueString()), Text: m.Search.ValueString()}
	for t, err := range service.All(ctx, query) {
		if err != nil {
			return err
		}
		if t.Status == tenant.StatusArchived {
			continue
		}
		if !yield(t) {
			return nil
		}
	}
	return nil
}

// listResult is one tenant of the list, as a refresh would show it.
func (l *tenantListResource) listResult(ctx context.Context, req list.ListRequest, t tenant.Tenant) list.ListResult {
	r := req.NewListResult(ctx)
	r.DisplayName = t.Name
	r.Diagnostics.Append(r.Identity.Set(ctx, identityModel{ID: types.StringValue(t.ID.String())})...)
	if !req.IncludeResource {
		return r
	}
	found, err := l.inspect(ctx, t.ID)
	if err != nil {
		diagnostic{operation: "list", name: t.Name}.add(ctx, &r.Diagnostics, err)
		return r
	}
	model := nullModel()
	l.setFoundContractState(ctx, &model, found, nil)
	setFoundDatabaseState(ctx, &model, found)
	r.Diagnostics.Append(model.fill(ctx, found.Tenant)...)
	r.Diagnostics.Append(r.Resource.Set(ctx, &model)...)
	return r
}

// nullModel is a model of which the configuration says nothing.
func nullModel() tenantModel {
	return tenantModel{
		Metadata: types.MapNull(types.StringType),
		Timeouts: timeouts.Value{Object: types.ObjectNull(map[string]attr.Type{
			"create": types.StringType, "read": types.StringType, "update": types.StringType, "delete": types.StringType,
		})},
	}
}
