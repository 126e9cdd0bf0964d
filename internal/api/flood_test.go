package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api"
)

// unknownToken has the form of an API key but is unknown.
func unknownToken(n int) string {
	prefix := strings.NewReplacer("0", "a", "1", "b", "8", "c", "9", "d").Replace(fmt.Sprintf("%012d", n))
	return "hck_" + prefix + "." + strings.Repeat("A", 43)
}

func TestServer_RejectionFlood(t *testing.T) {
	t.Parallel()
	const limit = 3
	flooded := func(t *testing.T) (*testServer, *countingStore, *atomic.Int64) {
		t.Helper()
		var (
			store   *countingStore
			records atomic.Int64
		)
		b := setupWith(t, serverOptions{
			Options:     api.Options{AuthFailureLimit: limit},
			wrapKeys:    func(s access.Store) access.Store { store = &countingStore{Store: s}; return store },
			wrapService: func(s api.Service) api.Service { return &recordingService{Service: s, records: &records} },
		})
		b.clock.stop() // The limit refills with time.
		return b, store, &records
	}
	list := func(b *testServer, token string) response {
		b.t.Helper()
		return b.do(http.MethodGet, "/admin/tenants", nil, "Authorization", token)
	}
	t.Run("MissingAndMalformedTokensCostNoLookup", func(t *testing.T) {
		b, store, records := flooded(t)
		for range 10 {
			list(b, "")
			list(b, "Bearer hck_x")
			list(b, "Basic aGk6aGk=")
		}
		list(b, "Bearer hck_x").want(http.StatusTooManyRequests)
		if store.finds.Load() != 0 || store.lists.Load() != 0 {
			t.Errorf("%d lookups, %d lists", store.finds.Load(), store.lists.Load())
		}
		if n := records.Load(); n != limit+1 { // Those within the limit, and the first one beyond it.
			t.Errorf("%d events", n)
		}
	})
	t.Run("UnknownTokensOverLimitCostOneReadPerSnapshotAge", func(t *testing.T) {
		b, store, records := flooded(t)
		for i := range 50 {
			list(b, "Bearer "+unknownToken(i))
		}
		got := list(b, "Bearer "+unknownToken(50)).want(http.StatusTooManyRequests)
		if got.header.Get("Retry-After") == "" {
			t.Errorf("%v", got.header)
		}
		wrong := b.key[:len(b.key)-1] + map[bool]string{true: "E", false: "A"}[strings.HasSuffix(b.key, "A")]
		list(b, "Bearer "+wrong).want(http.StatusTooManyRequests)
		if store.finds.Load() != limit || store.lists.Load() != 1 || records.Load() != limit+1 {
			t.Errorf("%d lookups, %d lists, %d events", store.finds.Load(), store.lists.Load(), records.Load())
		}
	})
	t.Run("AdmitsValidKeysFromSameAddress", func(t *testing.T) {
		b, store, _ := flooded(t)
		for i := range 20 {
			list(b, "Bearer "+unknownToken(i))
		}
		list(b, "Bearer "+b.key).want(http.StatusOK) // The key was not used before.
		finds := store.finds.Load()
		list(b, "Bearer "+b.key).want(http.StatusOK)
		if n := store.finds.Load() - finds; n != 1 {
			t.Errorf("%d lookups for a good key", n)
		}
		// A key that is created later waits until the keys are read again.
		late := b.createKey("late", access.ScopeRead)
		list(b, "Bearer "+late).want(http.StatusTooManyRequests)
		b.clock.advance(5 * time.Second)
		list(b, "Bearer "+late).want(http.StatusOK)
	})
	t.Run("RejectsRevokedKeyFromSameAddress", func(t *testing.T) {
		b, _, _ := flooded(t)
		for i := range 20 {
			list(b, "Bearer "+unknownToken(i))
		}
		list(b, "Bearer "+b.key).want(http.StatusOK)
		if _, err := b.db.APIKeys.Revoke(t.Context(), "admin"); err != nil {
			t.Fatal(err)
		}
		list(b, "Bearer "+b.key).want(http.StatusTooManyRequests)
		if n := b.registry.Count(); n != 0 || len(b.auditRejections(uuid.Nil)) != limit+1 {
			t.Errorf("%d tenants, %d rejections", n, len(b.auditRejections(uuid.Nil)))
		}
	})
	t.Run("ReportsUnresponsiveRegistry", func(t *testing.T) {
		b := setupWith(t, serverOptions{Options: api.Options{AuthFailureLimit: limit}, wrapKeys: func(s access.Store) access.Store { return failingStore{s} }})
		for range 10 {
			list(b, "")
		}
		list(b, "Bearer "+b.key).want(http.StatusServiceUnavailable)
	})
}
