package main

import (
	"strings"
	"testing"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
)

// TestWrite: each setting has one row, with all that is known of it.
func TestWrite(t *testing.T) {
	t.Parallel()
	var page strings.Builder
	if err := write(&page); err != nil {
		t.Fatal(err)
	}
	for _, s := range config.DocumentedSettings() {
		if n := strings.Count(page.String(), "\n| `"+s.Variable+"` |"); n != 1 {
			t.Errorf("%s has %d rows", s.Variable, n)
		}
	}
	for _, row := range []string{
		"| `SOROBAN_CHANNELS` | `soroban.channels` | `--channels` |  | number of channel accounts, and so of the tenants in one ledger | 0 |\n",
		"| `DB_PASSWORD` |  |  | `DB_PASSWORD_FILE` | password, with DB\\_HOST |  |\n",
	} {
		if !strings.Contains(page.String(), row) {
			t.Errorf("missing %q in:\n%s", row, page.String())
		}
	}
}
