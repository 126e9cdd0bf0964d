package fingerprint_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/fingerprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func read(b postgrestest.Fixture, schema string) (found fingerprint.Fingerprint) {
	b.T.Helper()
	b.Must(pgx.BeginFunc(b.T.Context(), b.Pool(), func(tx pgx.Tx) (err error) {
		found, err = fingerprint.Read(b.T.Context(), tx, schema)
		return err
	}))
	return found
}

// TestRead_IsThatOfAllTenants: the schemas of two tenants have the same fingerprint.
func TestRead_IsThatOfAllTenants(t *testing.T) {
	b := postgrestest.Setup(t)
	one, two := read(b, b.ActiveTenant(postgrestest.Inputs("One")).SchemaName), read(b, b.ActiveTenant(postgrestest.Inputs("Two")).SchemaName)
	if !maps.Equal(one, two) {
		t.Errorf("%v\n%v", one, two)
	}
	for object, part := range map[string]string{
		"function audit_chain_{{digest}}()": "CREATE OR REPLACE FUNCTION audit_chain_{{digest}}()", "trigger audit_logs.audit_chain": "EXECUTE FUNCTION audit_chain_{{digest}}()",
	} {
		if !strings.Contains(one[object], part) {
			t.Errorf("the %s is %q", object, one[object])
		}
	}
}

// TestRead_KeepsObjectsOfOneName: two objects that read alike are both in the definition.
func TestRead_KeepsObjectsOfOneName(t *testing.T) {
	b := postgrestest.Setup(t)
	b.ExecScript(`CREATE SCHEMA x; CREATE TABLE x.a ("b.c" int); CREATE TABLE x."a.b" (c text)`)
	if got := read(b, "x")["column a.b.c"]; got != "integer\ntext" {
		t.Errorf("%q", got)
	}
}

func TestCompare_Renamed(t *testing.T) {
	t.Parallel()
	expected := fingerprint.Fingerprint{"function f_{{digest}}(a int)": "f_{{digest}} 1", "trigger t.f": "EXECUTE f_{{digest}}()"}
	for name, c := range map[string]struct {
		actual fingerprint.Fingerprint
		want   string // Of Difference.
	}{
		"Same":        {fingerprint.Fingerprint{"function f_{{digest}}(a int)": "f_{{digest}} 1", "trigger t.f": "EXECUTE f_{{digest}}()"}, "[] [] [] []"},
		"Other":       {fingerprint.Fingerprint{"function f_01234567(a int)": "f_01234567 1", "trigger t.f": "EXECUTE f_01234567()"}, "[] [] [] [{function f_bbfeb74a(a int) function f_01234567(a int)}]"},
		"Changed":     {fingerprint.Fingerprint{"function f_01234567(a int)": "f_01234567 2", "trigger t.f": "EXECUTE f_01234567()"}, "[] [function f_bbfeb74a(a int)] [] [{function f_bbfeb74a(a int) function f_01234567(a int)}]"},
		"NoDigest":    {fingerprint.Fingerprint{"function f(a int)": "f 1", "trigger t.f": "EXECUTE f()"}, "[function f_bbfeb74a(a int)] [trigger t.f] [function f(a int)] []"},
		"OtherTypes":  {fingerprint.Fingerprint{"function f_01234567()": "f_01234567 1", "trigger t.f": "EXECUTE f_01234567()"}, "[function f_bbfeb74a(a int)] [trigger t.f] [function f_01234567()] []"},
		"Placeholder": {fingerprint.Fingerprint{"function f_{{{{digest}}(a int)": "x", "trigger t.f": "EXECUTE f_{{digest}}()"}, "[function f_bbfeb74a(a int)] [] [function f_{{digest}}(a int)] []"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := expected.Compare(c.actual, nil).In("clinic")
			if got := fmt.Sprint(d.Missing, d.Changed, d.Unmanaged, d.Renamed); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
			if d.IsEmpty() != (name == "Same") {
				t.Errorf("%+v is empty: %t", d, d.IsEmpty())
			}
		})
	}
}
