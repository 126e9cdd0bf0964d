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

// unresponsiveStore is a registry that, once unresponsive, answers no lookup.
type unresponsiveStore struct {
	access.Store
	unresponsive *atomic.Bool
}

func (s unresponsiveStore) FindByPrefix(ctx context.Context, prefix string) (access.Key, error) {
	if s.unresponsive.Load() {
		<-ctx.Done()
		return access.Key{}, ctx.Err()
	}
	return s.Store.FindByPrefix(ctx, prefix)
}

// TestAuthorize_UnresponsiveRegistry: a registry that does not answer holds no request, and no
// stream, for longer than the work timeout.
func TestAuthorize_UnresponsiveRegistry(t *testing.T) {
	var unresponsive atomic.Bool
	b := setupWith(t, serverOptions{
		timeouts: api.Timeouts{Work: 300 * time.Millisecond},
		wrapKeys: func(s access.Store) access.Store { return unresponsiveStore{s, &unresponsive} },
	})
	unresponsive.Store(true)
	for _, path := range []string{"/admin/tenants", "/admin/tenants/0199a1f0-5f0b-7c2e-9d35-3f6f1a1e7b11/events"} {
		b.do(http.MethodGet, path, nil).want(http.StatusServiceUnavailable)
	}
}
