package access_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver/pgtest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m, postgrestest.Migrate)) }

// counted is the registry's store; it counts look-ups.
type counted struct {
	access.Store
	finds []string
}

func (c *counted) Find(ctx context.Context, prefix string) (access.Key, error) {
	c.finds = append(c.finds, prefix)
	return c.Store.Find(ctx, prefix)
}

func setup(t *testing.T) *counted {
	t.Helper()
	t.Parallel()
	db, err := postgres.Open(t.Context(), postgres.Options{URL: pgtest.Database(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return &counted{Store: db.Keys()}
}

// issue stores a key and gives its token.
func (c *counted) issue(t *testing.T, name string, ttl time.Duration) (access.Key, string) {
	t.Helper()
	key, token, err := access.NewKey(name, []access.Scope{access.ScopeRead}, ttl, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Create(t.Context(), key); err != nil {
		t.Fatal(err)
	}
	return key, token.Reveal()
}

func wantField(t *testing.T, err error, field string) {
	t.Helper()
	if fields := provisioning.FieldsOf(err); provisioning.KindOf(err) != provisioning.KindInvalid || len(fields) != 1 || fields[0].Field != field {
		t.Errorf("error %v, want KindInvalid of field %s", err, field)
	}
}
