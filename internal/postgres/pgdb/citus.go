package pgdb

import (
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// citusMinVersion is the oldest major version of PostgreSQL that is used with Citus. Citus
// connects to its workers as a tenant's role, which therefore can log in there. A login that
// could become that role with SET ROLE could give it a password, and only from this version on
// a membership can exclude SET ROLE.
const citusMinVersion = 16

// citusSettings are set in each session where Citus is installed: a new schema is placed on one
// node with all its tables, and the trigger of the audit chain is allowed. It only uses
// tables of its own schema, which are on the same node.
var citusSettings = []string{"citus.enable_schema_based_sharding", "citus.enable_unsafe_triggers"}

// HasCitusSQL is true where Citus is installed.
const HasCitusSQL = `EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'citus')`

// citusExpressions are select expressions that set citusSettings, if Citus is installed in the
// database.
func citusExpressions() string {
	var b strings.Builder
	for _, name := range citusSettings {
		b.WriteString(", CASE WHEN " + HasCitusSQL + " THEN set_config('" + name + "', 'on', false) END")
	}
	return b.String()
}

// citusKey is the key under which a connection keeps the version of Citus.
const citusKey = "healthcare.citus"

// noteCitus keeps the version of Citus, "" without it, for HasCitus.
func noteCitus(c *pgconn.PgConn, version string) error {
	c.CustomData()[citusKey] = version
	if server := majorVersion(c.ParameterStatus("server_version")); version != "" && server < citusMinVersion {
		return errs.Errorf(errs.KindPermanent, "connect to the database",
			"the database has the extension citus %s on PostgreSQL %d; with Citus PostgreSQL %d or newer is needed, because older ones cannot keep a login from becoming its tenant's role: upgrade all nodes",
			version, server, citusMinVersion)
	}
	return nil
}

// HasCitus reports whether the connection's database has the extension citus.
func HasCitus(c *pgx.Conn) bool {
	version, _ := c.PgConn().CustomData()[citusKey].(string)
	return version != ""
}
