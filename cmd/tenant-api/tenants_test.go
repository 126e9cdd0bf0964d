package main

import (
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func TestBlueprintOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		of   tenant.Tenant
		want string
	}{
		{tenant.Tenant{Blueprint: "clinic"}, "clinic"},
		{tenant.Tenant{Blueprint: "standard", SchemaVersion: 1}, "standard, schema version 1"},
		{tenant.Tenant{Blueprint: "clinic", BlueprintRevision: 2, SchemaVersion: 3}, "clinic, revision 2, schema version 3"},
	} {
		if got := blueprintOf(c.of); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestFormatPairs: each value is on the one line, in order, and none is long.
func TestFormatPairs(t *testing.T) {
	t.Parallel()
	got := formatPairs(map[string]string{"region": "eu", "plan": "it's\n\"full\"", "long": strings.Repeat("é", 10_000)})
	if want := `long="` + strings.Repeat("é", 59) + `…" plan="it's\n\"full\"" region="eu"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := formatPairs(nil); got != "" {
		t.Errorf("%q", got)
	}
}
