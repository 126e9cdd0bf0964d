package config

import (
	"net"
	"net/url"
	"strings"
)

// The variables of the registry database.
const (
	DatabaseURL            = "DATABASE_URL"
	DatabaseHost           = "DB_HOST"
	DatabasePort           = "DB_PORT"
	DatabaseUser           = "DB_USERNAME"
	DatabasePassword       = "DB_PASSWORD"
	DatabaseName           = "DB_NAME"
	DatabaseSSLMode        = "DB_SSLMODE"
	DatabaseMaxConnections = "DB_MAX_CONNECTIONS"
	SchemaNames            = "SCHEMA_NAMES"

	// PostgreSQL's own, which pgx reads.
	pgHost    = "PGHOST"
	pgService = "PGSERVICE"
)

// Database is the address of the registry.
type Database struct {
	URL            Secret // For pgx; "" means the PG* variables.
	MaxConnections int

	OpaqueSchemaNames bool // New tenants get schema names that do not tell theirs.
}

// The values of SchemaNames.
const (
	schemaNamesReadable = "readable" // Made from the tenant's name.
	schemaNamesOpaque   = "opaque"   // Random.
)

// ReadDatabase reads the settings of the registry database.
func ReadDatabase(source Source) (Database, error) {
	r := &reader{get: source}
	d := Database{MaxConnections: int(r.integer(DatabaseMaxConnections, 8, 1, 1000))}
	d.OpaqueSchemaNames = r.oneOf(SchemaNames, schemaNamesReadable, schemaNamesReadable, schemaNamesOpaque) == schemaNamesOpaque
	rawURL, host := r.text(DatabaseURL, ""), r.text(DatabaseHost, "")
	switch {
	case rawURL != "":
		if u, err := url.Parse(rawURL); strings.Contains(rawURL, "://") && (err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql") {
			r.addError(DatabaseURL, "cannot be read; give postgres://user:password@host:5432/name, with special characters percent-encoded")
		}
		d.URL = Secret(rawURL)
	case host != "":
		d.URL = Secret(buildDatabaseURL(r, host))
	case r.text(pgHost, "") == "" && r.text(pgService, "") == "":
		r.addError(DatabaseURL, "is not set; give the registry database as postgres://user:password@host:5432/name, or DB_HOST and the other DB_ variables")
	}
	return d, r.err()
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
	user, password := r.text(DatabaseUser, ""), r.get(DatabasePassword)
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
