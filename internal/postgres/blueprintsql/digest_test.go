package blueprintsql_test

import (
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/blueprintsql"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// TestInSchema: what SQL made general is as it was again, and two names never become one.
func TestInSchema(t *testing.T) {
	b := postgrestest.Setup(t)
	const schema = `Läb "1"`
	digest := blueprintsql.Digest(schema)
	if want := postgrestest.Value[string](b, `SELECT left(encode(sha256(convert_to($1, 'UTF8')), 'hex'), 8)`, schema); digest != want {
		t.Errorf("%s, and PostgreSQL has %s", digest, want)
	}
	general := `SELECT ` + blueprintsql.GeneralSQL("$1::text", "$2::text")
	seen := map[string]string{}
	for _, name := range []string{
		"chain", "chain_" + digest, "chain_" + digest + "_" + digest, "chain_" + blueprintsql.Digest("other"), "chain" + digest, digest,
		"chain_{{digest}}", "chain_{{{digest}}}", "chain_{{{{digest}}", "{{", "{{{", "{{{{", "{{{{{_" + digest, "_{{digest}}_" + digest,
	} {
		found := postgrestest.Value[string](b, general, name, schema)
		if other, known := seen[found]; known {
			t.Errorf("%s and %s are both %s", name, other, found)
		}
		seen[found] = name
		if again := blueprintsql.InSchema(found, schema); again != name {
			t.Errorf("%s becomes %s and then %s", name, found, again)
		}
		if blueprintsql.HasDigest(found) != strings.Contains(name, "_"+digest) {
			t.Errorf("%s becomes %s", name, found)
		}
	}
}

// TestTemplate_In: each tenant has the names of its own schema, and the shared template does not change.
func TestTemplate_In(t *testing.T) {
	t.Parallel()
	const name = "clinic_1"
	chain := "audit_chain_" + blueprintsql.Digest(name) + "()"
	if got := blueprintsql.Standard.In(name).Objects.Functions[0].Signature; got != chain {
		t.Error(got)
	}
	if got := blueprintsql.Standard.Objects.Functions[0].Signature; got != "audit_chain_{{digest}}()" {
		t.Error(got)
	}
	names := blueprintsql.Names(tenant.Tenant{SchemaName: name, DatabaseRole: "role"}, "owner")
	revoke := `REVOKE ALL ON FUNCTION "clinic_1"."` + strings.TrimSuffix(chain, "()") + `"() FROM PUBLIC`
	for _, template := range []*blueprintsql.Template{blueprintsql.Standard, blueprintsql.Standard.In(name)} {
		if got := names.Replace(template.GrantStatements()[0]); got != revoke {
			t.Error(got)
		}
	}
}
