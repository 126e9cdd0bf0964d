package provider

import (
	"context"
	"math"
	"slices"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/list/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/inspection"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// tenantListResource lists the tenants that can be imported.
type tenantListResource struct{ baseResource }

func newTenantListResource() list.ListResource { return &tenantListResource{} }

func (l *tenantListResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_tenant"
}

func (l *tenantListResource) ListResourceConfigSchema(_ context.Context, _ list.ListResourceSchemaRequest, resp *list.ListResourceSchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Tenants that can be imported, newest first: all that are not `ARCHIVED`.",
		Attributes: map[string]schema.Attribute{
			"status": schema.StringAttribute{Optional: true, Validators: []validator.String{stringvalidator.OneOf("PENDING", "PROVISIONING", "ACTIVE", "SUSPENDED", "FAILED")},
				MarkdownDescription: "Only tenants of this status."},
			"search": schema.StringAttribute{Optional: true, Validators: []validator.String{stringvalidator.LengthBetween(1, 255)},
				MarkdownDescription: "Only tenants with this text in their name or their administrator's address, without regard to case."},
			"blueprint": schema.StringAttribute{Optional: true, Validators: []validator.String{fieldValidator{"blueprint", tenant.CheckBlueprint}},
				MarkdownDescription: "Only tenants that were made from this blueprint."},
			"invitation_status": schema.StringAttribute{Optional: true, Validators: []validator.String{stringvalidator.OneOf(invitationStatuses()...)},
				MarkdownDescription: "Only tenants whose administrator's newest invitation has this status."},
			"metadata": schema.MapAttribute{Optional: true, ElementType: types.StringType, Validators: []validator.Map{mapValidator{"metadata", "metadata", tenant.CheckMetadata}},
				MarkdownDescription: "Only tenants whose `metadata` has all of these pairs."},
			"managed_by": schema.StringAttribute{Optional: true, Validators: []validator.String{fieldValidator{"managed_by", tenant.CheckManagedBy}},
				MarkdownDescription: "Only tenants with this `managed_by`."},
			"suspended": schema.BoolAttribute{Optional: true, MarkdownDescription: "`true` for only tenants that are suspended, or were when they were archived, `false` for only the others."},
			"held":      schema.BoolAttribute{Optional: true, MarkdownDescription: "`true` for only tenants under a legal hold, `false` for only those without one."},
			"created_after": schema.StringAttribute{Optional: true, Validators: []validator.String{fieldValidator{"created_after", checkTime}},
				MarkdownDescription: "Only tenants that were recorded after this time (RFC 3339), such as `2026-01-31T00:00:00Z`."},
			"created_before": schema.StringAttribute{Optional: true, Validators: []validator.String{fieldValidator{"created_before", checkTime}},
				MarkdownDescription: "Only tenants that were recorded before this time (RFC 3339)."},
		},
	}
}

func (l *tenantListResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	l.setBackend(req.ProviderData, &resp.Diagnostics)
}

func (l *tenantListResource) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	ctx = l.withLogMask(ctx)
	var model tenantFilters
	diags := req.Config.Get(ctx, &model)
	query := model.query(ctx, &diags)
	query.Limit = tenant.MaxPage
	if diags.HasError() {
		stream.Results = list.ListResultsStreamDiagnostics(diags)
		return
	}
	stream.Results = func(push func(list.ListResult) bool) {
		left := req.Limit
		if left <= 0 {
			left = math.MaxInt64
		}
		query := query // The results can be read more than once.
		for {
			results, next := l.page(ctx, req, query, left)
			for _, r := range results {
				left--
				if !push(r) || left == 0 {
					return
				}
			}
			if next == nil {
				return
			}
			query.After = next
		}
	}
}

// page reads one page of the list, at most limit tenants of it. Each page has its own
// timeout. An error is returned as the only result.
func (l *tenantListResource) page(ctx context.Context, req list.ListRequest, query tenant.ListQuery, limit int64) ([]list.ListResult, *tenant.Position) {
	ctx, cancel := withTimeout(ctx, "read", readTimeout)
	defer cancel()
	page, found, err := l.read(ctx, query, limit, req.IncludeResource)
	if err != nil {
		// Diagnostics need a result: the framework drops them otherwise.
		var failed diag.Diagnostics
		diagnostic{operation: "list"}.add(ctx, &failed, err)
		return []list.ListResult{{Diagnostics: failed}}, nil
	}
	results := make([]list.ListResult, 0, len(found))
	for i := range found {
		if found[i].Tenant.Status != tenant.StatusArchived { // It may have been archived after the list was read.
			results = append(results, l.listResult(ctx, req, found[i]))
		}
	}
	return results, page.Next
}

// read reads a page and, with full, inspects its tenants in one call. Without full, the
// inspections contain only the tenants.
func (l *tenantListResource) read(ctx context.Context, query tenant.ListQuery, limit int64, full bool) (tenant.Page, []inspection.Inspection, error) {
	service, err := l.open(ctx)
	if err != nil {
		return tenant.Page{}, nil, err
	}
	page, err := service.List(ctx, query)
	if errs.KindOf(err) == errs.KindNotFound { // There is no registry yet.
		return tenant.Page{}, nil, nil
	}
	if err != nil {
		return page, nil, err
	}
	page.Tenants = slices.DeleteFunc(page.Tenants, func(t tenant.Tenant) bool { return t.Status == tenant.StatusArchived })
	page.Tenants = page.Tenants[:min(int64(len(page.Tenants)), limit)]
	found, ids := make([]inspection.Inspection, len(page.Tenants)), make([]uuid.UUID, len(page.Tenants))
	at := make(map[uuid.UUID]int, len(page.Tenants))
	for i, t := range page.Tenants {
		found[i].Tenant, ids[i], at[t.ID] = t, t.ID, i
	}
	if !full || len(ids) == 0 {
		return page, found, nil
	}
	inspected, err := service.Inspect(ctx, ids)
	for _, one := range inspected { // Inspect returns them in no particular order.
		if i, listed := at[one.Tenant.ID]; listed {
			found[i] = one
		}
	}
	return page, found, err
}

// listResult converts one tenant to a list result; its resource equals that of a refresh.
func (l *tenantListResource) listResult(ctx context.Context, req list.ListRequest, found inspection.Inspection) list.ListResult {
	r := req.NewListResult(ctx)
	r.DisplayName = found.Tenant.Name
	r.Diagnostics.Append(r.Identity.Set(ctx, identityModel{ID: types.StringValue(found.Tenant.ID.String())})...)
	if !req.IncludeResource {
		return r
	}
	model := nullModel()
	l.setFoundContractState(ctx, &model, found)
	setFoundDatabaseState(ctx, &model, found)
	r.Diagnostics.Append(model.fill(ctx, found.Tenant)...)
	r.Diagnostics.Append(r.Resource.Set(ctx, &model)...)
	return r
}

// nullModel returns a model with every configurable attribute null.
func nullModel() tenantModel {
	return tenantModel{
		Metadata: types.MapNull(types.StringType), Variables: types.MapNull(types.StringType), Outputs: types.MapNull(types.StringType),
		Timeouts: nullTimeouts(),
	}
}

// nullTimeouts is an attribute timeouts that is not set.
func nullTimeouts() timeouts.Value {
	return timeouts.Value{Object: types.ObjectNull(map[string]attr.Type{
		"create": types.StringType, "read": types.StringType, "update": types.StringType, "delete": types.StringType,
	})}
}
