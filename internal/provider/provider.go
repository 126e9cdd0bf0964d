package provider

import (
	"context"
	"sync/atomic"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

// Address is the provider's source address in the Terraform Registry.
const Address = "registry.terraform.io/healthcare-platform/healthcare"

type healthcareProvider struct {
	version string
	source  config.Source
	names   *nameRegistry

	backends   *backends
	configured atomic.Pointer[backend] // By the last Configure.
}

// New returns a constructor of providers of a version. Settings that the configuration leaves out
// come from source, which is config.Environment except in tests.
func New(version string, source config.Source) func() provider.Provider {
	return func() provider.Provider { return newProvider(version, source) }
}

func newProvider(version string, source config.Source) *healthcareProvider {
	return &healthcareProvider{version: version, source: source, names: &nameRegistry{}, backends: &backends{}}
}

type databaseModel struct {
	URL              types.String `tfsdk:"url"`
	DirectURL        types.String `tfsdk:"direct_url"`
	Role             types.String `tfsdk:"role"`
	MaxConnections   types.Int64  `tfsdk:"max_connections"`
	SchemaNames      types.String `tfsdk:"schema_names"`
	DefaultBlueprint types.String `tfsdk:"default_blueprint"`
	CredentialReason types.String `tfsdk:"credential_reason"`
	AutoMigrate      types.Bool   `tfsdk:"auto_migrate"`
}

type sorobanModel struct {
	Network         types.String `tfsdk:"network"`
	Passphrase      types.String `tfsdk:"network_passphrase"`
	RPCURL          types.String `tfsdk:"rpc_url"`
	RPCHeaders      types.Map    `tfsdk:"rpc_headers"`
	DeployerSecret  types.String `tfsdk:"deployer_secret"`
	DeployerAccount types.String `tfsdk:"deployer_account"`
	MaxFee          types.Int64  `tfsdk:"max_fee"`
	MaxUploadFee    types.Int64  `tfsdk:"max_upload_fee"`
	Channels        types.Int64  `tfsdk:"channels"`
}

type mailModel struct {
	Host          types.String `tfsdk:"host"`
	Port          types.Int64  `tfsdk:"port"`
	User          types.String `tfsdk:"username"`
	Password      types.String `tfsdk:"password"`
	From          types.String `tfsdk:"from"`
	TLS           types.String `tfsdk:"tls"`
	FailurePolicy types.String `tfsdk:"failure_policy"`
	CAFile        types.String `tfsdk:"ca_file"`
	TokenURL      types.String `tfsdk:"oauth_token_url"`
	ClientID      types.String `tfsdk:"oauth_client_id"`
	ClientSecret  types.String `tfsdk:"oauth_client_secret"`
	Scope         types.String `tfsdk:"oauth_scope"`
	InvitationURL types.String `tfsdk:"invitation_url"`
	InvitationTTL types.String `tfsdk:"invitation_ttl"`
}

type apiModel struct {
	URL   types.String `tfsdk:"url"`
	Token types.String `tfsdk:"token"`
}

type providerModel struct {
	API        types.Object `tfsdk:"api"`
	Database   types.Object `tfsdk:"database"`
	Soroban    types.Object `tfsdk:"soroban"`
	Mail       types.Object `tfsdk:"mail"`
	AppURL     types.String `tfsdk:"app_url"`
	ManagedBy  types.String `tfsdk:"managed_by"`
	AllowPurge types.Bool   `tfsdk:"allow_purge"`
	SkipChecks types.Bool   `tfsdk:"skip_checks"`
}

func (p *healthcareProvider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName, resp.Version = "healthcare", p.version
}

func (p *healthcareProvider) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	var model providerModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() {
		return
	}
	settings, diags := readSettings(ctx, model, p.source)
	resp.Diagnostics.Append(diags...)
	warnOfMisspellings(&resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	if len(settings.unknownAttributes) > 0 && req.ClientCapabilities.DeferralAllowed {
		// Terraform then plans what depends on the configuration in a later run.
		resp.Deferred = &provider.Deferred{Reason: provider.DeferredReasonProviderConfigUnknown}
	}
	b := newBackend(settings, p.version, p.names)
	b.checkReady(ctx, &resp.Diagnostics)
	if resp.Diagnostics.HasError() {
		return
	}
	p.backends.add(b)
	p.configured.Store(b)
	resp.ResourceData, resp.DataSourceData, resp.ActionData, resp.ListResourceData, resp.EphemeralResourceData = b, b, b, b, b
}

func (p *healthcareProvider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{newTenantResource, newBlueprintResource}
}

// Functions returns the provider functions; they need no configuration.
func (p *healthcareProvider) Functions(context.Context) []func() function.Function {
	return []func() function.Function{newSlugFunction, newContractIDFunction}
}

func (p *healthcareProvider) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{newTenantDataSource, newTenantsDataSource, newStatusDataSource, newBlueprintDataSource}
}

// Actions returns the actions on tenants.
func (p *healthcareProvider) Actions(context.Context) []func() action.Action {
	return []func() action.Action{newRetryAction, newInviteAction, newSuspendAction, newResumeAction, newUnarchiveAction, newPurgeAction}
}

// EphemeralResources returns the resources that exist during one run.
func (p *healthcareProvider) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return []func() ephemeral.EphemeralResource{newCredentialsResource}
}

// ListResources returns the lists for terraform query.
func (p *healthcareProvider) ListResources(context.Context) []func() list.ListResource {
	return []func() list.ListResource{newTenantListResource, newBlueprintListResource}
}
