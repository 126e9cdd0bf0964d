package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/invitation"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// tenantFilters are the filters of the data source and of the list of tenants.
type tenantFilters struct {
	Status     types.String `tfsdk:"status"`
	Search     types.String `tfsdk:"search"`
	Blueprint  types.String `tfsdk:"blueprint"`
	Invitation types.String `tfsdk:"invitation_status"`
	Metadata   types.Map    `tfsdk:"metadata"`
	ManagedBy  types.String `tfsdk:"managed_by"`
	Held       types.Bool   `tfsdk:"held"`
	Suspended  types.Bool   `tfsdk:"suspended"`
	After      types.String `tfsdk:"created_after"`
	Before     types.String `tfsdk:"created_before"`
}

// query converts the filters, which validators have checked.
func (m tenantFilters) query(ctx context.Context, diags *diag.Diagnostics) tenant.ListQuery {
	q := tenant.ListQuery{
		Status: tenant.Status(m.Status.ValueString()), Text: m.Search.ValueString(), Blueprint: m.Blueprint.ValueString(), Invitation: invitation.Status(m.Invitation.ValueString()),
		ManagedBy: m.ManagedBy.ValueString(), Held: m.Held.ValueBoolPointer(), Suspended: m.Suspended.ValueBoolPointer(),
	}
	if !m.Metadata.IsNull() {
		diags.Append(m.Metadata.ElementsAs(ctx, &q.Metadata, false)...)
	}
	q.CreatedAfter, _ = time.Parse(time.RFC3339, m.After.ValueString()) // Zero: not set.
	q.CreatedBefore, _ = time.Parse(time.RFC3339, m.Before.ValueString())
	return q
}

// checkTime returns an error for a text that is no time.
func checkTime(text string) error {
	if _, err := time.Parse(time.RFC3339, text); err != nil {
		return fmt.Errorf("is %q, which is no time; give it as 2026-01-31T00:00:00Z", text)
	}
	return nil
}
