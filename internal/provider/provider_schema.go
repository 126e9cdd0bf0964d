package provider

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func (p *healthcareProvider) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Onboards healthcare organisations onto a multi-tenant platform: registry record, PostgreSQL schema, " +
			"roles and first administrator, Soroban contract on Stellar, and the welcome mail, as one resource.\n\n" +
			"Every setting can also come from an environment variable, so that secrets stay out of the configuration. " +
			"A value here takes precedence over the variable, and over the file that a variable ending in `_FILE` names: see [settings](guides/configuration.md).",
		Attributes: map[string]schema.Attribute{
			"api": schema.SingleNestedAttribute{
				Optional: true,
				MarkdownDescription: "Work through a running `tenant-api`, which has all other settings, instead of `database`, `soroban`, `mail` and `app_url`. " +
					"Resources behave the same. The variables of this block count only if none of those four is in the configuration.",
				Attributes: map[string]schema.Attribute{
					"url":   schema.StringAttribute{Optional: true, MarkdownDescription: "Base address of the server, `https://tenants.platform.example`; `http` only on loopback. Also `TENANT_API_URL`."},
					"token": schema.StringAttribute{Optional: true, Sensitive: true, MarkdownDescription: "API key with the scope `tenants:write` (`tenant-api apikey create`), also `tenants:purge`, `tenants:credentials` and `blueprints:write` where needed, or a token of the issuer that the server trusts. Also `TENANT_API_TOKEN`."},
				},
			},
			"database": databaseSchema(),
			"soroban":  sorobanSchema(),
			"mail":     mailSchema(),
			"app_url":  schema.StringAttribute{Optional: true, MarkdownDescription: "Base of the links in mails, `https://app.platform.example`. It must be set if the mail server is not on loopback. Also `APP_URL`, or `APP_HOST` and `APP_PORT`."},
			"allow_purge": schema.BoolAttribute{Optional: true,
				MarkdownDescription: "Let a destroy of a tenant with `deletion_policy = \"PURGE\"` delete its data for good. Default `false`: such a destroy is an error at plan."},
			"skip_checks": schema.BoolAttribute{Optional: true,
				MarkdownDescription: "Do not check at the start whether this configuration works: whether the registry has a version that this provider knows, " +
					"whether the Stellar server is on the configured network, whether the deployer's account exists there, and whether the token is accepted. Default `false`: a configuration that does not work is then one error, instead of one for each resource. " +
					"Set it to `true` to archive tenants with an incomplete configuration."},
			"managed_by": schema.StringAttribute{Optional: true, Validators: []validator.String{stringvalidator.LengthBetween(1, 255)},
				MarkdownDescription: "Names who manages the tenants of this configuration, such as a repository or a workspace. It is stored on each tenant. " +
					"Create adopts a live tenant (instead of an error) if that tenant has the same `managed_by` and exactly the same inputs: " +
					"set it where the state can be lost between an apply and its upload. " +
					"Do not combine it with `create_before_destroy`, which would adopt the tenant and then archive it."},
		},
	}
}

// databaseSchema has the settings of the registry database.
func databaseSchema() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: "The registry database, in which each tenant also gets its schema.",
		Attributes: map[string]schema.Attribute{
			"url": schema.StringAttribute{Optional: true, Sensitive: true, MarkdownDescription: "Connection string, " +
				"`postgres://user:password@host:5432/name?sslmode=require`. Also `DATABASE_URL`, or `DB_HOST`, `DB_PORT`, `DB_USERNAME`, `DB_PASSWORD`, `DB_NAME` and `DB_SSLMODE`. " +
				"The user must own the database and have `CREATEROLE`, or be a member of a `role` that does."},
			"direct_url": schema.StringAttribute{Optional: true, Sensitive: true, MarkdownDescription: "Connection string of the same database without a pooler, " +
				"if `url` leads to a pooler in transaction mode. Then this alone is used. Also `DATABASE_DIRECT_URL`."},
			"role": schema.StringAttribute{Optional: true, Validators: []validator.String{stringvalidator.LengthBetween(1, 63)},
				MarkdownDescription: "Role that owns the database and has `CREATEROLE`, if the user of `url` is only a member of it: each session sets it, so that users can be replaced. " +
					"Default: the user's own. Also `DATABASE_ROLE`."},
			"max_connections": schema.Int64Attribute{Optional: true, Validators: []validator.Int64{int64validator.Between(1, 1000)},
				MarkdownDescription: "Maximum number of open connections. Default 8. Also `DB_MAX_CONNECTIONS`."},
			"schema_names": schema.StringAttribute{Optional: true, Validators: []validator.String{stringvalidator.OneOf("readable", "opaque")},
				MarkdownDescription: "How the schemas of new tenants are named: `readable`, from the tenant's name and the time, or `opaque`, at random. " +
					"Every login of a PostgreSQL server can read the names of all schemas and roles. Default `readable`. Also `SCHEMA_NAMES`."},
			"default_blueprint": schema.StringAttribute{Optional: true, Validators: []validator.String{fieldValidator{"default_blueprint", tenant.CheckBlueprint}},
				MarkdownDescription: "Blueprint of new tenants whose `blueprint` is not set. Default `standard`. Also `DEFAULT_BLUEPRINT`."},
			"credential_reason": schema.StringAttribute{Optional: true, Validators: []validator.String{stringvalidator.OneOf("optional", "required")},
				MarkdownDescription: "Whether `healthcare_tenant_database_credentials` needs a `reason`: `optional` or `required`. Default `optional`. Also `CREDENTIAL_REASON`."},
			"auto_migrate": schema.BoolAttribute{Optional: true,
				MarkdownDescription: "Whether to migrate the registry's tables to the version that this provider needs, on first use and under a lock. Default `true`."},
		},
	}
}

// sorobanSchema has the settings of the Stellar network.
func sorobanSchema() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: "The Stellar network on which tenant contracts are deployed.",
		Attributes: map[string]schema.Attribute{
			"network":            schema.StringAttribute{Optional: true, MarkdownDescription: "`testnet`, `public` (also `mainnet`), `futurenet`, `local`, or any other name together with `network_passphrase`. Also `SOROBAN_NETWORK`."},
			"network_passphrase": schema.StringAttribute{Optional: true, MarkdownDescription: "Passphrase of the network. Another one than that of a named network is an error, and a server that reports another one is refused. Also `SOROBAN_NETWORK_PASSPHRASE`."},
			"rpc_url":            schema.StringAttribute{Optional: true, Sensitive: true, MarkdownDescription: "JSON-RPC server. `public` has no default. Also `SOROBAN_RPC_URL`."},
			"rpc_headers":        schema.MapAttribute{Optional: true, Sensitive: true, ElementType: types.StringType, MarkdownDescription: "Headers of each call to it, such as an access key. Also `SOROBAN_RPC_HEADERS`, each on a line of its own as `Name: value`."},
			"deployer_secret":    schema.StringAttribute{Optional: true, Sensitive: true, MarkdownDescription: "Secret key (`S...`) of the funded account that deploys and administers tenant contracts. Also `SOROBAN_CONTRACT_DEPLOYER_SECRET`."},
			"deployer_account":   schema.StringAttribute{Optional: true, MarkdownDescription: "Address (`G...`) of that account, if `deployer_secret` is that of another signer of it, as after a rotation of the key. Default: that of the key. Also `SOROBAN_DEPLOYER_ACCOUNT`."},
			"max_fee":            schema.Int64Attribute{Optional: true, Validators: []validator.Int64{int64validator.AtLeast(100)}, MarkdownDescription: "Maximum cost of a tenant's transaction in stroops, resource fee and inclusion fee together. Default 10000000 (1 XLM). Also `SOROBAN_MAX_FEE`."},
			"max_upload_fee":     schema.Int64Attribute{Optional: true, Validators: []validator.Int64{int64validator.AtLeast(100)}, MarkdownDescription: "Maximum cost of uploading the contract's code in stroops; once per network. Default 1000000000 (100 XLM). Also `SOROBAN_MAX_UPLOAD_FEE`."},
			"channels":           schema.Int64Attribute{Optional: true, Validators: []validator.Int64{int64validator.Between(0, config.MaxChannels)}, MarkdownDescription: "Number of channel accounts for tenants' transactions: that many tenants can be deployed in one ledger, one without channel accounts. They are created on first use with 5 XLM each from the deployer, which also tops them up. All processes with the same deployer share them. Default 0. Also `SOROBAN_CHANNELS`."},
		},
	}
}

// mailSchema has the settings of the SMTP server.
func mailSchema() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: "The SMTP server for welcome mails.",
		Attributes: map[string]schema.Attribute{
			"host":     schema.StringAttribute{Optional: true, MarkdownDescription: "Name of the server. Also `MAIL_HOST`."},
			"port":     schema.Int64Attribute{Optional: true, Validators: []validator.Int64{int64validator.Between(1, 65535)}, MarkdownDescription: "Port. Default 587; 465 means TLS from the first byte. Also `MAIL_PORT`."},
			"username": schema.StringAttribute{Optional: true, MarkdownDescription: "User. Also `MAIL_USER`."},
			"password": schema.StringAttribute{Optional: true, Sensitive: true, MarkdownDescription: "Password. Also `MAIL_PASSWORD`."},
			"from":     schema.StringAttribute{Optional: true, MarkdownDescription: "Sender, `Platform <no-reply@platform.example>`. Also `MAIL_FROM`."},
			"tls": schema.StringAttribute{Optional: true, Validators: []validator.String{stringvalidator.OneOf(config.TLSMandatory, config.TLSOpportunistic, config.TLSNone)},
				MarkdownDescription: "`mandatory` (default), `opportunistic`, or `none` (only on loopback). Also `MAIL_TLS`."},
			"failure_policy": schema.StringAttribute{Optional: true, Validators: []validator.String{stringvalidator.OneOf("warn", "fail")},
				MarkdownDescription: "What to do when the welcome mail is refused: `warn` (default; the tenant becomes active and the next apply sends the mail again) or `fail` (roll back). Also `MAIL_FAILURE_POLICY`."},
			"ca_file": schema.StringAttribute{Optional: true,
				MarkdownDescription: "PEM file of authorities that the server's certificate may come from, besides the system's. Also `MAIL_CA_FILE`."},
			"oauth_token_url": schema.StringAttribute{Optional: true,
				MarkdownDescription: "Where access tokens are fetched with client credentials, for a server that takes OAuth (XOAUTH2) instead of a password. `username` is then the mailbox. Also `MAIL_OAUTH_TOKEN_URL`."},
			"oauth_client_id":     schema.StringAttribute{Optional: true, MarkdownDescription: "Id of the client, with `oauth_token_url`. Also `MAIL_OAUTH_CLIENT_ID`."},
			"oauth_client_secret": schema.StringAttribute{Optional: true, Sensitive: true, MarkdownDescription: "Secret of the client. Also `MAIL_OAUTH_CLIENT_SECRET`."},
			"oauth_scope":         schema.StringAttribute{Optional: true, MarkdownDescription: "Scope of the tokens, such as `https://outlook.office365.com/.default`. Also `MAIL_OAUTH_SCOPE`."},
			"invitation_url": schema.StringAttribute{Optional: true,
				MarkdownDescription: "The platform's own page for invitations, `https://app.platform.example/welcome`. Without it the mail leads to `app_url` + `/invitation`, which `tenant-api` serves. Also `INVITATION_URL`."},
			"invitation_ttl": schema.StringAttribute{Optional: true,
				MarkdownDescription: "How long an invitation can be accepted, from `1h` to `720h`. Default `72h`. Also `INVITATION_TTL`."},
		},
	}
}
