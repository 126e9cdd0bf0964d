package provider

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// tenantModel is healthcare_tenant in plan and state.
type tenantModel struct {
	ID                   types.String   `tfsdk:"id"`
	Name                 nameValue      `tfsdk:"name"`
	AdminEmail           types.String   `tfsdk:"admin_email"`
	AdminFirstName       nameValue      `tfsdk:"admin_first_name"`
	AdminLastName        nameValue      `tfsdk:"admin_last_name"`
	AdminPassword        types.String   `tfsdk:"admin_password_wo"` // Null in plan and state: see passwordFromConfig.
	AdminPasswordVersion types.Int64    `tfsdk:"admin_password_wo_version"`
	ExternalID           types.String   `tfsdk:"external_id"`
	Metadata             types.Map      `tfsdk:"metadata"`
	Blueprint            types.String   `tfsdk:"blueprint"`
	Variables            types.Map      `tfsdk:"variables"`
	Locale               types.String   `tfsdk:"locale"`
	AllowConfusableName  types.Bool     `tfsdk:"allow_confusable_name"`
	BlueprintVersion     types.Int64    `tfsdk:"blueprint_schema_version"`
	Outputs              types.Map      `tfsdk:"outputs"`
	DeletionProtection   types.Bool     `tfsdk:"deletion_protection"`
	DeletionPolicy       types.String   `tfsdk:"deletion_policy"`
	UnarchiveExisting    types.Bool     `tfsdk:"unarchive_existing"`
	Suspended            types.Bool     `tfsdk:"suspended"`
	LegalHold            types.Object   `tfsdk:"legal_hold"`
	Timeouts             timeouts.Value `tfsdk:"timeouts"`
	SchemaName           types.String   `tfsdk:"schema_name"`
	DatabaseRole         types.String   `tfsdk:"database_role"`
	DatabaseState        types.String   `tfsdk:"database_state"`
	Status               types.String   `tfsdk:"status"`
	SorobanContractID    types.String   `tfsdk:"soroban_contract_id"`
	SorobanContractState types.String   `tfsdk:"soroban_contract_state"`
	WelcomeEmailStatus   types.String   `tfsdk:"welcome_email_status"`
	CreatedAt            types.String   `tfsdk:"created_at"`
	UpdatedAt            types.String   `tfsdk:"updated_at"`
}

// identityModel is what identifies a tenant to Terraform.
type identityModel struct {
	ID types.String `tfsdk:"id"`
}

// inputs returns the configured inputs without the password.
func (m tenantModel) inputs(managedBy string) tenant.Inputs {
	metadata, _ := knownMap(m.Metadata) // At apply all values are known.
	variables, _ := knownMap(m.Variables)
	return tenant.Inputs{
		Name: m.Name.ValueString(), AdminEmail: m.AdminEmail.ValueString(),
		AdminFirstName: m.AdminFirstName.ValueString(), AdminLastName: m.AdminLastName.ValueString(),
		ExternalID: m.ExternalID.ValueString(), Metadata: metadata, ManagedBy: managedBy,
		Blueprint: m.Blueprint.ValueString(), Variables: variables, Locale: m.Locale.ValueString(), AllowConfusableName: m.AllowConfusableName.ValueBool(),
		UnarchiveExisting: m.UnarchiveExisting.ValueBool(),
	}
}

// tenantID reads the id of a tenant that is in the state.
func (m tenantModel) tenantID() (uuid.UUID, error) { return uuid.Parse(m.ID.ValueString()) }

// fill copies the registry's values into the model. A null map and an empty one mean the
// same, so the model keeps the configured form.
func (m *tenantModel) fill(ctx context.Context, t tenant.Tenant) diag.Diagnostics {
	m.ID = types.StringValue(t.ID.String())
	m.Name, m.AdminEmail = newNameValue(t.Name), types.StringValue(t.AdminEmail)
	m.AdminFirstName, m.AdminLastName = newNameValue(t.AdminFirstName), newNameValue(t.AdminLastName)
	m.AdminPassword = types.StringNull() // Terraform rejects a state with a write-only value.
	m.ExternalID, m.Locale = nullableString(t.ExternalID), nullableString(t.Locale)
	if t.AllowConfusableName || !m.AllowConfusableName.IsNull() { // Null and false mean the same.
		m.AllowConfusableName = types.BoolValue(t.AllowConfusableName)
	}
	m.SchemaName, m.DatabaseRole = types.StringValue(t.SchemaName), types.StringValue(t.DatabaseRole)
	m.Status, m.WelcomeEmailStatus = types.StringValue(string(t.Status)), types.StringValue(string(t.WelcomeEmail))
	m.SorobanContractID = nullableString(t.ContractID)
	if m.SorobanContractState.IsUnknown() { // It was not read.
		m.SorobanContractState = types.StringNull()
	}
	if m.DatabaseState.IsUnknown() {
		m.DatabaseState = types.StringNull()
	}
	m.CreatedAt, m.UpdatedAt = timestamp(t.CreatedAt), timestamp(t.UpdatedAt)
	m.DeletionProtection, m.Suspended = types.BoolValue(t.DeletionProtection), types.BoolValue(t.Suspended())
	m.LegalHold = holdObject(m.LegalHold, t.Hold)
	if m.DeletionPolicy.IsNull() { // After an import.
		m.DeletionPolicy = types.StringValue(policyArchive)
	}
	m.Blueprint, m.BlueprintVersion = types.StringValue(t.Blueprint), nullableInt64(t.SchemaVersion)
	diags := fillMap(ctx, &m.Metadata, t.Metadata)
	diags.Append(fillMap(ctx, &m.Variables, t.Variables)...)
	var more diag.Diagnostics
	m.Outputs, more = outputsOf(ctx, t)
	return append(diags, more...)
}

// fillMap copies values into a map, but keeps null or empty as it is if there are none.
func fillMap(ctx context.Context, m *types.Map, values map[string]string) (diags diag.Diagnostics) {
	if len(values) > 0 || len(m.Elements()) > 0 || m.IsUnknown() {
		*m, diags = types.MapValueFrom(ctx, types.StringType, values)
	}
	return diags
}

// outputsOf returns the outputs of a tenant, null until all of its steps are completed: they would
// change.
func outputsOf(ctx context.Context, t tenant.Tenant) (types.Map, diag.Diagnostics) {
	if !t.WasLive() {
		return types.MapNull(types.StringType), nil
	}
	return mapOf(ctx, t.Outputs)
}

// nullableInt64 returns null for 0.
func nullableInt64(n int) types.Int64 {
	if n == 0 {
		return types.Int64Null()
	}
	return types.Int64Value(int64(n))
}

func nullableString(s string) types.String {
	if s == "" {
		return types.StringNull()
	}
	return types.StringValue(s)
}

func timestamp(t time.Time) types.String { return types.StringValue(t.UTC().Format(time.RFC3339Nano)) }
