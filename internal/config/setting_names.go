package config

// attributes are the settings that the provider's configuration has, too, as block.attribute. A
// test of the provider compares them.
var attributes = map[string]string{ //nolint:gosec // Names of attributes, no secrets.
	DatabaseURL:            "database.url",
	DatabaseDirectURL:      "database.direct_url",
	DatabaseRole:           "database.role",
	DatabaseMaxConnections: "database.max_connections",
	SchemaNames:            "database.schema_names",
	DefaultBlueprint:       "database.default_blueprint",
	CredentialReason:       "database.credential_reason",
	SorobanNetwork:         "soroban.network",
	SorobanPassphrase:      "soroban.network_passphrase",
	SorobanRPCURL:          "soroban.rpc_url",
	SorobanRPCHeaders:      "soroban.rpc_headers",
	SorobanDeployerSecret:  "soroban.deployer_secret",
	SorobanDeployer:        "soroban.deployer_account",
	SorobanMaxFee:          "soroban.max_fee",
	SorobanMaxUploadFee:    "soroban.max_upload_fee",
	SorobanChannels:        "soroban.channels",
	MailHost:               "mail.host",
	MailPort:               "mail.port",
	MailUser:               "mail.username",
	MailPassword:           "mail.password",
	MailFrom:               "mail.from",
	MailTLS:                "mail.tls",
	MailFailurePolicy:      "mail.failure_policy",
	MailCAFile:             "mail.ca_file",
	MailOAuthTokenURL:      "mail.oauth_token_url",
	MailOAuthClientID:      "mail.oauth_client_id",
	MailOAuthSecret:        "mail.oauth_client_secret",
	MailOAuthScope:         "mail.oauth_scope",
	AppURL:                 "app_url",
	InvitationURL:          "mail.invitation_url",
	InvitationTTL:          "mail.invitation_ttl",
	TenantAPIURL:           "api.url",
	TenantAPIToken:         "api.token",
}

// flags are the settings that commands of tenant-api have a flag for. A test of the commands
// compares them.
var flags = map[string]string{
	SorobanMaxFee:   "max-fee",
	SorobanChannels: "channels",
	AppHost:         "host",
	AppPort:         "port",
	MetricsAddr:     "metrics-addr",
	WorkerCount:     "workers",
	RateLimit:       "rate-limit",
	PurgeRetention:  "retention",
	LogLevel:        "log-level",
	LogFormat:       "log-format",
}
