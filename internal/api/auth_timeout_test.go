package api_test

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
)

// silentStore is a registry that, once silent, answers no lookup.
type silentStore struct {
	access.Store
	silent *atomic.Bool
}

func (s silentStore) FindByPrefix(ctx context.Context, prefix string) (access.Key, error) {
	if s.silent.Load() {
		<-ctx.Done()
		return access.Key{}, ctx.Err()
	}
	return s.Store.FindByPrefix(ctx, prefix)
}

// TestAuthorize_SilentRegistry: a registry that does not answer holds no request, and no
// stream, for longer than the work timeout.
func TestAuthorize_SilentRegistry(t *testing.T) {
	var silent atomic.Bool
	b := setupWith(t, serverOptions{
		timeouts: api.Timeouts{Work: 300 * time.Millisecond},
		wrapKeys: func(s access.Store) access.Store { return silentStore{s, &silent} },
	})
	silent.Store(true)
	for _, path := range []string{"/admin/tenants", "/admin/tenants/0199a1f0-5f0b-7c2e-9d35-3f6f1a1e7b11/events"} {
		b.do(http.MethodGet, path, nil).want(http.StatusServiceUnavailable)
	}
}
