package postgres_test

import (
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// fixture adds the helpers of this package to those of all.
type fixture struct{ postgrestest.Fixture }

func setup(t *testing.T) fixture {
	t.Helper()
	return fixture{postgrestest.Setup(t)}
}

// value reads one value from the database.
func value[T any](b fixture, query string, args ...any) T {
	b.T.Helper()
	return postgrestest.Value[T](b.Fixture, query, args...)
}

// names replaces {{id}}, {{schema}}, {{role}} and {{digest}} by those of a tenant, {{other}} and
// {{otherRole}} by those of another one, and {{connect}} by the connect role.
func (b fixture) names(t, other tenant.Tenant) *strings.Replacer {
	b.T.Helper()
	return strings.NewReplacer("{{id}}", t.ID.String(), "{{schema}}", t.SchemaName, "{{role}}", t.DatabaseRole, "{{digest}}", blueprintsql.Digest(t.SchemaName), "{{other}}", other.SchemaName, "{{otherRole}}", other.DatabaseRole,
		"{{connect}}", value[string](b, `SELECT connect_role::text FROM registry`))
}

// asDBA is how statements begin that need a superuser.
const asDBA = "DBA: "

// run runs statements, as superuser if they need one.
func (b fixture) run(statements string) {
	b.T.Helper()
	if text, dba := strings.CutPrefix(statements, asDBA); dba {
		b.AsSuperuser(text)
		return
	}
	b.ExecScript(statements)
}
