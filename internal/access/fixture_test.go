package access_test

import (
	"context"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// countingStore is the registry's store; it counts lookups.
type countingStore struct {
	access.Store
	lookups []string
}

func (c *countingStore) FindByPrefix(ctx context.Context, prefix string) (access.Key, error) {
	c.lookups = append(c.lookups, prefix)
	return c.Store.FindByPrefix(ctx, prefix)
}

func setup(t *testing.T) *countingStore {
	t.Helper()
	t.Parallel()
	db, err := postgres.Open(t.Context(), pgdb.Options{URL: testenv.Database(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	return &countingStore{Store: db.APIKeys}
}

// createKey stores a key and returns its token.
func (c *countingStore) createKey(t *testing.T, name string, ttl time.Duration) (access.Key, string) {
	t.Helper()
	key, token, err := access.NewKey(access.KeyRequest{Name: name, Scopes: []access.Scope{access.ScopeRead}, TTL: ttl}, time.Now())
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
	if fields := errs.FieldsOf(err); errs.KindOf(err) != errs.KindInvalid || len(fields) != 1 || fields[0].Field != field {
		t.Errorf("error %v, want KindInvalid of field %s", err, field)
	}
}
