package provider

import (
	"context"
	"strconv"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

// settings is a provider configuration, as far as it is known.
type settings struct {
	database    config.Database
	autoMigrate bool
	soroban     config.Soroban
	mail        config.Mail
	managedBy   string
	unknown     []string // Attributes whose values Terraform does not know yet.
}

// secrets are the values that no log may show.
func (s settings) secrets() []string {
	var all []string
	for _, secret := range []config.Secret{s.database.URL, s.soroban.DeployerSecret, s.mail.Password} {
		if v := secret.Reveal(); v != "" {
			all = append(all, v)
		}
	}
	if password := urlPassword(s.database.URL.Reveal()); password != "" {
		all = append(all, password)
	}
	return all
}

// collector takes values over from attributes to the variables of their names.
type collector struct {
	values  map[string]string
	paths   map[string]path.Path // By variable: where the value comes from.
	unknown []string
}

func (c *collector) add(variable string, at path.Path, value interface {
	IsNull() bool
	IsUnknown() bool
}) {
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
		}
	}
}

// readSettings checks what is known. While an attribute is unknown, its group is
// waited for and not judged: a default in its place would reach the wrong system.
func readSettings(ctx context.Context, m providerModel, source config.Source) (settings, diag.Diagnostics) {
	var (
		s     = settings{autoMigrate: true, managedBy: m.ManagedBy.ValueString()}
		diags diag.Diagnostics
		c     = &collector{values: map[string]string{}, paths: map[string]path.Path{}}
	)
	group := func(name string, object types.Object, into any, add func(at path.Path)) bool {
		at, before := path.Root(name), len(c.unknown)
		if object.IsUnknown() {
			c.unknown = append(c.unknown, name)
			return false
		}
		if !object.IsNull() {
			if d := object.As(ctx, into, basetypes.ObjectAsOptions{}); d.HasError() {
				diags.Append(d...)
				return false
			}
			add(at)
		}
		return len(c.unknown) == before
	}
	var (
		database databaseModel
		soroban  sorobanModel
		mail     mailModel
	)
	if group("database", m.Database, &database, func(at path.Path) {
		c.add(config.DatabaseURL, at.AtName("url"), database.URL)
		c.add(config.DatabaseMaxConnections, at.AtName("max_connections"), database.MaxConnections)
		if database.AutoMigrate.IsUnknown() {
			c.unknown = append(c.unknown, "database.auto_migrate")
		} else if !database.AutoMigrate.IsNull() {
			s.autoMigrate = database.AutoMigrate.ValueBool()
		}
	}) {
		var err error
		s.database, err = config.ReadDatabase(source.Over(c.values))
		c.report(&diags, "database", err)
	}
	if group("soroban", m.Soroban, &soroban, func(at path.Path) {
		c.add(config.SorobanNetwork, at.AtName("network"), soroban.Network)
		c.add(config.SorobanPassphrase, at.AtName("network_passphrase"), soroban.Passphrase)
		c.add(config.SorobanRPCURL, at.AtName("rpc_url"), soroban.RPCURL)
		c.add(config.SorobanDeployer, at.AtName("deployer_secret"), soroban.DeployerSecret)
		c.add(config.SorobanMaxFee, at.AtName("max_fee"), soroban.MaxFee)
		c.add(config.SorobanMaxUpload, at.AtName("max_upload_fee"), soroban.MaxUploadFee)
	}) {
		var err error
		s.soroban, err = config.ReadSoroban(source.Over(c.values))
		c.report(&diags, "soroban", err)
	}
	if group("mail", m.Mail, &mail, func(at path.Path) {
		c.add(config.MailHost, at.AtName("host"), mail.Host)
		c.add(config.MailPort, at.AtName("port"), mail.Port)
		c.add(config.MailUser, at.AtName("username"), mail.User)
		c.add(config.MailPassword, at.AtName("password"), mail.Password)
		c.add(config.MailFrom, at.AtName("from"), mail.From)
		c.add(config.MailTLS, at.AtName("tls"), mail.TLS)
		c.add(config.MailFailurePolicy, at.AtName("failure_policy"), mail.FailurePolicy)
		c.add(config.AppURL, path.Root("app_url"), m.AppURL)
	}) {
		if m.Mail.IsNull() {
			c.add(config.AppURL, path.Root("app_url"), m.AppURL)
		}
		if !m.AppURL.IsUnknown() {
			var err error
			s.mail, err = config.ReadMail(source.Over(c.values))
			c.report(&diags, "mail", err)
		}
	}
	if m.ManagedBy.IsUnknown() {
		c.unknown = append(c.unknown, "managed_by")
	}
	s.unknown = c.unknown
	return s, diags
}

// report makes one diagnostic of all that is wrong in a group, on the attribute
// when there is just one.
func (c *collector) report(diags *diag.Diagnostics, group string, err error) {
	if err == nil {
		return
	}
	var lines []string
	at := path.Root(group)
	faults := config.Faults(err)
	for _, f := range faults {
		lines = append(lines, "- "+f.Error())
		if where, ok := c.paths[f.Variable]; ok && len(faults) == 1 {
			at = where
		}
	}
	diags.AddAttributeError(at, "Invalid provider configuration: "+group,
		"These settings, from the provider block or the environment, cannot be used:\n\n"+strings.Join(lines, "\n")+
			"\n\nNothing was changed. Correct them and run Terraform again.")
}
