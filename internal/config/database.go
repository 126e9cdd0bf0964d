package config

import (
	"net"
	"net/url"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// The variables of the registry database.
const (
	DatabaseURL            = "DATABASE_URL"
	DatabaseDirectURL      = "DATABASE_DIRECT_URL"
	DatabaseHost           = "DB_HOST"
	DatabasePort           = "DB_PORT"
	DatabaseUser           = "DB_USERNAME"
	DatabasePassword       = "DB_PASSWORD"
	DatabaseName           = "DB_NAME"
	DatabaseSSLMode        = "DB_SSLMODE"
	DatabaseMaxConnections = "DB_MAX_CONNECTIONS"
	DatabaseRole           = "DATABASE_ROLE"
	SchemaNames            = "SCHEMA_NAMES"
	DefaultBlueprint       = "DEFAULT_BLUEPRINT"
	CredentialReason       = "CREDENTIAL_REASON" //nolint:gosec // It is the name of a variable, not a secret.

	// PostgreSQL's own, which pgx reads.
	pgHost    = "PGHOST"
	pgService = "PGSERVICE"
)

// Database is the address of the registry.
type Database struct {
	URL            Secret // For pgx; "" means the PG* variables.
	DirectURL      Secret // An address of the same database without a pooler; "": URL is one.
	MaxConnections int
	Role           string // The role that each session sets; "": the user's own.

	OpaqueSchemaNames bool   // New tenants get schema names that do not tell theirs.
	DefaultBlueprint  string // Of new tenants for which none is named.

	RequireCredentialReason bool // A login for a tenant's schema is opened only for a stated reason.
}

// The values of SchemaNames.
const (
	schemaNamesReadable = "readable" // Made from the tenant's name.
	schemaNamesOpaque   = "opaque"   // Random.
)

// The values of CredentialReason.
const (
	credentialReasonOptional = "optional"
	credentialReasonRequired = "required"
)

// SessionURL is the address whose connections have a session of their own: DirectURL, if
// it is set.
func (d Database) SessionURL() Secret {
	if d.DirectURL != "" {
		return d.DirectURL
	}
	return d.URL
}

// ReadDatabase reads the settings of the registry database.
func ReadDatabase(source Source) (Database, error) {
	r := &reader{get: source}
	d := Database{MaxConnections: int(r.integer(DatabaseMaxConnections, 8, 1, 1000))}
	d.OpaqueSchemaNames = r.oneOf(SchemaNames, schemaNamesReadable, schemaNamesReadable, schemaNamesOpaque) == schemaNamesOpaque
	d.RequireCredentialReason = r.oneOf(CredentialReason, credentialReasonOptional, credentialReasonOptional, credentialReasonRequired) == credentialReasonRequired
	d.Role = readRole(r)
	d.DefaultBlueprint = r.text(DefaultBlueprint, tenant.StandardBlueprint)
	if err := tenant.CheckBlueprint(d.DefaultBlueprint); err != nil {
		r.addError(DefaultBlueprint, "%s", err)
	}
	rawURL, host := readURL(r, DatabaseURL), r.text(DatabaseHost, "")
	d.DirectURL = Secret(readURL(r, DatabaseDirectURL))
	switch {
	case rawURL != "":
		d.URL = Secret(rawURL)
	case host != "":
		d.URL = Secret(buildDatabaseURL(r, host))
	case d.DirectURL == "" && r.text(pgHost, "") == "" && r.text(pgService, "") == "":
		r.addError(DatabaseURL, "is not set; give the registry database as postgres://user:password@host:5432/name, or DB_HOST and the other DB_ variables")
	}
	return d, r.err()
}

// maxRoleLength is PostgreSQL's limit for names, in bytes.
const maxRoleLength = 63

func readRole(r *reader) string {
	role := r.text(DatabaseRole, "")
	switch {
	case strings.EqualFold(role, "none"): // It would set the login's own role.
		r.addError(DatabaseRole, "is none, which is no role; give the role that owns the registry, or do not set it")
	case len(role) > maxRoleLength:
		r.addError(DatabaseRole, "has %d bytes; names of roles have at most %d", len(role), maxRoleLength)
	}
	return role
}

// readURL reads a connection string: a URL, or key=value. URLs with several hosts are not
// URLs to net/url.
func readURL(r *reader, variable string) string {
	text := r.text(variable, "")
	if scheme, _, isURL := strings.Cut(text, "://"); isURL {
		if _, err := url.Parse(firstHostOnly(text)); err != nil || scheme != "postgres" && scheme != "postgresql" {
			r.addError(variable, "cannot be read; give postgres://user:password@host:5432/name, with special characters percent-encoded")
		}
	}
	return text
}

// firstHostOnly removes the hosts of a URL after the first one.
func firstHostOnly(text string) string {
	scheme, rest, _ := strings.Cut(text, "://")
	authority := strings.IndexAny(rest, "/?#")
	if authority < 0 {
		authority = len(rest)
	}
	hosts := rest[:authority]
	if at := strings.LastIndex(hosts, "@"); at < 0 {
		hosts, _, _ = strings.Cut(hosts, ",")
	} else {
		first, _, _ := strings.Cut(hosts[at+1:], ",")
		hosts = hosts[:at+1] + first
	}
	return scheme + "://" + hosts + rest[authority:]
}

func buildDatabaseURL(r *reader, host string) string {
	u := url.URL{
		Scheme: "postgres",
		Host:   net.JoinHostPort(host, r.text(DatabasePort, "5432")),
		Path:   "/" + r.text(DatabaseName, ""),
		RawQuery: "sslmode=" + r.oneOf(DatabaseSSLMode, "prefer",
			"disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
	}
	r.integer(DatabasePort, 5432, 1, 65535)
	// Not trimmed: a password may begin or end with a blank.
	user, password := r.text(DatabaseUser, ""), r.value(DatabasePassword)
	switch {
	case user != "" && password != "":
		u.User = url.UserPassword(user, password)
	case user != "":
		u.User = url.User(user)
	case password != "":
		r.addError(DatabaseUser, "is not set, but %s is; give both or none", DatabasePassword)
	}
	return u.String()
}
