package dto

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// TestOpenTenantCursor: the checksum has no secret, so a client can
// forge cursors with impossible positions.
func TestOpenTenantCursor(t *testing.T) {
	t.Parallel()
	for _, year := range []int{-290_000, 0, 1999, 10_000, 290_000} {
		at := time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC)
		_, ok := OpenTenantCursor("tenants", TenantCursor("tenants", tenant.Position{CreatedAt: at, ID: uuid.New()}))
		if ok {
			t.Errorf("a position in the year %d was opened", year)
		}
	}
	want := tenant.Position{CreatedAt: time.Date(2026, 11, 22, 10, 0, 0, 1000, time.UTC), ID: uuid.New()}
	if got, ok := OpenTenantCursor("tenants", TenantCursor("tenants", want)); !ok || got != want {
		t.Errorf("%+v, %t", got, ok)
	}
}
