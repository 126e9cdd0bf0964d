package provider

import (
	"context"
	"time"

	"github.com/hashicorp/terraform-plugin-framework-timeouts/resource/timeouts"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/identityschema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Default time limits of the resource's operations.
const (
	createTimeout = 15 * time.Minute
	readTimeout   = 2 * time.Minute
	updateTimeout = 15 * time.Minute
	deleteTimeout = 5 * time.Minute
)

type tenantResource struct{ *backend }

var (
	_ resource.ResourceWithConfigure   = (*tenantResource)(nil)
	_ resource.ResourceWithImportState = (*tenantResource)(nil)
	_ resource.ResourceWithModifyPlan  = (*tenantResource)(nil)
	_ resource.ResourceWithIdentity    = (*tenantResource)(nil)
)

func newTenantResource() resource.Resource { return &tenantResource{} }

func (r *tenantResource) Metadata(_ context.Context, req resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_tenant"
}

func (r *tenantResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	if req.ProviderData == nil {
		return // The provider is not configured yet, as in "terraform validate".
	}
	b, ok := req.ProviderData.(*backend)
	if !ok {
		unexpectedProviderData(req.ProviderData, &resp.Diagnostics)
		return
	}
	r.backend = b
}

func (r *tenantResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest, resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identityschema.Schema{Attributes: map[string]identityschema.Attribute{
		"id": identityschema.StringAttribute{RequiredForImport: true, Description: "The tenant's UUID."},
	}}
}

func (r *tenantResource) Schema(ctx context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	useState := []planmodifier.String{stringplanmodifier.UseNonNullStateForUnknown()}
	resp.Schema = schema.Schema{
		Version: tenantSchemaVersion,
		MarkdownDescription: "A healthcare organisation on the platform.\n\n" +
			"Create runs the whole onboarding: registry record, PostgreSQL schema with its own database role, tables, roles and first " +
			"administrator, a Soroban contract on Stellar, and the welcome mail with an invitation. It returns when the tenant is `ACTIVE`, " +
			"and it is safe to repeat: it continues a tenant that never became active. " +
			"Delete archives the tenant; **its schema and data stay**, and its name becomes free (see `deletion_policy`).",
		Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{Required: true, CustomType: nameType{}, Validators: []validator.String{fieldValidator{"name", tenant.CheckName}},
				MarkdownDescription: "Name of the organisation, 3 to 255 characters, unique among live tenants without regard to case and to what cannot be seen. Can be changed in place."},
			"admin_email": schema.StringAttribute{Required: true, Validators: []validator.String{fieldValidator{"admin_email", tenant.CheckEmail}},
				MarkdownDescription: "Address of the first administrator, who receives an invitation by mail to choose a password. Can be changed in place."},
			"admin_first_name": schema.StringAttribute{Required: true, CustomType: nameType{}, Validators: []validator.String{fieldValidator{"admin_first_name", tenant.CheckPersonName}},
				MarkdownDescription: "First name of the administrator."},
			"admin_last_name": schema.StringAttribute{Required: true, CustomType: nameType{}, Validators: []validator.String{fieldValidator{"admin_last_name", tenant.CheckPersonName}},
				MarkdownDescription: "Last name of the administrator."},
			"external_id": schema.StringAttribute{Optional: true, Validators: []validator.String{fieldValidator{"external_id", tenant.CheckExternalID}},
				PlanModifiers:       []planmodifier.String{stringplanmodifier.RequiresReplace()},
				MarkdownDescription: "Your own key for the tenant, unique over all tenants, archived ones too. A new value replaces the tenant."},
			"metadata": schema.MapAttribute{Optional: true, ElementType: types.StringType, Validators: []validator.Map{mapValidator{"metadata", "metadata", tenant.CheckMetadata}},
				MarkdownDescription: "Additional data about the tenant: at most 64 keys of 63 and values of 1024 characters. No secrets, no patients' data."},
			"blueprint": blueprintAttribute(),
			"variables": variablesAttribute(),
			"locale": schema.StringAttribute{Optional: true, Validators: []validator.String{fieldValidator{"locale", tenant.CheckLocale}},
				MarkdownDescription: "Language of the mails to the administrator, a BCP 47 tag such as `de-AT`. Default: the blueprint's."},
			"allow_confusable_name": schema.BoolAttribute{Optional: true,
				MarkdownDescription: "Let the name look like that of another tenant, through letters of another script, and that of another one like it. Otherwise such a name is refused. Default `false`."},
			"outputs":                  outputsAttribute(),
			"blueprint_schema_version": blueprintVersionAttribute(),
			"deletion_protection":      protectionAttribute(),
			"deletion_policy":          deletionPolicyAttribute(),
			"unarchive_existing": schema.BoolAttribute{Optional: true,
				MarkdownDescription: "Let Create bring back the archived tenant with this `external_id`, with its data and with the values of this configuration, instead of an error."},
			"suspended":                 suspendedAttribute(),
			"legal_hold":                legalHoldAttribute(),
			"admin_password_wo":         passwordAttribute(),
			"admin_password_wo_version": passwordVersionAttribute(),
			"timeouts":                  timeouts.AttributesAll(ctx),

			"id":                     schema.StringAttribute{Computed: true, PlanModifiers: useState, MarkdownDescription: "UUID (version 7)."},
			"schema_name":            schema.StringAttribute{Computed: true, PlanModifiers: useState, MarkdownDescription: "PostgreSQL schema with the tenant's data. Chosen once."},
			"database_role":          schema.StringAttribute{Computed: true, PlanModifiers: useState, MarkdownDescription: "PostgreSQL role with access to this schema only."},
			"created_at":             schema.StringAttribute{Computed: true, PlanModifiers: useState, MarkdownDescription: "When the tenant was recorded (RFC 3339, UTC)."},
			"soroban_contract_id":    schema.StringAttribute{Computed: true, PlanModifiers: useState, MarkdownDescription: "Address (`C...`) of the tenant's contract on the Stellar network, verified."},
			"soroban_contract_state": schema.StringAttribute{Computed: true, MarkdownDescription: "State of the contract on the ledger: `LIVE`, `EXPIRING` (its time to live ends within 86,400 ledgers, five days of the public network), `EXPIRED` (its time to live is over), `MISSING` (the network was reset) or `MISMATCH` (it is not the contract that was deployed). The next apply extends, restores or deploys it; a `MISMATCH` one is a warning at plan, and the apply refuses it. Null if the network did not answer. In `api` mode the server reads and reconciles it."},
			"database_state":         schema.StringAttribute{Computed: true, MarkdownDescription: "State of the tenant's schema and role in the database: `IN_SYNC`, `DRIFTED` (its role is missing, or its privileges were changed; the next apply repairs it) or `MISSING` (its schema or a table is missing; a warning at plan, and the apply refuses it, because only a backup can restore it). Null while the tenant is not live."},
			"status":                 schema.StringAttribute{Computed: true, MarkdownDescription: "`PENDING`, `PROVISIONING`, `ACTIVE`, `SUSPENDED` or `FAILED`. The next apply continues a tenant that was never live."},
			"welcome_email_status":   schema.StringAttribute{Computed: true, MarkdownDescription: "`SENT`, `PENDING`, `FAILED`, or `SKIPPED` for a tenant that was adopted without one. The next apply sends a mail that is `PENDING` or `FAILED`. Another `admin_email` of a live tenant is invited as part of the change."},
			"updated_at":             schema.StringAttribute{Computed: true, MarkdownDescription: "When the tenant last changed (RFC 3339, UTC)."},
		},
	}
}
