package stellarstore_test

import (
	"os"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver/pgtest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
)

func TestMain(m *testing.M) {
	os.Exit(pgtest.Main(m, postgrestest.Migrate))
}

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
