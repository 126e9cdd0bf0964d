package blueprintsql

import (
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/dbroles"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// CreateRole makes the role of a tenant, {{role}}.
var CreateRole = dbroles.CreateSQL("{{role}}")

// CitusLogin lets a role log in, with no password: Citus connects to its nodes as the role. Its
// members cannot become the role.
const CitusLogin = `ALTER ROLE {{role}} LOGIN PASSWORD NULL`

// Names replaces {{schema}}, {{role}} and {{owner}} by quoted names, and {{digest}} by the digest of
// the schema's name.
func Names(t tenant.Tenant, schemaOwner string) *strings.Replacer {
	return strings.NewReplacer("{{schema}}", pgx.Identifier{t.SchemaName}.Sanitize(),
		"{{role}}", pgx.Identifier{t.DatabaseRole}.Sanitize(), "{{owner}}", pgx.Identifier{schemaOwner}.Sanitize(),
		"{{digest}}", Digest(t.SchemaName))
}
