package provider

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// This file has deletion_protection, suspended and legal_hold: they are in the registry, and what the
// configuration leaves out is not managed.

func protectionAttribute() schema.BoolAttribute {
	return schema.BoolAttribute{Optional: true, Computed: true,
		MarkdownDescription: "Refuse to archive, replace or purge the tenant while this is `true`: by Terraform, the API and the command line. Not written: not managed."}
}

func suspendedAttribute() schema.BoolAttribute {
	return schema.BoolAttribute{Optional: true, Computed: true,
		MarkdownDescription: "Take the tenant out of service for a time (`true`), or bring it back (`false`), in place. While it is suspended, no role but the owner's can use its schema; its logins with their sessions and its invitations end. Not written: not managed."}
}

func legalHoldAttribute() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{Optional: true, Computed: true,
		MarkdownDescription: "A legal hold: a purge, and a migration that deletes data, are refused and recorded. `active = false` with a reason clears it, for which the token needs the scope `tenants:hold` in `api` mode. Not written: not managed; to remove it from the configuration clears nothing.",
		Validators:          []validator.Object{completeHold{}},
		// Both are written or none is. Were they required, Terraform would plan the removal of the hold for
		// a configuration that leaves it out.
		Attributes: map[string]schema.Attribute{
			"active": schema.BoolAttribute{Optional: true, Computed: true, MarkdownDescription: "Whether there is a hold. Needed."},
			"reason": schema.StringAttribute{Optional: true, Computed: true, Validators: []validator.String{fieldValidator{"reason", checkReason}}, MarkdownDescription: "Why it is set, or why it is cleared; the audit log keeps both. Needed."},
		}}
}

// completeHold requires both attributes of a legal hold.
type completeHold struct{}

func (completeHold) Description(context.Context) string             { return "has active and reason" }
func (v completeHold) MarkdownDescription(c context.Context) string { return v.Description(c) }

func (completeHold) ValidateObject(_ context.Context, req validator.ObjectRequest, resp *validator.ObjectResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() {
		return
	}
	for name, remedy := range map[string]string{"active": "write true to set the hold, or false to clear it", "reason": "say why"} {
		if value := req.ConfigValue.Attributes()[name]; value == nil || value.IsNull() {
			resp.Diagnostics.AddAttributeError(req.Path.AtName(name), "Invalid legal_hold", "The "+name+" of legal_hold is not set; "+remedy+". Without a legal_hold at all, it is not managed.")
		}
	}
}

func checkReason(reason string) error {
	if reason != strings.TrimSpace(reason) {
		return fmt.Errorf("begins or ends with white space; remove it")
	}
	return tenant.CheckReason(reason)
}

// holdModel is legal_hold.
type holdModel struct {
	Active types.Bool   `tfsdk:"active"`
	Reason types.String `tfsdk:"reason"`
}

var holdTypes = map[string]attr.Type{"active": types.BoolType, "reason": types.StringType}

// holdOf reads a known legal_hold; ok is false for null and unknown.
func holdOf(object types.Object) (m holdModel, ok bool) {
	if object.IsNull() || object.IsUnknown() {
		return m, false
	}
	diags := object.As(context.Background(), &m, basetypes.ObjectAsOptions{})
	return m, !diags.HasError()
}

// holdObject is legal_hold of a tenant. That a hold was cleared stays in the state as it was written.
func holdObject(before types.Object, h tenant.Hold) types.Object {
	m, known := holdOf(before)
	switch {
	case h.Active():
		return types.ObjectValueMust(holdTypes, map[string]attr.Value{"active": types.BoolValue(true), "reason": types.StringValue(h.Reason)})
	case known && !m.Active.ValueBool():
		return before
	case known: // Cleared by other means.
		return types.ObjectValueMust(holdTypes, map[string]attr.Value{"active": types.BoolValue(false), "reason": types.StringNull()})
	}
	return types.ObjectNull(holdTypes)
}

// lifeConfig is what the configuration writes of these attributes; null: not managed.
type lifeConfig struct {
	protection types.Bool
	suspended  types.Bool
	hold       types.Object
}

func readLifeConfig(ctx context.Context, config tfsdk.Config, diags *diag.Diagnostics) (c lifeConfig) {
	for name, target := range map[string]any{"deletion_protection": &c.protection, "suspended": &c.suspended, "legal_hold": &c.hold} {
		diags.Append(config.GetAttribute(ctx, path.Root(name), target)...)
	}
	return c
}

// deletionProtection is Inputs.DeletionProtection.
func (c lifeConfig) deletionProtection() *bool {
	if c.protection.IsNull() {
		return nil
	}
	return c.protection.ValueBoolPointer()
}

// planLife plans what the configuration leaves out: it stays as it is. It returns the planned value of
// suspended.
func planLife(ctx context.Context, req resource.ModifyPlanRequest, resp *resource.ModifyPlanResponse, state tenantModel) types.Bool {
	c := readLifeConfig(ctx, req.Config, &resp.Diagnostics)
	set := func(name string, value attr.Value) {
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root(name), value)...)
	}
	if c.protection.IsNull() && !state.DeletionProtection.IsNull() {
		set("deletion_protection", state.DeletionProtection)
	}
	if c.hold.IsNull() {
		set("legal_hold", state.LegalHold)
	}
	if !c.suspended.IsNull() {
		return c.suspended
	}
	if !state.Suspended.IsNull() {
		set("suspended", state.Suspended)
	}
	return state.Suspended
}

// resumeFirst resumes a tenant that is not to be suspended any more, before its other changes: a
// changed address is invited only while the tenant is ACTIVE.
func (r *tenantResource) resumeFirst(ctx context.Context, service tenantService, c lifeConfig, state tenantModel, diags *diag.Diagnostics) error {
	if c.suspended.IsNull() || c.suspended.ValueBool() || !state.Suspended.ValueBool() {
		return nil
	}
	id, err := state.tenantID()
	if err != nil {
		return err
	}
	t, err := service.Resume(ctx, id)
	if err == nil {
		r.setContractStatus(ctx, t, diags)
	}
	return err
}

// applyLife suspends, holds and clears what the configuration asks for, for a live tenant. What was
// done before an error stays.
func (r *tenantResource) applyLife(ctx context.Context, service tenantService, c lifeConfig, t tenant.Tenant, diags *diag.Diagnostics) tenant.Tenant {
	if !t.Status.Live() {
		return t
	}
	t, err := applyHold(ctx, service, c, t)
	if err != nil {
		diagnostic{operation: "change the legal hold of", name: t.Name, state: liveState}.add(ctx, diags, err)
		return t
	}
	if c.suspended.IsNull() || c.suspended.ValueBool() == t.Suspended() {
		return t
	}
	if !c.suspended.ValueBool() { // It was suspended after the plan.
		resumed, err := service.Resume(ctx, t.ID)
		if err != nil {
			diagnostic{operation: "resume", name: t.Name, state: liveState}.add(ctx, diags, err)
			return t
		}
		r.setContractStatus(ctx, resumed, diags)
		return resumed
	}
	out, err := service.Suspend(ctx, t.ID)
	if err != nil {
		diagnostic{operation: "suspend", name: t.Name, state: liveState}.add(ctx, diags, err)
		return t
	}
	tflog.Info(ctx, "suspended the tenant", map[string]any{"tenant_id": t.ID.String()})
	r.setContractStatus(ctx, out.Tenant, diags)
	for _, warning := range out.Warnings {
		diags.AddAttributeWarning(path.Root("suspended"), "Sessions of a suspended tenant", fmt.Sprintf("Tenant %q (%s) is suspended, but %s.", t.Name, t.ID, warning))
	}
	return out.Tenant
}

const liveState = "The tenant is live and in the state; what was done before this error stays."

// applyHold sets or clears the legal hold.
func applyHold(ctx context.Context, service tenantService, c lifeConfig, t tenant.Tenant) (tenant.Tenant, error) {
	hold, ok := holdOf(c.hold)
	reason := hold.Reason.ValueString()
	changed, err := t, error(nil)
	switch {
	case ok && hold.Active.ValueBool() && t.Hold.Reason != reason:
		changed, err = service.SetHold(ctx, t.ID, reason)
	case ok && !hold.Active.ValueBool() && t.Hold.Active():
		changed, err = service.ClearHold(ctx, t.ID, reason)
	}
	if err != nil {
		return t, err
	}
	return changed, nil
}

// keepPlannedLife keeps what was planned for attributes that the configuration leaves out: they can
// change elsewhere between plan and apply. The next refresh reads what they are then.
func keepPlannedLife(plan tenantModel, t *tenant.Tenant) {
	if !plan.DeletionProtection.IsNull() && !plan.DeletionProtection.IsUnknown() {
		t.DeletionProtection = plan.DeletionProtection.ValueBool()
	}
	if !plan.Suspended.IsNull() && !plan.Suspended.IsUnknown() && plan.Suspended.ValueBool() != t.Suspended() {
		t.SuspendedAt = time.Time{}
		if plan.Suspended.ValueBool() {
			t.SuspendedAt = t.UpdatedAt
		}
	}
	if hold, ok := holdOf(plan.LegalHold); ok && hold.Active.ValueBool() {
		t.Hold = tenant.Hold{Reason: hold.Reason.ValueString(), By: t.Hold.By, Since: t.UpdatedAt}
	} else if !plan.LegalHold.IsUnknown() {
		t.Hold = tenant.Hold{}
	}
	if !plan.Status.IsUnknown() && !plan.Status.IsNull() && t.Status.Live() {
		t.Status = tenant.Status(plan.Status.ValueString())
	}
}
