package retry_test

import (
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/retry"
)

func TestAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"0":                              0,
		"7":                              7 * time.Second,
		"99999999999999999999999":        (1<<31 - 1) * time.Second,
		"Sun, 01 Mar 2026 12:00:09 GMT":  9 * time.Second,
		"Sunday, 01-Mar-26 12:00:09 GMT": 9 * time.Second,
		"Sun, 01 Mar 2026 11:00:00 GMT":  0,
	} {
		if got, ok := retry.After(text, now); got != want || !ok {
			t.Errorf("%q: %v, %t, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "-1", "1.5", "soon", " 7", "Sun, 01 Mar 2026"} {
		if got, ok := retry.After(text, now); got != 0 || ok {
			t.Errorf("%q: %v, %t, want none", text, got, ok)
		}
	}
}
