package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// credentialsResource is a login for a tenant's schema that exists during one run.
type credentialsResource struct{ baseResource }

var (
	_ ephemeral.EphemeralResourceWithConfigure = (*credentialsResource)(nil)
	_ ephemeral.EphemeralResourceWithRenew     = (*credentialsResource)(nil)
	_ ephemeral.EphemeralResourceWithClose     = (*credentialsResource)(nil)
)

func newCredentialsResource() ephemeral.EphemeralResource { return &credentialsResource{} }

type credentialsModel struct {
	TenantID   types.String `tfsdk:"tenant_id"`
	TTL        types.String `tfsdk:"ttl"`
	Reason     types.String `tfsdk:"reason"`
	Username   types.String `tfsdk:"username"`
	Password   types.String `tfsdk:"password"`
	Host       types.String `tfsdk:"host"`
	Port       types.Int64  `tfsdk:"port"`
	Database   types.String `tfsdk:"database"`
	SchemaName types.String `tfsdk:"schema_name"`
	ExpiresAt  types.String `tfsdk:"expires_at"`
}

// loginState is what Renew and Close need. Terraform keeps it in memory for the run and
// stores it nowhere.
type loginState struct {
	Tenant, ID uuid.UUID
	TTL        time.Duration
	ExpiresAt  time.Time
}

const loginStateKey = "login"

func (l loginState) marshal() []byte {
	text, err := json.Marshal(l)
	if err != nil {
		panic(err) // Every field can be encoded.
	}
	return text
}

// privateState reads the private data that Terraform keeps for the provider.
type privateState interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
}

func loadLoginState(ctx context.Context, stored privateState, diags *diag.Diagnostics) (l loginState, ok bool) {
	text, readDiags := stored.GetKey(ctx, loginStateKey)
	diags.Append(readDiags...)
	if readDiags.HasError() {
		return l, false
	}
	if err := json.Unmarshal(text, &l); err != nil {
		diags.AddError("Login state is lost", "Terraform did not return the state that this provider stored for the login. The login expires at its time limit. This is a defect; report it.")
		return l, false
	}
	return l, true
}

func (c *credentialsResource) Metadata(_ context.Context, req ephemeral.MetadataRequest, resp *ephemeral.MetadataResponse) {
	resp.TypeName = req.ProviderTypeName + "_tenant_database_credentials"
}

func (c *credentialsResource) Schema(_ context.Context, _ ephemeral.SchemaRequest, resp *ephemeral.SchemaResponse) {
	computed := func(text string) schema.StringAttribute {
		return schema.StringAttribute{Computed: true, MarkdownDescription: text}
	}
	resp.Schema = schema.Schema{
		MarkdownDescription: "A PostgreSQL login for one tenant's schema. It is created when Terraform needs it and dropped, with its sessions, when Terraform no longer needs it. " +
			"It is a member of the tenant's role: it has that role's privileges and no others. Neither state nor plan contains it. " +
			"Terraform renews it during a run; after a crash it expires when `ttl` is over.\n\n" +
			"In `api` mode the token needs the scope `tenants:credentials`.",
		Attributes: map[string]schema.Attribute{
			"tenant_id": schema.StringAttribute{Required: true, Validators: []validator.String{fieldValidator{"tenant_id", checkUUID}},
				MarkdownDescription: "The tenant's `id`. The tenant must be `ACTIVE`."},
			"ttl": schema.StringAttribute{Optional: true, Validators: []validator.String{fieldValidator{"ttl", checkTTL}},
				MarkdownDescription: "Time until the login expires, `1m` to `24h`; it is renewed after half of it. Default `1h`."},
			"reason": schema.StringAttribute{Optional: true, Validators: []validator.String{fieldValidator{"reason", checkReason}},
				MarkdownDescription: "Why the login is opened, in 1 to 1000 characters; the audit log keeps it. Needed if the registry's `CREDENTIAL_REASON` is `required`: `database.credential_reason` of the provider, or in `api` mode the setting of the server."},
			"username":    computed("Name of the login."),
			"password":    schema.StringAttribute{Computed: true, Sensitive: true, MarkdownDescription: "Password of the login."},
			"host":        computed("Host of the database, as this provider connects to it; in `api` mode, as the server does."),
			"port":        schema.Int64Attribute{Computed: true, MarkdownDescription: "Port of the database."},
			"database":    computed("Name of the database."),
			"schema_name": computed("The tenant's schema, which is the login's `search_path`."),
			"expires_at":  computed("When the login expires unless it is renewed (RFC 3339, UTC)."),
		},
	}
}

func (c *credentialsResource) Configure(_ context.Context, req ephemeral.ConfigureRequest, resp *ephemeral.ConfigureResponse) {
	c.setBackend(req.ProviderData, &resp.Diagnostics)
}

func checkTTL(text string) error {
	ttl, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("is not a duration; give one such as 90m")
	}
	if ttl != ttl.Truncate(time.Second) {
		return fmt.Errorf("is not a whole number of seconds; give one such as 90m")
	}
	return credentials.CheckCredentialTTL(ttl)
}

// Open creates the login.
func (c *credentialsResource) Open(ctx context.Context, req ephemeral.OpenRequest, resp *ephemeral.OpenResponse) {
	ctx = c.withLogMask(ctx)
	var model credentialsModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &model)...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := withTimeout(ctx, "read", readTimeout)
	defer cancel()
	login, err := c.createLogin(ctx, model)
	if err != nil {
		diagnostic{operation: "open a login for", name: model.TenantID.ValueString(), state: "No login remains.", remedy: loginRemedy(err), attributes: loginAttributes}.add(ctx, &resp.Diagnostics, err)
		return
	}
	tflog.Info(ctx, "opened a login for the tenant's schema", map[string]any{
		"tenant_id": login.TenantID.String(), "username": login.Username, "expires_at": login.ExpiresAt.UTC().Format(time.RFC3339)})
	model.Username, model.Password = types.StringValue(login.Username), types.StringValue(login.Password.Reveal())
	model.Host, model.Port, model.Database = types.StringValue(login.Host), types.Int64Value(int64(login.Port)), types.StringValue(login.Database)
	model.SchemaName, model.ExpiresAt = types.StringValue(login.SchemaName), timestamp(login.ExpiresAt)
	resp.Diagnostics.Append(resp.Result.Set(ctx, &model)...)
	state := loginState{Tenant: login.TenantID, ID: login.ID, TTL: ttlFrom(model), ExpiresAt: login.ExpiresAt}
	resp.RenewAt = renewAt(state)
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, loginStateKey, state.marshal())...)
}

// loginAttributes are the attributes of the fields that the service names.
var loginAttributes = map[string]path.Path{"ttlSeconds": path.Root("ttl"), "reason": path.Root("reason")}

func (c *credentialsResource) createLogin(ctx context.Context, m credentialsModel) (credentials.Credential, error) {
	id, err := uuid.Parse(m.TenantID.ValueString())
	if err != nil {
		return credentials.Credential{}, errs.Errorf(errs.KindInvalid, "open login", "tenant_id is not a UUID")
	}
	service, err := c.open(ctx)
	if err != nil {
		return credentials.Credential{}, err
	}
	return service.OpenCredential(ctx, id, credentials.Request{TTL: ttlFrom(m), Reason: m.Reason.ValueString()})
}

// ttlFrom returns the configured time to live, already validated; 0 means the default.
func ttlFrom(m credentialsModel) time.Duration {
	ttl, _ := time.ParseDuration(m.TTL.ValueString())
	return ttl
}

// renewAt returns the middle of the remaining time, so that a slow renewal is still in time.
func renewAt(l loginState) time.Time { return time.Now().Add(time.Until(l.ExpiresAt) / 2) }

func loginRemedy(err error) string {
	if errs.KindOf(err) == errs.KindConflict {
		return "A login needs a tenant that is ACTIVE. Run terraform apply, or the action healthcare_tenant_retry or healthcare_tenant_unarchive, first."
	}
	return ""
}

// Renew extends the login.
func (c *credentialsResource) Renew(ctx context.Context, req ephemeral.RenewRequest, resp *ephemeral.RenewResponse) {
	ctx, cancel := withTimeout(c.withLogMask(ctx), "read", readTimeout)
	defer cancel()
	state, ok := loadLoginState(ctx, req.Private, &resp.Diagnostics)
	if !ok {
		return
	}
	service, err := c.open(ctx)
	if err == nil {
		state.ExpiresAt, err = service.RenewCredential(ctx, state.Tenant, state.ID, state.TTL)
	}
	if err != nil {
		diagnostic{operation: "renew the login of", name: state.Tenant.String(),
			state:  "The login expires at " + state.ExpiresAt.UTC().Format(time.RFC3339) + ".",
			remedy: "Run Terraform again; it opens a new login."}.add(ctx, &resp.Diagnostics, err)
		return
	}
	tflog.Debug(ctx, "renewed a login", map[string]any{"tenant_id": state.Tenant.String(), "expires_at": state.ExpiresAt.UTC().Format(time.RFC3339)})
	resp.RenewAt = renewAt(state)
	resp.Diagnostics.Append(resp.Private.SetKey(ctx, loginStateKey, state.marshal())...)
}

// Close drops the login, also when the run was interrupted.
func (c *credentialsResource) Close(ctx context.Context, req ephemeral.CloseRequest, resp *ephemeral.CloseResponse) {
	ctx, cancel := withTimeout(context.WithoutCancel(c.withLogMask(ctx)), "delete", readTimeout)
	defer cancel()
	state, ok := loadLoginState(ctx, req.Private, &resp.Diagnostics)
	if !ok {
		return
	}
	service, err := c.open(ctx)
	if err == nil {
		err = service.CloseCredential(ctx, state.Tenant, state.ID)
	}
	if err != nil {
		tflog.Debug(ctx, "cause of the diagnostic", map[string]any{"tenant_id": state.Tenant.String(), "error": err.Error()})
		resp.Diagnostics.AddWarning("Login was not closed", fmt.Sprintf("Tenant %s: %s.\n\nThe login expires at %s at the latest; nothing has to be done.",
			state.Tenant, errs.SafeMessage(err), state.ExpiresAt.UTC().Format(time.RFC3339)))
		return
	}
	tflog.Info(ctx, "closed the login", map[string]any{"tenant_id": state.Tenant.String()})
}
