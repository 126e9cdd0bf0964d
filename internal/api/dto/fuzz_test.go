package dto

import (
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// FuzzOpenCursor: only what this program wrote for this list is a cursor.
func FuzzOpenCursor(f *testing.F) {
	list := TenantList(tenant.ListQuery{Status: tenant.StatusActive, Text: "clinic"}, "", "")
	for _, seed := range []string{"", "AA", SeqCursor(list, 7), SeqCursor(list, -1), SeqCursor("other", 7), "====", SeqCursor(list, 7) + "A"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, cursor string) {
		if after, ok := OpenSeqCursor(list, cursor); ok && SeqCursor(list, after) != cursor {
			t.Errorf("%q is read as %d, which is %q", cursor, after, SeqCursor(list, after))
		}
		if after, ok := OpenTenantCursor(list, cursor); ok && TenantCursor(list, after) != cursor {
			t.Errorf("%q is read as %v, which is %q", cursor, after, TenantCursor(list, after))
		}
	})
}
