package tenantschema_test

import (
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
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
