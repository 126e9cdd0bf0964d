package config

import "github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"

// Setting describes one environment variable, for help texts and documents.
type Setting struct {
	Variable string
	Group    string
	Usage    string // What it is.
	Default  string // Empty: none.

	Attribute string // Of the provider's configuration, such as database.url; empty: none.
	Flag      string // Of those commands of tenant-api that use it; empty: none.
	Secret    bool   // Variable + FileSuffix can name a file that has it.
}

// File is the variable that can name a file with the setting; "" if it is no secret.
func (s Setting) File() string {
	if !s.Secret {
		return ""
	}
	return s.Variable + FileSuffix
}

// The groups of settings.
const (
	groupDatabase = "Registry database"
	groupSoroban  = "Stellar network and contracts"
	groupMail     = "Mail, and the links in it"
	groupSteps    = "Own steps of blueprints"
	groupServer   = "API server and workers"
	groupConsole  = "Web console"
	groupLog      = "Log"
	groupTraces   = "Traces, as OpenTelemetry has them"
	groupClient   = "Clients of tenant-api, such as the provider in API mode"
)

// settings are all variables that this package reads. A test compares them.
var settings = describe([]description{
	{DatabaseURL, groupDatabase, "PostgreSQL 13 or newer, as postgres://user:password@host:5432/name", ""},
	{DatabaseDirectURL, groupDatabase, "the same database without a pooler, if DATABASE_URL leads to one in transaction mode; then this alone is used", ""},
	{DatabaseHost, groupDatabase, "host, if DATABASE_URL is not set", ""},
	{DatabasePort, groupDatabase, "port, with DB_HOST", "5432"},
	{DatabaseUser, groupDatabase, "user, with DB_HOST", ""},
	{DatabasePassword, groupDatabase, "password, with DB_HOST", ""},
	{DatabaseName, groupDatabase, "name of the database, with DB_HOST", ""},
	{DatabaseSSLMode, groupDatabase, "disable, allow, prefer, require, verify-ca or verify-full, with DB_HOST", "prefer"},
	{DatabaseMaxConnections, groupDatabase, "most connections of one process", "8"},
	{DatabaseRole, groupDatabase, "role that each session sets, if the database user is only a member of the registry's owner", "the user's own"},
	{SchemaNames, groupDatabase, "readable, made from the names of tenants, or opaque: random, for new tenants", "readable"},
	{DefaultBlueprint, groupDatabase, "blueprint of new tenants for which none is named", tenant.StandardBlueprint},
	{CredentialReason, groupDatabase, "optional, or required: a login for a tenant's schema is opened only for a stated reason; steps of blueprints need none", credentialReasonOptional},
	{PgDump, groupDatabase, "path of pg_dump for backups of tenants; pg_restore has to be beside it", "the newest that is installed"},
	{pgHost, groupDatabase, "host, with the other PG variables of PostgreSQL, if neither DATABASE_URL nor DB_HOST is set", ""},
	{pgService, groupDatabase, "a service of PostgreSQL's pg_service.conf, instead of PGHOST", ""},

	{SorobanNetwork, groupSoroban, "testnet, public, futurenet or local; another name needs a passphrase, for a network of your own", ""},
	{SorobanPassphrase, groupSoroban, "passphrase of a network of your own; that of a named network under another name is an error", "the network's"},
	{SorobanRPCURL, groupSoroban, "JSON-RPC server; public has no default", "the network's"},
	{SorobanRPCHeaders, groupSoroban, "headers of each call to it, such as an access key, each on a line of its own as Name: value", ""},
	{SorobanDeployerSecret, groupSoroban, "secret key (S...) of the account that owns contracts and pays for them", ""},
	{SorobanDeployer, groupSoroban, "address (G...) of that account, if the secret key is that of another signer of it, as after a rotation", "the key's own"},
	{SorobanChannels, groupSoroban, "number of channel accounts, and so of the tenants in one ledger", "0"},
	{SorobanMaxFee, groupSoroban, "most stroops that a tenant's transaction may cost; 10000000 are 1 XLM", "10000000"},
	{SorobanMaxUploadFee, groupSoroban, "most stroops that the code, which all tenants share, may cost", "1000000000"},
	{SorobanAnchorInterval, groupSoroban, "time between anchors of an audit chain; 0: on demand alone", "24h"},
	{SorobanLowBalance, groupSoroban, "stroops; workers warn when the deployer has less", "1000000000"},

	{MailHost, groupMail, "SMTP server", ""},
	{MailPort, groupMail, "its port; 465 means TLS from the first byte", "587"},
	{MailUser, groupMail, "user, if the server needs one", ""},
	{MailPassword, groupMail, "password of that user", ""},
	{MailFrom, groupMail, "sender, as Platform <no-reply@platform.example>", ""},
	{MailTLS, groupMail, "mandatory, opportunistic, or none (only on loopback)", TLSMandatory},
	{MailFailurePolicy, groupMail, "warn: a tenant goes live without its mail, which is sent later; fail: it does not", "warn"},
	{MailCAFile, groupMail, "PEM file of authorities that certificates of the SMTP server may come from, besides the system's", ""},
	{MailOAuthTokenURL, groupMail, "where access tokens for XOAUTH2 are fetched with client credentials, instead of MAIL_PASSWORD", ""},
	{MailOAuthClientID, groupMail, "id of the client, with MAIL_OAUTH_TOKEN_URL", ""},
	{MailOAuthSecret, groupMail, "secret of the client, with MAIL_OAUTH_TOKEN_URL", ""},
	{MailOAuthScope, groupMail, "scope of the tokens, such as https://outlook.office365.com/.default", ""},
	{AppURL, groupMail, "base address of the links in mails; needed if MAIL_HOST or APP_HOST is not on loopback", "http://APP_HOST:APP_PORT"},
	{InvitationTTL, groupMail, "how long an invitation can be accepted, from 1h to 720h", "72h"},
	{InvitationReminder, groupMail, "how long before the end of an unused invitation a worker sends a reminder, if the invitation is longer; 0: none", "24h"},
	{InvitationURL, groupMail, "the platform's own page for invitations; without it, tenant-api serves one, and mails lead to APP_URL/invitation", ""},

	{WebhookAllow, groupSteps, "hosts and networks that steps may send to although their addresses are not public, as directory.internal,10.20.0.0/16", ""},

	{AppHost, groupServer, "address to serve on", "127.0.0.1"},
	{AppPort, groupServer, "port to serve on; 0 for any free port", "3000"},
	{MetricsAddr, groupServer, "host:port for Prometheus metrics; without it none are served", ""},
	{WorkerCount, groupServer, "tenants provisioned at once", "8, or the number of channels if that is larger"},
	{TrustedProxies, groupServer, "addresses and networks of proxies whose X-Forwarded-For is used, as 10.0.0.7,10.1.0.0/24; without it clients are known by the address of their connection", ""},
	{CORSOrigins, groupServer, "origins whose pages may call the operations for invitations from a browser, as https://app.platform.example; no operation that needs a key", ""},
	{RateLimit, groupServer, "requests per minute and key; a key can have its own, see tenant-api apikey create", "100"},
	{PurgeRetention, groupServer, "minimum time between archiving and purging a tenant", "720h"},
	{AllowEarlyPurge, groupServer, "true: purges may skip PURGE_RETENTION, as deletion_policy = \"PURGE\" does; set it for workers, too", "false"},
	{OIDCIssuer, groupServer, "issuer whose tokens are accepted besides API keys; needs AUTH_OIDC_AUDIENCE", ""},
	{OIDCAudience, groupServer, "audience that these tokens must have; needs AUTH_OIDC_ISSUER", ""},

	{ConsoleSwitch, groupConsole, "on: the server has a web console at /console; off: it has none", "on"},
	{ConsoleURL, groupConsole, "address at which browsers reach the server, as https://tenants.example, without a path; needed with CONSOLE_OIDC_CLIENT_ID", ""},
	{ConsoleOIDCClientID, groupConsole, "id of tenant-api as a client of AUTH_OIDC_ISSUER, so that people sign in there; without it they sign in with API keys", ""},
	{ConsoleOIDCClientSecret, groupConsole, "secret of that client; without it, it is a public client", ""},
	{ConsoleOIDCScopes, groupConsole, "scopes that are requested of the issuer; add what it needs for access tokens with AUTH_OIDC_AUDIENCE and the scopes of the API", defaultConsoleScopes},
	{ConsoleIdleTimeout, groupConsole, "how long a session lasts without a request, from 5m to CONSOLE_SESSION_TTL", "30m"},
	{ConsoleSessionTTL, groupConsole, "how long a session lasts at most, from 5m to 168h", "12h"},

	{LogLevel, groupLog, "debug, info, warn or error", "info"},
	{LogFormat, groupLog, "text or json", LogText},

	{TracesEndpoint, groupTraces, "collector that traces are exported to, as http://collector.example:4318; OTEL_EXPORTER_OTLP_TRACES_ENDPOINT names the whole address", ""},
	{ownTracesEndpoint, groupTraces, "the same with its path, as http://collector.example:4318/v1/traces", ""},
	{TracesExporter, groupTraces, "otlp, console (standard error) or none", "otlp if an endpoint is set, else none"},
	{TracesProtocol, groupTraces, "http/protobuf or grpc", TracesHTTP},
	{ownTracesProtocol, groupTraces, "the same, of traces alone", "that of OTEL_EXPORTER_OTLP_PROTOCOL"},
	{TracesHeaders, groupTraces, "headers of each export, such as an access key, as name=value with commas in between and values percent-encoded", ""},
	{ownTracesHeaders, groupTraces, "the same, of traces alone", "those of OTEL_EXPORTER_OTLP_HEADERS"},
	{TracesService, groupTraces, "name of the service in traces", "tenant-api, or terraform-provider-healthcare"},
	{TracesSampler, groupTraces, "which traces are recorded, as always_on, always_off or parentbased_traceidratio", "parentbased_always_on"},
	{TracesSamplerArg, groupTraces, "share of traces to record, from 0 to 1, with a sampler by ratio", ""},
	{TracesDisabled, groupTraces, "true: no traces, and no ids of traces but those of callers", "false"},

	{TenantAPIURL, groupClient, "base address, as https://tenants.platform.example", ""},
	{TenantAPIToken, groupClient, "API key, or a token of the issuer", ""},
})

// description is what this file has of a setting.
type description struct{ variable, group, usage, fallback string }

func describe(all []description) (described []Setting) {
	for _, d := range all {
		described = append(described, Setting{
			Variable: d.variable, Group: d.group, Usage: d.usage, Default: d.fallback,
			Attribute: attributes[d.variable], Flag: flags[d.variable], Secret: isSecret(d.variable),
		})
	}
	return described
}

// Settings lists all variables, ordered by group.
func Settings() []Setting { return append([]Setting(nil), settings...) }

// DocumentedSettings lists what help texts and documents have: the settings, and the secrets of own
// steps, whose variables blueprints name.
func DocumentedSettings() (all []Setting) {
	for _, s := range settings {
		all = append(all, s)
		if s.Variable == WebhookAllow {
			all = append(all, Setting{
				Variable: secretVariablePrefix + "*", Group: groupSteps, Secret: true,
				Usage: "secret of a step, in the variable that its blueprint names: whsec_ and 24 to 64 random bytes in base64, in each process that sends steps",
			})
		}
	}
	return all
}

// SettingOf returns the description of a variable, and an empty one for an unknown
// variable.
func SettingOf(variable string) Setting {
	for _, s := range settings {
		if s.Variable == variable {
			return s
		}
	}
	return Setting{Variable: variable}
}
