package provider

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
)

// settings is a provider configuration, as far as it is known.
type settings struct {
	database          config.Database
	autoMigrate       bool
	soroban           config.Soroban
	mail              config.Mail
	webhook           config.Webhook
	managedBy         string
	retention         time.Duration     // How long an archived tenant is kept before it can be purged.
	api               *config.TenantAPI // Set in API mode; the groups above are then empty.
	allowPurge        bool              // A destroy may purge.
	skipChecks        bool              // Skips checkReady.
	unknownAttributes []string          // Attributes whose values Terraform does not know yet.
}

// secrets returns the values that must not appear in logs.
func (s settings) secrets() []string {
	var all []string
	all = append(all, s.soroban.Secrets()...)
	for _, secret := range []config.Secret{s.database.URL, s.database.DirectURL, s.mail.Password, s.mail.OAuth.ClientSecret} {
		if v := secret.Reveal(); v != "" {
			all = append(all, v)
		}
	}
	if s.api != nil && s.api.Token != "" {
		all = append(all, s.api.Token.Reveal())
	}
	for _, connection := range []config.Secret{s.database.URL, s.database.DirectURL} {
		if connection != "" {
			all = append(all, pgdb.Secrets(connection.Reveal())...)
		}
	}
	return all
}

// settingsCollector collects attribute values under the names of their variables.
type settingsCollector struct {
	source  config.Source
	values  map[string]string
	paths   map[string]path.Path // By variable: where the value comes from.
	unknown []string
	diags   diag.Diagnostics
}

// attribute is any value of the configuration.
type attribute interface {
	IsNull() bool
	IsUnknown() bool
}

func (c *settingsCollector) add(variable string, at path.Path, value attribute) {
	switch {
	case value.IsUnknown():
		c.unknown = append(c.unknown, at.String())
	case value.IsNull():
	default:
		c.paths[variable] = at
		switch v := value.(type) {
		case types.String:
			c.values[variable] = v.ValueString()
		case types.Int64:
			c.values[variable] = strconv.FormatInt(v.ValueInt64(), 10)
		case types.Map:
			c.addHeaders(variable, at, v)
		}
	}
}

// addHeaders collects a map of headers in the form of their variable. A value that is not
// known yet makes all of them unknown.
func (c *settingsCollector) addHeaders(variable string, at path.Path, headers types.Map) {
	var lines []string
	for name, value := range headers.Elements() {
		text, ok := value.(types.String)
		switch {
		case !ok || text.IsUnknown():
			c.unknown = append(c.unknown, at.AtMapKey(name).String())
		case strings.ContainsAny(name+text.ValueString(), "\r\n"):
			lines = append(lines, "") // One header must not become two.
			c.diags.AddAttributeError(at.AtMapKey(name), "Invalid provider configuration: soroban", "The header "+name+" has a line break. Remove it.")
		default:
			lines = append(lines, name+": "+text.ValueString())
		}
	}
	c.values[variable] = strings.Join(lines, "\n")
}

// block collects one block and reports whether all of it is known.
func (c *settingsCollector) block(ctx context.Context, name string, object types.Object, target any, collect func(at path.Path)) bool {
	before := len(c.unknown)
	if object.IsUnknown() {
		c.unknown = append(c.unknown, name)
		return false
	}
	if !object.IsNull() {
		if d := object.As(ctx, target, basetypes.ObjectAsOptions{}); d.HasError() {
			c.diags.Append(d...)
			return false
		}
		collect(path.Root(name))
	}
	return len(c.unknown) == before
}

// readSettings validates the known settings. A group with an unknown attribute is not
// read: a default in place of the attribute could select the wrong system.
func readSettings(ctx context.Context, m providerModel, source config.Source) (settings, diag.Diagnostics) {
	s := settings{autoMigrate: true, managedBy: m.ManagedBy.ValueString()}
	c := &settingsCollector{source: source, values: map[string]string{}, paths: map[string]path.Path{}}
	c.warnOfTwoModes(m)
	if c.usesAPI(m) {
		c.api(ctx, m, &s)
	} else {
		c.database(ctx, m, &s)
		c.soroban(ctx, m, &s)
		c.mail(ctx, m, &s)
		readGroup(c, "webhook", true, &s.webhook, config.ReadWebhook)
		readGroup(c, "purge", true, &s.retention, config.ReadRetention)
	}
	s.skipChecks, s.allowPurge = m.SkipChecks.ValueBool(), m.AllowPurge.ValueBool()
	if m.AllowPurge.IsUnknown() {
		c.unknown = append(c.unknown, "allow_purge")
	}
	if m.SkipChecks.IsUnknown() {
		c.unknown = append(c.unknown, "skip_checks")
	}
	if m.ManagedBy.IsUnknown() {
		c.unknown = append(c.unknown, "managed_by")
	}
	s.unknownAttributes = c.unknown
	return s, c.diags
}

// usesAPI reports whether the provider works through tenant-api. The configuration takes
// precedence: the environment decides only if neither kind of block is configured.
func (c *settingsCollector) usesAPI(m providerModel) bool {
	var present []string
	for _, block := range []struct {
		name  string
		value attribute
	}{{"database", m.Database}, {"soroban", m.Soroban}, {"mail", m.Mail}, {"app_url", m.AppURL}} {
		if !block.value.IsNull() {
			present = append(present, block.name)
		}
	}
	if m.API.IsNull() {
		return len(present) == 0 && c.source(config.TenantAPIURL) != ""
	}
	if len(present) > 0 {
		c.diags.AddAttributeError(path.Root("api"), "Invalid provider configuration: api",
			fmt.Sprintf("With api, the settings of database, network and mail belong to tenant-api, and this provider needs none of them. "+
				"But %s is set, too.\n\nNothing was changed. Remove api, or the other settings.", strings.Join(present, ", ")))
	}
	return true
}

func (c *settingsCollector) api(ctx context.Context, m providerModel, s *settings) {
	var model apiModel
	known := c.block(ctx, "api", m.API, &model, func(at path.Path) {
		c.add(config.TenantAPIURL, at.AtName("url"), model.URL)
		c.add(config.TenantAPIToken, at.AtName("token"), model.Token)
	})
	s.api = &config.TenantAPI{}
	readGroup(c, "api", known, s.api, config.ReadTenantAPI)
}

func (c *settingsCollector) database(ctx context.Context, m providerModel, s *settings) {
	var model databaseModel
	known := c.block(ctx, "database", m.Database, &model, func(at path.Path) {
		c.add(config.DatabaseURL, at.AtName("url"), model.URL)
		c.add(config.DatabaseDirectURL, at.AtName("direct_url"), model.DirectURL)
		c.add(config.DatabaseRole, at.AtName("role"), model.Role)
		c.add(config.DatabaseMaxConnections, at.AtName("max_connections"), model.MaxConnections)
		c.add(config.SchemaNames, at.AtName("schema_names"), model.SchemaNames)
		c.add(config.DefaultBlueprint, at.AtName("default_blueprint"), model.DefaultBlueprint)
		c.add(config.CredentialReason, at.AtName("credential_reason"), model.CredentialReason)
		if model.AutoMigrate.IsUnknown() {
			c.unknown = append(c.unknown, "database.auto_migrate")
		} else if !model.AutoMigrate.IsNull() {
			s.autoMigrate = model.AutoMigrate.ValueBool()
		}
	})
	readGroup(c, "database", known, &s.database, config.ReadDatabase)
}

func (c *settingsCollector) soroban(ctx context.Context, m providerModel, s *settings) {
	var model sorobanModel
	known := c.block(ctx, "soroban", m.Soroban, &model, func(at path.Path) {
		c.add(config.SorobanNetwork, at.AtName("network"), model.Network)
		c.add(config.SorobanPassphrase, at.AtName("network_passphrase"), model.Passphrase)
		c.add(config.SorobanRPCURL, at.AtName("rpc_url"), model.RPCURL)
		c.add(config.SorobanRPCHeaders, at.AtName("rpc_headers"), model.RPCHeaders)
		c.add(config.SorobanDeployerSecret, at.AtName("deployer_secret"), model.DeployerSecret)
		c.add(config.SorobanDeployer, at.AtName("deployer_account"), model.DeployerAccount)
		c.add(config.SorobanMaxFee, at.AtName("max_fee"), model.MaxFee)
		c.add(config.SorobanMaxUploadFee, at.AtName("max_upload_fee"), model.MaxUploadFee)
		c.add(config.SorobanChannels, at.AtName("channels"), model.Channels)
	})
	readGroup(c, "soroban", known, &s.soroban, config.ReadSoroban)
}

// mail also reads app_url, the base of the links in mails.
func (c *settingsCollector) mail(ctx context.Context, m providerModel, s *settings) {
	var model mailModel
	known := c.block(ctx, "mail", m.Mail, &model, func(at path.Path) {
		c.add(config.MailHost, at.AtName("host"), model.Host)
		c.add(config.MailPort, at.AtName("port"), model.Port)
		c.add(config.MailUser, at.AtName("username"), model.User)
		c.add(config.MailPassword, at.AtName("password"), model.Password)
		c.add(config.MailFrom, at.AtName("from"), model.From)
		c.add(config.MailTLS, at.AtName("tls"), model.TLS)
		c.add(config.MailFailurePolicy, at.AtName("failure_policy"), model.FailurePolicy)
		c.add(config.MailCAFile, at.AtName("ca_file"), model.CAFile)
		c.add(config.MailOAuthTokenURL, at.AtName("oauth_token_url"), model.TokenURL)
		c.add(config.MailOAuthClientID, at.AtName("oauth_client_id"), model.ClientID)
		c.add(config.MailOAuthSecret, at.AtName("oauth_client_secret"), model.ClientSecret)
		c.add(config.MailOAuthScope, at.AtName("oauth_scope"), model.Scope)
		c.add(config.InvitationURL, at.AtName("invitation_url"), model.InvitationURL)
		c.add(config.InvitationTTL, at.AtName("invitation_ttl"), model.InvitationTTL)
	})
	c.add(config.AppURL, path.Root("app_url"), m.AppURL)
	readGroup(c, "mail", known && !m.AppURL.IsUnknown(), &s.mail, config.ReadMail)
}

// warnOfMisspellings warns of environment variables that look like misspelt settings, in one warning:
// Terraform shows of warnings with one summary the first alone.
func warnOfMisspellings(diags *diag.Diagnostics) {
	var lines []string
	for _, m := range config.EnvironmentMisspellings() {
		lines = append(lines, "- "+m.Warning())
	}
	if len(lines) > 0 {
		diags.AddWarning("Unknown environment variables", "Where the provider runs:\n\n"+strings.Join(lines, "\n")+
			"\n\nThey have no effect. Correct their names, or unset them.")
	}
}

// warnOfTwoModes warns if the environment alone decides between API and database, and has both.
func (c *settingsCollector) warnOfTwoModes(m providerModel) {
	database := ""
	for _, variable := range []string{config.DatabaseURL, config.DatabaseURL + config.FileSuffix, config.DatabaseHost} {
		if database == "" && c.source(variable) != "" {
			database = variable
		}
	}
	if !m.API.IsNull() || database == "" || !c.usesAPI(m) {
		return
	}
	c.diags.AddWarning("Variables have both tenant-api and database", fmt.Sprintf("Where the provider runs, TENANT_API_URL and %[1]s are set, and the provider block has neither api nor database. "+
		"TENANT_API_URL is used: all work is done through the tenant-api there, and %[1]s has no effect.\n\n"+
		"To choose, unset one of them, or write api = {} or database = {} into the provider block: it is filled from the variables.", database))
}

// attributeHint names the attribute of a setting; "": there is none.
func attributeHint(variable string) string {
	if attribute := config.SettingOf(variable).Attribute; attribute != "" {
		return " (also as " + attribute + ")"
	}
	return ""
}

// readGroup parses a group once all of it is known.
func readGroup[T any](c *settingsCollector, group string, known bool, target *T, parse func(config.Source) (T, error)) {
	if !known {
		return
	}
	var err error
	*target, err = parse(c.source.WithOverrides(c.values))
	c.addDiagnostic(group, err)
}

// addDiagnostic adds one diagnostic with all errors of a group, on the attribute if there
// is only one error.
func (c *settingsCollector) addDiagnostic(group string, err error) {
	if err == nil {
		return
	}
	var lines []string
	at := path.Root(group)
	validationErrs := config.ValidationErrors(err)
	for _, f := range validationErrs {
		lines = append(lines, "- "+f.Error()+attributeHint(f.Variable))
		if source, ok := c.paths[f.Variable]; ok && len(validationErrs) == 1 {
			at = source
		}
	}
	c.diags.AddAttributeError(at, "Invalid provider configuration: "+group,
		"These settings, from the provider block or the environment, cannot be used:\n\n"+strings.Join(lines, "\n")+
			"\n\nNothing was changed. Correct them and run Terraform again.")
}
